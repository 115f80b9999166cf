//! `DELETE /admin/settings/{setting}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Path, RequestInfo, Result};
use http::StatusCode;
use kernel::ability;

use super::{Doors, author};

/// Forgets what the tenant's database says of a setting, so that the files decide again.
///
/// Needs the ability `settings.manage`.
#[utoipa::path(
    delete,
    path = "/admin/settings/{setting}",
    operation_id = "remove_setting",
    params(("setting" = String, Path, description = "The setting's name.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`: the table says nothing of it."),
    )
)]
pub(super) async fn remove(
    State(doors): State<Arc<Doors>>,
    caller: Caller,
    Path(setting): Path<String>,
    info: RequestInfo,
) -> Result<Answer> {
    caller.require(ability::SETTINGS_MANAGE)?;
    doors.settings.unset(&author(&caller, &info), caller.tenant(), &setting).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
