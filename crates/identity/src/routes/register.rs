//! `POST /auth/register`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, RequestInfo, Site};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{SessionBegun, visitor};
use crate::{Identity, NewUser};

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
}

/// Makes a user of the default group and begins a session.
#[utoipa::path(
    post,
    path = "/auth/register",
    operation_id = "register",
    security(()),
    request_body = Register,
    responses(
        (status = 201, body = SessionBegun),
        (status = 403, body = edge::Envelope, description = "`registration_closed`."),
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
    let new = NewUser {
        username: body.username,
        email: Some(body.email),
        name: body.name,
        password: Some(body.password),
        ..NewUser::default()
    };
    let entered = identity.register(&site.tenant, &visitor(info), new).await?;
    Ok(Answer::with_status(201, SessionBegun::new(entered)))
}
