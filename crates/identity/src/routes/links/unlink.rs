//! `DELETE /auth/link/{provider}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};

use super::super::visitor;
use crate::Identity;

/// Removes the link to the caller's account at a provider. Sessions that began with it go on.
#[utoipa::path(
    delete,
    path = "/auth/link/{provider}",
    operation_id = "unlink",
    params(("provider" = String, Path, description = "The provider's name.")),
    responses(
        (status = 204, description = "The link is gone."),
        (status = 403, body = edge::Envelope, description = "`session_required`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope, description = "`last_credential`."),
    )
)]
pub(super) async fn unlink(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(provider): Path<String>,
    info: RequestInfo,
) -> edge::Result {
    identity.unlink(caller.tenant(), &visitor(info), caller.principal(), &provider).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
