//! `DELETE /auth/webhook-tokens/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};
use kernel::ability;
use uuid::Uuid;

use super::super::visitor;
use crate::Identity;

/// Revokes one of the caller's tokens for outside services at once.
#[utoipa::path(
    delete,
    path = "/auth/webhook-tokens/{id}",
    operation_id = "revoke_webhook_token",
    params(("id" = String, Path, format = "uuid", description = "The token's id.")),
    responses(
        (status = 204),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `session_required`."),
        (status = 404, body = edge::Envelope, description = "`not_found`, another user's token as well."),
    )
)]
pub(super) async fn revoke(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Path(id): Path<Uuid>,
) -> edge::Result {
    caller.principal().session()?;
    caller.require(ability::KEYS_MANAGE)?;
    identity.revoke_webhook_token(caller.tenant(), &visitor(info), caller.principal(), id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
