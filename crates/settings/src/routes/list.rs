//! `GET /admin/settings`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Result};
use kernel::ability;
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;
use crate::Shown;

/// All settings.
#[derive(Serialize, ToSchema)]
pub(super) struct AllSettings {
    /// The settings, in a fixed order.
    settings: Vec<Shown>,
}

/// The settings that the tenant may keep in its database: what is in force and where it comes from.
///
/// Needs the ability `settings.manage`.
#[utoipa::path(
    get,
    path = "/admin/settings",
    operation_id = "list_settings",
    responses(
        (status = 200, body = AllSettings),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list(State(doors): State<Arc<Doors>>, caller: Caller) -> Result<Answer> {
    caller.require(ability::SETTINGS_MANAGE)?;
    let settings = doors.settings.shown(caller.tenant(), &*doors.file).await?;
    Ok(Answer::ok(AllSettings { settings }))
}
