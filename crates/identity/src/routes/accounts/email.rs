//! `/auth/email/…`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Json, MaybeCaller, OptionalJson, RequestInfo, Site};
use kernel::{Error, Reason, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Accepted;
use crate::{CaptchaAction, Identity, routes::visitor};

/// The token of a letter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    /// The token in the letter's link.
    #[schema(value_type = String)]
    token: Secret,
}

/// Who wants another letter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resend {
    /// The address to be confirmed; the caller's own where absent.
    #[schema(example = "jane@example.com")]
    email: Option<String>,
    /// The answer of a captcha, where the tenant asks for one.
    captcha: Option<String>,
}

/// Another address for the account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeEmail {
    /// The new address.
    #[schema(example = "jane@example.com")]
    email: String,
    /// The password; users who have none leave it out.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
}

/// Confirms an address by the token of a letter.
#[utoipa::path(
    post,
    path = "/auth/email/verify",
    operation_id = "verify_email",
    security(()),
    request_body = Verify,
    responses(
        (status = 204),
        (status = 409, body = edge::Envelope, description = "`email_taken`."),
        (status = 410, body = edge::Envelope, description = "`token_spent`."),
    )
)]
pub(super) async fn verify_email(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<Verify>,
) -> edge::Result {
    identity.verify_email(&site.tenant, &visitor(info), &body.token).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Asks for another letter that confirms an address: any, or with a session the caller's own. The answer is the same
/// whether anybody has to confirm it.
#[utoipa::path(
    post,
    path = "/auth/email/resend",
    operation_id = "resend_confirmation",
    security((), ("bearer" = [])),
    request_body = Resend,
    responses(
        (status = 202, body = Accepted),
        (status = 403, body = edge::Envelope, description = "`captcha_failed`."),
        (status = 422, body = edge::Envelope, description = "`email_unfit`."),
    )
)]
pub(super) async fn resend_confirmation(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    MaybeCaller(caller): MaybeCaller,
    info: RequestInfo,
    OptionalJson(body): OptionalJson<Resend>,
) -> edge::Result {
    let accepted = Accepted::new("If the address waits to be confirmed, a letter is on its way");
    let Resend { email, captcha } = body.unwrap_or(Resend { email: None, captcha: None });
    if let Some(email) = email {
        identity.captcha(&site.tenant, CaptchaAction::Forgot, captcha.as_deref(), info.client).await?;
        identity.resend_confirmation(&site.tenant, &visitor(info), &email).await?;
        return Ok(Answer::with_status(202, accepted));
    }
    let missing = || Error::new(Reason::FieldMissing, "There is no e-mail address to confirm").at("email");
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) if error.reason == Reason::NoToken => return Err(missing().into()),
        Err(error) => return Err(error.into()),
    };
    caller.principal.session()?;
    let email = caller.principal.email.as_deref().ok_or_else(missing)?;
    identity.resend_confirmation(&caller.tenant, &visitor(info), email).await?;
    Ok(Answer::with_status(202, accepted))
}

/// Begins to change the caller's address: a letter to the new one has the token that does it.
#[utoipa::path(
    post,
    path = "/auth/email/change",
    operation_id = "change_email",
    request_body = ChangeEmail,
    responses(
        (status = 202, body = Accepted),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`."),
        (status = 403, body = edge::Envelope, description = "`session_required`, `login_too_old`."),
        (status = 422, body = edge::Envelope, description = "`email_unfit`."),
    )
)]
pub(super) async fn change_email(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<ChangeEmail>,
) -> edge::Result {
    let ChangeEmail { email, password } = body;
    let (tenant, principal) = (caller.tenant(), caller.principal());
    identity.change_email(tenant, &visitor(info), principal, &email, password.as_ref()).await?;
    Ok(Answer::with_status(202, Accepted::new("A letter to the new address is on its way")))
}
