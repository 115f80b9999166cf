//! `PATCH /admin/groups/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo};
use kernel::ability;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::super::visitor, OneGroup};
use crate::{Actor, Field, GroupChange, Identity};

/// What changes of a group; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeGroup {
    /// Another name, which row rules in `rules.toml` do not follow. Built-in groups keep theirs.
    name: Option<String>,
    /// From 1, the weakest, to 100; at most the caller's.
    power: Option<u8>,
    /// What it is for.
    description: Option<String>,
    /// Table rules, `table:code`, in place of those before.
    basic_rules: Option<Vec<String>>,
    /// Column rules, `table.column:code`, in place of those before.
    advanced_rules: Option<Vec<String>>,
    /// Named rights in place of those before; none that the caller lacks.
    abilities: Option<Vec<String>>,
    /// Rows that one select may return; null for the tenant's default, as in all limits.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_limit: Field<u32>,
    /// Conditions that one query may have.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_where_conditions: Field<u32>,
    /// Whether batches are allowed.
    allow_batch_operations: Option<bool>,
    /// Minutes without activity after which a session ends.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    session_timeout_minutes: Field<u32>,
    /// Sessions that a user may have at once.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_concurrent_sessions: Field<u32>,
    /// `read-own-only`, `read-write-own` or `read-write-all`.
    user_settings_access: Option<String>,
}

impl ChangeGroup {
    fn of(self, known: String) -> GroupChange {
        // 0 stands for the tenant's default.
        let limit = |limit: Field<u32>| limit.sent().map(Option::unwrap_or_default);
        GroupChange {
            name: self.name.unwrap_or(known),
            power: self.power,
            basic_rules: self.basic_rules,
            advanced_rules: self.advanced_rules,
            abilities: self.abilities,
            max_limit: limit(self.max_limit),
            max_where_conditions: limit(self.max_where_conditions),
            session_timeout_minutes: limit(self.session_timeout_minutes),
            max_concurrent_sessions: limit(self.max_concurrent_sessions),
            allow_batch_operations: self.allow_batch_operations,
            user_settings_access: self.user_settings_access,
            description: self.description,
        }
    }
}

/// Changes a group of at most the caller's power, all or nothing. Needs the ability `groups.manage`.
#[utoipa::path(
    patch,
    path = "/admin/groups/{id}",
    operation_id = "change_group",
    params(("id" = String, Path, description = "The group's name or number.")),
    request_body = ChangeGroup,
    responses(
        (status = 200, body = OneGroup),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the group is or would be beyond the caller, \
                           `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope,
            description = "`name_taken`, `last_administrator`, `in_use` where the group keeps its name."),
    )
)]
pub(super) async fn change_group(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
    info: RequestInfo,
    Json(body): Json<ChangeGroup>,
) -> edge::Result {
    caller.require(ability::GROUPS_MANAGE)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let known = identity.group(&open, &id).await?.group;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    let changed = identity.change_group(&open, &actor, &id, body.of(known.name)).await?;
    Ok(Answer::ok(OneGroup::new(changed)))
}
