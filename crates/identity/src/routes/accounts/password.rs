//! `/auth/password/…`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Json, RequestInfo, Site};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Accepted;
use crate::{CaptchaAction, Identity, routes::visitor};

/// Who has forgotten the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgot {
    /// The e-mail address of the account.
    #[schema(example = "jane@example.com")]
    email: String,
    /// The answer of a captcha, where the tenant asks for one.
    captcha: Option<String>,
}

/// The token of a letter, and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    /// The token in the letter's link.
    #[schema(value_type = String)]
    token: Secret,
    /// 8 to 128 characters, not among the commonest.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    /// The password as it is; users who have none leave it out. `old_password` is taken as well.
    #[serde(alias = "old_password")]
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret>,
    /// 8 to 128 characters, not among the commonest.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
}

/// Asks for a letter by which to set another password. The answer is the same whether anybody has the address.
#[utoipa::path(
    post,
    path = "/auth/password/forgot",
    operation_id = "forgot_password",
    security(()),
    request_body = Forgot,
    responses(
        (status = 202, body = Accepted),
        (status = 403, body = edge::Envelope, description = "`captcha_failed`."),
        (status = 422, body = edge::Envelope, description = "`email_unfit`."),
    )
)]
pub(super) async fn forgot_password(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<Forgot>,
) -> edge::Result {
    identity.captcha(&site.tenant, CaptchaAction::Forgot, body.captcha.as_deref(), info.client).await?;
    identity.forgot_password(&site.tenant, &visitor(info), &body.email).await?;
    let accepted = Accepted::new("If the address belongs to an account, a letter is on its way");
    Ok(Answer::with_status(202, accepted))
}

/// Sets another password by the token of a letter, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/auth/password/reset",
    operation_id = "reset_password",
    security(()),
    request_body = Reset,
    responses(
        (status = 204),
        (status = 410, body = edge::Envelope, description = "`token_spent`."),
        (status = 422, body = edge::Envelope, description = "`password_unfit`; the token is still good."),
    )
)]
pub(super) async fn reset_password(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<Reset>,
) -> edge::Result {
    identity.reset_password(&site.tenant, &visitor(info), &body.token, &body.password).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Changes the caller's password, and ends the other sessions.
#[utoipa::path(
    post,
    path = "/auth/password/change",
    operation_id = "change_password",
    request_body = ChangePassword,
    responses(
        (status = 204),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`."),
        (status = 403, body = edge::Envelope, description = "`session_required`, `login_too_old`."),
        (status = 422, body = edge::Envelope, description = "`password_unfit`."),
    )
)]
pub(super) async fn change_password(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<ChangePassword>,
) -> edge::Result {
    let ChangePassword { current_password, password } = body;
    let (tenant, principal) = (caller.tenant(), caller.principal());
    identity.change_password(tenant, &visitor(info), principal, current_password.as_ref(), &password).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
