//! `POST /admin/groups`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::ability;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::super::visitor, OneGroup};
use crate::{Actor, GroupChange, Identity};

/// A group to be. What is absent is no right at all, or the tenant's default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateGroup {
    /// 1 to 64 of the lower-case letters a to z, digits, dots, underscores and hyphens, a letter first.
    #[schema(example = "editors")]
    name: String,
    /// From 1, the weakest, to 100; at most the caller's.
    #[schema(example = 50)]
    power: u8,
    /// What it is for.
    description: Option<String>,
    /// Table rules, `table:code`.
    #[schema(example = json!(["items:rw"]))]
    #[serde(default)]
    basic_rules: Vec<String>,
    /// Column rules, `table.column:code`.
    #[serde(default)]
    advanced_rules: Vec<String>,
    /// Named rights beyond those that the power brings; none that the caller lacks.
    #[serde(default)]
    abilities: Vec<String>,
    /// Rows that one select may return.
    max_limit: Option<u32>,
    /// Conditions that one query may have.
    max_where_conditions: Option<u32>,
    /// Whether batches are allowed.
    allow_batch_operations: Option<bool>,
    /// Minutes without activity after which a session ends.
    session_timeout_minutes: Option<u32>,
    /// Sessions that a user may have at once.
    max_concurrent_sessions: Option<u32>,
    /// `read-own-only`, `read-write-own` or `read-write-all`.
    user_settings_access: Option<String>,
}

impl From<CreateGroup> for GroupChange {
    fn from(body: CreateGroup) -> Self {
        Self {
            name: body.name,
            power: Some(body.power),
            basic_rules: Some(body.basic_rules),
            advanced_rules: Some(body.advanced_rules),
            abilities: Some(body.abilities),
            max_limit: body.max_limit,
            max_where_conditions: body.max_where_conditions,
            session_timeout_minutes: body.session_timeout_minutes,
            max_concurrent_sessions: body.max_concurrent_sessions,
            allow_batch_operations: body.allow_batch_operations,
            user_settings_access: body.user_settings_access,
            description: body.description,
        }
    }
}

/// Makes a group of at most the caller's power. Needs the ability `groups.manage`.
#[utoipa::path(
    post,
    path = "/admin/groups",
    operation_id = "create_group",
    request_body = CreateGroup,
    responses(
        (status = 201, body = OneGroup),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the group would be beyond the caller, \
                           `scope_missing`."),
        (status = 409, body = edge::Envelope, description = "`name_taken`."),
    )
)]
pub(super) async fn create_group(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<CreateGroup>,
) -> edge::Result {
    caller.require(ability::GROUPS_MANAGE)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    Ok(Answer::created(OneGroup::new(identity.add_group(&open, &actor, body.into()).await?)))
}
