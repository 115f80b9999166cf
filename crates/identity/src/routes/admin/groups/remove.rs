//! `DELETE /admin/groups/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};
use kernel::ability;

use super::super::super::visitor;
use crate::{Actor, Identity};

/// Removes a group that nobody is in. Needs the ability `groups.manage`.
#[utoipa::path(
    delete,
    path = "/admin/groups/{id}",
    operation_id = "delete_group",
    params(("id" = String, Path, description = "The group's name or number.")),
    responses(
        (status = 204, description = "The group is gone."),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the group is beyond the caller, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope,
            description = "`in_use` where it has users or keys, is the caller's own, `anonymous`, or the group of whoever \
                           registers."),
    )
)]
pub(super) async fn delete_group(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
    info: RequestInfo,
) -> edge::Result {
    caller.require(ability::GROUPS_MANAGE)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    identity.remove_group(&open, &actor, &id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
