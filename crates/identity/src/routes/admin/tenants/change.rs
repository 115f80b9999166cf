//! `PATCH /admin/tenants/{name}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::super::visitor, OneTenant, Status};
use crate::{Actor, Field, Identity, admin::TenantChange};

/// What changes of a tenant; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeTenant {
    /// Whether it answers.
    status: Option<Status>,
    /// The domain below which its hosts are; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    domain: Field<String>,
    /// Origins of web pages that may call it, in place of those before.
    cors_origins: Option<Vec<String>>,
}

/// Changes a tenant; other nodes notice within two seconds. Needs the ability `tenants.manage` in the first tenant.
#[utoipa::path(
    patch,
    path = "/admin/tenants/{name}",
    operation_id = "change_tenant",
    params(("name" = String, Path, description = "The tenant's name.")),
    request_body = ChangeTenant,
    responses(
        (status = 200, body = OneTenant),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope,
            description = "`name_taken` for the domain, `conflict` for suspending the first tenant."),
    )
)]
pub(super) async fn change_tenant(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(name): Path<String>,
    info: RequestInfo,
    Json(body): Json<ChangeTenant>,
) -> edge::Result {
    identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    let change =
        TenantChange { status: body.status.map(Into::into), domain: body.domain, cors_origins: body.cors_origins };
    let actor = Actor::caller(caller.principal(), &visitor(info));
    let changed = identity.change_tenant(caller.tenant(), &actor, &name, change).await?;
    Ok(Answer::ok(OneTenant::new(&changed, caller.tenant())))
}
