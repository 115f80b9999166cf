//! `GET /admin/users/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Path, Query};
use kernel::ability;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{OneUser, list::expands_profile, named};
use crate::Identity;

/// What to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ShowUser {
    /// `profile` for what the user tells others.
    expand: Option<String>,
}

/// A user of the tenant. Needs the ability `users.read`.
#[utoipa::path(
    get,
    path = "/admin/users/{id}",
    operation_id = "show_user",
    params(("id" = String, Path, description = "The user's id or number."), ShowUser),
    responses(
        (status = 200, body = OneUser),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
    )
)]
pub(super) async fn show_user(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ShowUser>,
) -> edge::Result {
    caller.require(ability::USERS_READ)?;
    let profile = expands_profile(query.expand.as_deref())?;
    let open = identity.tenants.open(caller.tenant()).await?;
    Ok(Answer::ok(OneUser::new(identity.user_record(&open, &named(&id), profile).await?)))
}
