//! `POST /api/insula/init`, and the same under the name that older clients know.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, request::Parts},
};
use edge::{Answer, Failure, HostName, Json, RequestInfo};
use kernel::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Identity, NewUser,
    bootstrap::{Initialisation, Sender},
};

const SETUP_TOKEN: &str = "x-setup-token";

/// What a new installation shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Init {
    /// The domain below which its hosts are: `api.`, `assets.` and `webhooks.`.
    #[schema(example = "example.com")]
    domain: String,
    /// The tenant's name; from the domain where absent.
    #[schema(example = "example-com")]
    name: Option<String>,
    /// The first administrator; without one, users are made on the command line.
    admin: Option<Administrator>,
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Administrator {
    /// The name to log in with.
    #[schema(example = "admin")]
    username: String,
    /// The e-mail address.
    email: Option<String>,
    /// The password.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
}

/// The installation is initialised.
#[derive(Serialize, ToSchema)]
pub(super) struct Initialised {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The domain.
    #[schema(example = "example.com")]
    domain: String,
    /// The tenant's name.
    #[schema(example = "example-com")]
    tenant: String,
    /// Where its API is from now on.
    #[schema(example = "https://api.example.com/")]
    api: String,
}

/// Makes the first tenant of a new installation.
///
/// Over HTTPS, by the host names `api.localhost`, `api.localhost.daplie.me`, those of the machine itself and configured
/// ones; from the machine itself, or with the setup token in `Authorization: Bearer` or `X-Setup-Token`.
#[utoipa::path(
    post,
    path = "/api/insula/init",
    operation_id = "init",
    security(()),
    request_body = Init,
    responses(
        (status = 200, body = Initialised),
        (status = 409, body = edge::Envelope, description = "`already_initialised`."),
    )
)]
pub(super) async fn init(
    State(identity): State<Arc<Identity>>,
    sender: Sender,
    Json(body): Json<Init>,
) -> edge::Result {
    answer(&identity, &sender, body).await
}

/// The same as `POST /api/insula/init`.
#[utoipa::path(
    post,
    path = "/api/walnut@daplie.com/init",
    operation_id = "init_walnut",
    security(()),
    request_body = Init,
    responses(
        (status = 200, body = Initialised),
        (status = 409, body = edge::Envelope, description = "`already_initialised`."),
    )
)]
pub(super) async fn init_walnut(
    State(identity): State<Arc<Identity>>,
    sender: Sender,
    Json(body): Json<Init>,
) -> edge::Result {
    answer(&identity, &sender, body).await
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let HostName(host) = HostName::from_request_parts(parts, state).await?;
        let info = RequestInfo::from_request_parts(parts, state).await?;
        let token = setup_token(&parts.headers).map(Secret::new);
        Ok(Self { host, client: info.client, secure: info.secure, token })
    }
}

async fn answer(identity: &Arc<Identity>, sender: &Sender, body: Init) -> edge::Result {
    identity.check_sender(sender)?;
    let administrator = body.admin.map(|admin| NewUser {
        username: admin.username,
        email: admin.email,
        password: Some(admin.password),
        ..NewUser::default()
    });
    let new = Initialisation { domain: body.domain, name: body.name, administrator };
    let tenant = identity.initialise(new).await?;
    let domain = tenant.domain.clone().unwrap_or_default();
    let api = format!("https://api.{domain}/");
    Ok(Answer::with_status(200, Initialised { success: true, domain, tenant: tenant.name.clone(), api }))
}

/// The token in `X-Setup-Token`, else in `Authorization: Bearer`.
fn setup_token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let bearer = || {
        let (scheme, token) = text("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    text(SETUP_TOKEN).or_else(bearer)
}
