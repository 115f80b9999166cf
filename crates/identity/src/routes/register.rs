//! `POST /auth/register`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, RequestInfo, Site};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{SessionBegun, accounts::Accepted, visitor};
use crate::{CaptchaAction, Identity, NewUser, accounts::Registered};

/// Who wants to become a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    /// 3 to 64 of the letters a to z, digits, dots, underscores and hyphens; unique in any case.
    #[schema(example = "jane")]
    username: String,
    /// An e-mail address; unique in any case.
    #[schema(example = "jane@example.com")]
    email: String,
    /// 8 to 128 characters, not among the commonest.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
    /// The name to show; the user name where absent.
    name: Option<String>,
    /// The answer of a captcha, where the tenant asks for one.
    captcha: Option<String>,
}

/// Makes a user of the default group and begins a session, unless the address must be confirmed first.
///
/// The answer is 202 then, whether or not the address was somebody's already.
#[utoipa::path(
    post,
    path = "/auth/register",
    operation_id = "register",
    security(()),
    request_body = Register,
    responses(
        (status = 201, body = SessionBegun),
        (status = 202, body = Accepted, description = "A letter to the address has the token that confirms it."),
        (status = 403, body = edge::Envelope, description = "`registration_closed`, `captcha_failed`."),
        (status = 409, body = edge::Envelope, description = "`username_taken`, `email_taken`."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`, `email_unfit`, `password_unfit`."),
    )
)]
pub(super) async fn register(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<Register>,
) -> edge::Result {
    identity.captcha(&site.tenant, CaptchaAction::Register, body.captcha.as_deref(), info.client).await?;
    let new = NewUser {
        username: body.username,
        email: Some(body.email),
        name: body.name,
        password: Some(body.password),
        ..NewUser::default()
    };
    Ok(match identity.register(&site.tenant, &visitor(info), new).await? {
        Registered::Entered(entered) => Answer::with_status(201, SessionBegun::new(*entered)),
        Registered::Unconfirmed => {
            Answer::with_status(202, Accepted::new("A letter is on its way; confirm the address, then log in"))
        }
    })
}
