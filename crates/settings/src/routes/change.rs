//! `PUT /admin/settings/{setting}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo, Result};
use kernel::{Error, Reason, ability};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Doors, author};

/// What the table shall say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSetting {
    /// The value, of the setting's type and in its unit.
    #[schema(value_type = Object)]
    value: serde_json::Value,
    /// What it is for; stays as it is where absent, goes where empty.
    description: Option<String>,
}

/// Keeps a value in the tenant's database; it is in force in this process at once, in others after `POST /reload`.
///
/// Limits on the rate are kept in the first tenant alone and read at the start. Needs the ability `settings.manage`.
#[utoipa::path(
    put,
    path = "/admin/settings/{setting}",
    operation_id = "change_setting",
    params(("setting" = String, Path, description = "The setting's name.")),
    request_body = ChangeSetting,
    responses(
        (status = 200, body = crate::Shown),
        (status = 400, body = edge::Envelope, description = "`field_invalid`, `field_missing`."),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
    )
)]
pub(super) async fn change(
    State(doors): State<Arc<Doors>>,
    caller: Caller,
    Path(setting): Path<String>,
    info: RequestInfo,
    Json(ChangeSetting { value, description }): Json<ChangeSetting>,
) -> Result<Answer> {
    caller.require(ability::SETTINGS_MANAGE)?;
    doors.settings.set(&author(&caller, &info), caller.tenant(), &setting, value, description).await?;
    let shown = doors.settings.shown(caller.tenant(), &*doors.file).await?;
    let shown = shown.into_iter().find(|shown| shown.setting == setting);
    Ok(Answer::ok(shown.ok_or_else(|| Error::plain(Reason::NotFound))?))
}
