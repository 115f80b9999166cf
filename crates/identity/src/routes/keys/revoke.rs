//! `DELETE /auth/keys/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};

use super::reachable;
use crate::{Identity, routes::visitor};

/// Revokes an API key at once: one of the caller's, or anybody's with the ability `keys.admin`. It stays in the lists.
#[utoipa::path(
    delete,
    path = "/auth/keys/{id}",
    operation_id = "revoke_key",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 204), (status = 404, body = edge::Envelope, description = "`not_found`."))
)]
pub(super) async fn revoke_key(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Path(id): Path<String>,
) -> edge::Result {
    let open = identity.tenants.open(caller.tenant()).await?;
    let principal = caller.principal();
    let (_, as_administrator) = reachable(&identity, &open, principal, &id).await?;
    if !as_administrator {
        let maker = identity.maker(&open, principal).await?;
        identity.own_key(&open, &maker, &id).await?;
    }
    identity.end_key(&open, &id, principal.user(), Some(&visitor(info))).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
