//! `POST /auth/logout`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, RequestInfo};
use serde::Serialize;
use utoipa::ToSchema;

use super::visitor;
use crate::Identity;

/// The session has ended.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedOut {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// For people.
    #[schema(example = "Logged out")]
    message: &'static str,
}

/// Ends the caller's session. A body is ignored.
#[utoipa::path(post, path = "/auth/logout", operation_id = "logout", responses((status = 200, body = LoggedOut)))]
pub(super) async fn logout(State(identity): State<Arc<Identity>>, caller: Caller, info: RequestInfo) -> edge::Result {
    identity.log_out(caller.tenant(), &visitor(info), caller.principal()).await?;
    Ok(Answer::with_status(200, LoggedOut { success: true, message: "Logged out" }))
}
