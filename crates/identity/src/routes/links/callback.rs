//! `GET /auth/link/{provider}/callback`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use edge::{Answer, Path, Query, RequestInfo, Site};
use kernel::Error;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{super::visitor, JourneyEnded, browser::Browser, cookie};
use crate::{
    Identity,
    links::{Ended, Returned},
};

/// What a provider sends back; it may add more.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Callback {
    /// What the journey began with.
    #[serde(default)]
    state: String,
    /// What the provider gives for its tokens.
    code: Option<String>,
    /// The issuer's name.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Where an outside provider sends browsers back to.
///
/// It leads on to the page that began the journey, or ends the journey of a browser that shows its cookie.
#[utoipa::path(
    get,
    path = "/auth/link/{provider}/callback",
    operation_id = "link_callback",
    security(()),
    params(("provider" = String, Path, description = "The provider's name."), Callback),
    responses(
        (status = 200, body = JourneyEnded),
        (status = 302, description = "The page, with `link_provider` and `link_code` or `link_error` in the fragment."),
        (status = 400, body = edge::Envelope, description = "`link_refused`."),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`, `second_factor_required`."),
        (status = 403, body = edge::Envelope, description = "`registration_closed`."),
        (status = 409, body = edge::Envelope, description = "`email_taken`."),
        (status = 502, body = edge::Envelope, description = "`provider_unavailable`."),
    )
)]
pub(super) async fn callback(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    Path(provider): Path<String>,
    Query(Callback { state, code, iss, error }): Query<Callback>,
    browser: Browser,
    info: RequestInfo,
) -> edge::Result<Response> {
    let returned = Returned {
        provider: &provider,
        callback: browser.callback(&provider),
        state: &state,
        code: code.as_deref().filter(|code| !code.is_empty() && error.is_none()),
        iss: iss.as_deref(),
        cookie: browser.cookie.as_deref(),
    };
    let body = match identity.return_from_journey(&site.tenant, &visitor(info), returned).await? {
        Ended::AtPage(page) => {
            let location = page.as_str().parse().map_err(Error::internal)?;
            return Ok((StatusCode::FOUND, HeaderMap::from_iter([(LOCATION, location)])).into_response());
        }
        Ended::Entered(entered) => JourneyEnded::entered(*entered),
        Ended::Linked(link) => JourneyEnded::linked(link),
    };
    let mut response = Answer::with_status(200, body).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie::clear(browser.is_secure())?);
    Ok(response)
}
