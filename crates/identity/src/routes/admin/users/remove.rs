//! `DELETE /admin/users/{id}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Path, RequestInfo};
use kernel::ability;

use super::{super::super::visitor, named};
use crate::{Actor, Identity};

/// Removes a user of at most the caller's power, with sessions, keys and all that is the user's. Needs the ability
/// `users.manage`.
#[utoipa::path(
    delete,
    path = "/admin/users/{id}",
    operation_id = "delete_user",
    params(("id" = String, Path, description = "The user's id or number.")),
    responses(
        (status = 204, description = "The user is gone."),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the user is beyond the caller, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope, description = "`last_administrator`, `conflict` for oneself."),
    )
)]
pub(super) async fn delete_user(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
    info: RequestInfo,
) -> edge::Result {
    caller.require(ability::USERS_MANAGE)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let known = identity.user_record(&open, &named(&id), false).await?.user;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    identity.remove_user(&open, &actor, known.id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
