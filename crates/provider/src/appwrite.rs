//! Appwrite, which is asked for the account that one of its tokens is of.

use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Secret;
use url::Url;

use crate::{
    error::{Error, Result, unavailable},
    outgoing::Outgoing,
    profile::{Fields, Profile},
};

const PROJECT: HeaderName = HeaderName::from_static("x-appwrite-project");
const TOKEN: HeaderName = HeaderName::from_static("x-appwrite-jwt");
/// Bytes that a token may have.
const MOST: usize = 4 << 10;

/// The profile of the account that a token is of.
pub(crate) async fn account(http: &Outgoing, endpoint: &Url, project: &str, token: &Secret) -> Result<Profile> {
    let no_token = || Error::TokenInvalid("it is not one that can be sent".to_owned());
    if token.expose().is_empty() || token.expose().len() > MOST {
        return Err(no_token());
    }
    let mut value = HeaderValue::from_str(token.expose()).map_err(|_| no_token())?;
    value.set_sensitive(true);
    let named = HeaderValue::from_str(project).map_err(|_| unavailable("the project's id cannot be sent"))?;
    let url = Url::parse(&format!("{}/account", endpoint.as_str().trim_end_matches('/')))
        .map_err(|_| unavailable("the endpoint is no URL"))?;
    let document = http.get(&url, HeaderMap::from_iter([(PROJECT, named), (TOKEN, value)])).await?;
    fields().read(&document)
}

fn fields() -> Fields {
    Fields { subject: "$id".to_owned(), email_verified: "emailVerification".to_owned(), ..Fields::standard() }
}
