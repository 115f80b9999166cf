//! `/session` on `assets.` hosts: the cookie of a session.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header::SET_COOKIE},
    response::IntoResponse,
};
use edge::{Answer, Bearer, Caller, OwnOrigin, clear_cookie, set_cookie};
use kernel::time::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Account;
use crate::Identity;

/// The cookie is set.
#[derive(Serialize, ToSchema)]
pub(super) struct CookieSet {
    /// When it ends, if the session does not end before, RFC 3339 in UTC.
    expires_at: String,
}

/// Whose cookie it is.
#[derive(Serialize, ToSchema)]
pub(super) struct CookieOf {
    /// The user.
    user: Account,
}

/// Sets a cookie that reads on this host as long as the caller's session lives. Pages of other origins may do so if the
/// tenant lists them.
#[utoipa::path(
    post,
    path = "/session",
    operation_id = "set_cookie",
    responses(
        (status = 200, body = CookieSet),
        (status = 403, body = edge::Envelope, description = "`origin_not_allowed`, `session_required`."),
    )
)]
pub(super) async fn set(
    State(identity): State<Arc<Identity>>,
    _: OwnOrigin,
    Bearer(caller): Bearer,
) -> edge::Result<impl IntoResponse> {
    let cookie = identity.cookie(&caller.tenant, &caller.principal).await?;
    let line = set_cookie(&cookie.token, cookie.seconds)?;
    Ok(([(SET_COOKIE, line)], Answer::ok(CookieSet { expires_at: rfc3339(cookie.expires_at) })))
}

/// Who the cookie stands for.
#[utoipa::path(
    get,
    path = "/session",
    operation_id = "who_by_cookie",
    security(("cookie" = [])),
    responses((status = 200, body = CookieOf))
)]
pub(super) async fn who(caller: Caller) -> edge::Result {
    Ok(Answer::ok(CookieOf { user: Account::of_principal(caller.principal()) }))
}

/// Makes the browser forget the cookie. The session lives on.
#[utoipa::path(
    delete,
    path = "/session",
    operation_id = "clear_cookie",
    security(()),
    responses((status = 204), (status = 403, body = edge::Envelope, description = "`origin_not_allowed`."))
)]
pub(super) async fn clear(_: OwnOrigin) -> edge::Result<impl IntoResponse> {
    Ok(([(SET_COOKIE, clear_cookie()?)], Answer::empty(StatusCode::NO_CONTENT)))
}
