//! `GET /admin/groups/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Path};
use kernel::ability;

use super::OneGroup;
use crate::Identity;

/// A group of the tenant. Needs the ability `groups.read`.
#[utoipa::path(
    get,
    path = "/admin/groups/{id}",
    operation_id = "show_group",
    params(("id" = String, Path, description = "The group's name or number.")),
    responses(
        (status = 200, body = OneGroup),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
    )
)]
pub(super) async fn show_group(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
) -> edge::Result {
    caller.require(ability::GROUPS_READ)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    Ok(Answer::ok(OneGroup::new(identity.group(&open, &id).await?)))
}
