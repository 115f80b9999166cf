//! `POST /auth/upgrade`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CaptchaAction, Identity, NewUser,
    routes::{Account, visitor},
};

/// Who the caller wants to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upgrade {
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
    /// The answer of a captcha, where the tenant asks for one to register.
    captcha: Option<String>,
}

/// The caller is a registered user.
#[derive(Serialize, ToSchema)]
struct Upgraded {
    /// The same user under the new name, in the group of whoever registers.
    user: Account,
}

/// Makes a registered user of the caller, who is an anonymous one. Id, data and session stay.
#[utoipa::path(
    post,
    path = "/auth/upgrade",
    operation_id = "upgrade",
    request_body = Upgrade,
    responses(
        (status = 200, body = Upgraded),
        (status = 403, body = edge::Envelope, description = "`registration_closed`, `captcha_failed`."),
        (status = 409, body = edge::Envelope, description = "`not_anonymous`, `username_taken`, `email_taken`."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`, `email_unfit`, `password_unfit`."),
    )
)]
pub(super) async fn upgrade(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<Upgrade>,
) -> edge::Result {
    caller.principal().session()?;
    identity.captcha(caller.tenant(), CaptchaAction::Register, body.captcha.as_deref(), info.client).await?;
    let new = NewUser {
        username: body.username,
        email: Some(body.email),
        name: body.name,
        password: Some(body.password),
        ..NewUser::default()
    };
    let user = identity.upgrade(caller.tenant(), &visitor(info), caller.principal(), new).await?;
    Ok(Answer::ok(Upgraded { user: Account::new(&user) }))
}
