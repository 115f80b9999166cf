//! `/admin/toolkits`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo};
use kernel::{WriteContext, ability};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Service,
    admin::{AssociationShown, Remaining, Steward, ToolkitsShown},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list_toolkits))
        .routes(routes!(associate, dissociate))
        .layer(axum::middleware::from_fn(edge::tell_if_cut_off))
}

fn context(caller: &Caller, info: &RequestInfo) -> WriteContext {
    WriteContext::of_request(caller.principal().user(), info.id)
}

/// The toolkits of the tenant, with their groups, associations, endpoints and schedules. Needs the ability `groups.read`.
#[utoipa::path(
    get,
    path = "/admin/toolkits",
    operation_id = "list_toolkits",
    responses(
        (status = 200, body = ToolkitsShown),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
async fn list_toolkits(State(service): State<Arc<Service>>, caller: Caller) -> edge::Result {
    caller.require(ability::GROUPS_READ)?;
    Ok(Answer::ok(service.list(caller.tenant()).await?))
}

/// Where the users of a group shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Associate {
    /// The group of the toolkit.
    #[schema(example = "staff")]
    toolkit_group: String,
}

/// One association.
#[derive(Serialize, ToSchema)]
struct OneAssociation {
    /// The association.
    association: AssociationShown,
}

/// What is left.
#[derive(Serialize, ToSchema)]
struct Dissociated {
    /// The place of the group's users from now on.
    remaining: Remaining,
}

/// Puts the users of a group of the tenant into a group of a toolkit. Needs the ability `groups.manage`.
#[utoipa::path(
    put,
    path = "/admin/toolkits/{toolkit}/associations/{group}",
    operation_id = "associate_toolkit",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("group" = String, Path, description = "The name or number of a group of the tenant."),
    ),
    request_body = Associate,
    responses(
        (status = 200, body = OneAssociation),
        (status = 400, body = edge::Envelope, description = "`field_invalid` where the toolkit has no such group."),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` where the group is beyond the caller, or a caller of less than power 100 \
                           does not have the place; `ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`toolkit_unknown`, `not_found`."),
    )
)]
async fn associate(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path((toolkit, group)): Path<(String, String)>,
    info: RequestInfo,
    Json(body): Json<Associate>,
) -> edge::Result {
    caller.require(ability::GROUPS_MANAGE)?;
    let context = context(&caller, &info);
    let steward = Steward { caller: Some(caller.principal()), client: Some(info.client), context: &context };
    let association = service.associate(caller.tenant(), &steward, &toolkit, &group, &body.toolkit_group).await?;
    Ok(Answer::ok(OneAssociation { association }))
}

/// Takes back that the users of a group of the tenant were put into a group of a toolkit, and tells the place that its file
/// or their power leaves to them. Needs the ability `groups.manage`.
#[utoipa::path(
    delete,
    path = "/admin/toolkits/{toolkit}/associations/{group}",
    operation_id = "dissociate_toolkit",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("group" = String, Path, description = "The name or number of a group of the tenant."),
    ),
    responses(
        (status = 200, body = Dissociated),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` where the group is beyond the caller, or a caller of less than power 100 \
                           does not have the place that is left; `ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
    )
)]
async fn dissociate(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path((toolkit, group)): Path<(String, String)>,
    info: RequestInfo,
) -> edge::Result {
    caller.require(ability::GROUPS_MANAGE)?;
    let context = context(&caller, &info);
    let steward = Steward { caller: Some(caller.principal()), client: Some(info.client), context: &context };
    let remaining = service.dissociate(caller.tenant(), &steward, &toolkit, &group).await?;
    Ok(Answer::ok(Dissociated { remaining }))
}
