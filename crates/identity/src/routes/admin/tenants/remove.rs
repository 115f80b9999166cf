//! `DELETE /admin/tenants/{name}`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, OptionalJson, Path, Query, RequestInfo};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::super::visitor;
use crate::{Actor, Identity};

/// The name once more, in the query string or in the body.
#[derive(Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Confirm {
    /// The tenant's name once more.
    #[param(example = "shop")]
    #[schema(example = "shop")]
    confirm: Option<String>,
}

/// Removes a tenant for ever: first its key, then its data. An adopted database is left as it is. Needs the ability
/// `tenants.manage` in the first tenant.
#[utoipa::path(
    delete,
    path = "/admin/tenants/{name}",
    operation_id = "delete_tenant",
    params(("name" = String, Path, description = "The tenant's name."), Confirm),
    request_body = Option<Confirm>,
    responses(
        (status = 204, description = "The tenant is gone."),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope, description = "`conflict` for the first tenant."),
    )
)]
pub(super) async fn delete_tenant(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(name): Path<String>,
    info: RequestInfo,
    Query(query): Query<Confirm>,
    OptionalJson(body): OptionalJson<Confirm>,
) -> edge::Result {
    identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    let confirmed = query.confirm.or_else(|| body.and_then(|body| body.confirm));
    let actor = Actor::caller(caller.principal(), &visitor(info));
    identity.remove_tenant(caller.tenant(), &actor, &name, confirmed.as_deref()).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
