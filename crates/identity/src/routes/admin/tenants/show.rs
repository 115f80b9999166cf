//! `GET /admin/tenants/{name}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Path};

use super::OneTenant;
use crate::Identity;

/// A tenant. Needs the ability `tenants.manage` in the first tenant.
#[utoipa::path(
    get,
    path = "/admin/tenants/{name}",
    operation_id = "show_tenant",
    params(("name" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 200, body = OneTenant),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
    )
)]
pub(super) async fn show_tenant(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(name): Path<String>,
) -> edge::Result {
    identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    Ok(Answer::ok(OneTenant::new(&*identity.tenants.by_name(&name).await?, caller.tenant())))
}
