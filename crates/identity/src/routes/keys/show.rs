//! `GET /auth/keys/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Path};

use super::{OneKey, reachable};
use crate::Identity;

/// An API key of the caller's, or of anybody's with the ability `keys.admin`.
#[utoipa::path(
    get,
    path = "/auth/keys/{id}",
    operation_id = "show_key",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, body = OneKey), (status = 404, body = edge::Envelope, description = "`not_found`."))
)]
pub(super) async fn show_key(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
) -> edge::Result {
    let open = identity.tenants.open(caller.tenant()).await?;
    let (found, _) = reachable(&identity, &open, caller.principal(), &id).await?;
    Ok(Answer::ok(OneKey::new(found.key)))
}
