//! `DELETE /auth/sessions/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};
use uuid::Uuid;

use super::super::visitor;
use crate::Identity;

/// Ends one of the caller's sessions.
#[utoipa::path(
    delete,
    path = "/auth/sessions/{id}",
    operation_id = "end_session",
    params(("id" = String, Path, format = "uuid", description = "The session's id.")),
    responses(
        (status = 204),
        (status = 403, body = edge::Envelope, description = "`session_required`."),
        (status = 404, body = edge::Envelope, description = "`not_found`, another user's session as well."),
    )
)]
pub(super) async fn end(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Path(id): Path<Uuid>,
) -> edge::Result {
    identity.end_own_session(caller.tenant(), &visitor(info), caller.principal(), id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
