//! `GET /auth/link/{provider}`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use edge::{Answer, MaybeCaller, Path, Query, RequestInfo, Site};
use kernel::{Error, Reason, time::rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{super::visitor, asking, browser::Browser, cookie};
use crate::{Identity, links::Start};

/// How a journey begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Begin {
    /// The page that the browser comes back to. It finds `link_provider` with `link_code` or `link_error` in its fragment.
    redirect_to: Option<String>,
}

/// A journey has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct JourneyBegun {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The provider's page, to send the browser to.
    url: String,
    /// What the page must keep and send with the link code. No other page may see it.
    proof: String,
    /// Until when the journey can be ended, RFC 3339 in UTC.
    expires_at: String,
}

/// Sends the browser to an outside provider: to log in with an account there, or to link it to the caller.
///
/// A page asks with `Accept: application/json` and `redirect_to`, with its token where an account is to be linked, and
/// then goes to `url`. A browser that comes without a page is sent on at once, gets a cookie, and finds the session in the
/// callback's answer.
#[utoipa::path(
    get,
    path = "/auth/link/{provider}",
    operation_id = "begin_link",
    security((), ("bearer" = [])),
    params(("provider" = String, Path, description = "The provider's name."), Begin),
    responses(
        (status = 200, body = JourneyBegun),
        (status = 302, description = "The provider's page."),
        (status = 400, body = edge::Envelope,
            description = "`field_missing`, or `field_invalid` for a page that is not allowed."),
        (status = 404, body = edge::Envelope, description = "`provider_unknown`."),
        (status = 502, body = edge::Envelope, description = "`provider_unavailable`."),
    )
)]
pub(super) async fn begin(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    MaybeCaller(caller): MaybeCaller,
    Path(provider): Path<String>,
    Query(Begin { redirect_to }): Query<Begin>,
    browser: Browser,
    info: RequestInfo,
) -> edge::Result<Response> {
    let caller = asking(caller)?;
    // What follows a link in a browser brings no token.
    let by_page = caller.is_some() || browser.wants_json;
    match &redirect_to {
        None if by_page => {
            let message = "Name the page that the browser comes back to";
            return Err(Error::new(Reason::FieldMissing, message).at("redirect_to").into());
        }
        Some(_) if !by_page => {
            let message = "A journey back to a page is begun by that page, with Accept: application/json";
            return Err(Error::new(Reason::FieldInvalid, message).at("redirect_to").into());
        }
        _ => {}
    }
    let start = Start {
        provider: &provider,
        callback: browser.callback(&provider),
        page: redirect_to.as_deref(),
        caller: caller.as_ref(),
    };
    let begun = identity.begin_journey(&site.tenant, &visitor(info), start).await?;
    if by_page {
        let (proof, expires_at) = (begun.proof.expose().to_owned(), rfc3339(begun.expires_at));
        let body = JourneyBegun { success: true, url: begun.url.into(), proof, expires_at };
        return Ok(Answer::with_status(200, body).into_response());
    }
    let cookie = cookie::set(&begun.proof, browser.is_secure())?;
    let location = begun.url.as_str().parse().map_err(Error::internal)?;
    Ok((StatusCode::FOUND, HeaderMap::from_iter([(LOCATION, location), (SET_COOKIE, cookie)])).into_response())
}
