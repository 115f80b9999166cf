//! `POST /auth/clear-sessions`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visitor;
use crate::Identity;

/// Whose sessions shall end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClearSessions {
    /// The user's number.
    #[schema(example = 42)]
    user_id: i64,
}

/// Sessions have ended.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionsCleared {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// How many; 0 for a user without sessions and for one that does not exist.
    #[schema(example = 3)]
    #[serde(rename = "sessions_cleared")]
    cleared: usize,
    /// The user's number.
    #[schema(example = 42)]
    user_id: i64,
}

/// Ends all sessions of a user. The calling session stays alive.
///
/// Needs a power of `min_clear_sessions_power`, and reaches users of no more power than the caller, unless
/// `clear_sessions_any_power` is set.
#[utoipa::path(
    post,
    path = "/auth/clear-sessions",
    operation_id = "clear_sessions",
    request_body = ClearSessions,
    responses(
        (status = 200, body = SessionsCleared),
        (status = 400, body = edge::Envelope, description = "`field_missing`, `field_invalid`."),
        (status = 403, body = edge::Envelope, description = "`power_too_low`, `session_required`."),
    )
)]
pub(super) async fn clear_sessions(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(ClearSessions { user_id }): Json<ClearSessions>,
) -> edge::Result {
    let cleared = identity.clear_sessions(caller.tenant(), &visitor(info), caller.principal(), user_id).await?;
    Ok(Answer::with_status(200, SessionsCleared { success: true, cleared, user_id }))
}
