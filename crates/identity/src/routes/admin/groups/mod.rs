//! `/admin/groups`.

mod change;
mod create;
mod list;
mod remove;
mod show;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{GroupRecord, Identity};

pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(list::list_groups, create::create_group)).routes(routes!(
        show::show_group,
        change::change_group,
        remove::delete_group
    ))
}

/// A group: a role with a power, rules and limits.
#[derive(Serialize, ToSchema)]
struct AdminGroup {
    /// The group's number in the tenant.
    #[schema(example = 2)]
    id: i64,
    /// The name, unique in the tenant.
    #[schema(example = "users")]
    name: String,
    /// From 1, the weakest, to 100.
    #[schema(example = 10)]
    power: u8,
    /// What it is for.
    description: Option<String>,
    /// Whether every tenant begins with it; such a group keeps its name.
    built_in: bool,
    /// Table rules, `table:code`.
    #[schema(example = json!(["items:rwo"]))]
    basic_rules: Vec<String>,
    /// Column rules, `table.column:code`.
    #[schema(example = json!(["items.price:r"]))]
    advanced_rules: Vec<String>,
    /// Named rights beyond those that the power brings.
    abilities: Vec<String>,
    /// Rows that one select may return; null for the tenant's default, as in all limits.
    max_limit: Option<u64>,
    /// Conditions that one query may have.
    max_where_conditions: Option<u64>,
    /// Whether batches are allowed.
    allow_batch_operations: bool,
    /// Minutes without activity after which a session ends.
    session_timeout_minutes: Option<u64>,
    /// Sessions that a user may have at once.
    max_concurrent_sessions: Option<u64>,
    /// `read-own-only`, `read-write-own` or `read-write-all`.
    #[schema(example = "read-write-own")]
    user_settings_access: String,
}

impl From<GroupRecord> for AdminGroup {
    fn from(record: GroupRecord) -> Self {
        let built_in = record.is_built_in();
        let GroupRecord { group, description } = record;
        Self {
            id: group.id,
            name: group.name,
            power: group.power,
            description,
            built_in,
            basic_rules: group.basic_rules,
            advanced_rules: group.advanced_rules,
            abilities: group.abilities,
            max_limit: group.max_limit,
            max_where_conditions: group.max_where_conditions,
            allow_batch_operations: group.allow_batch_operations,
            session_timeout_minutes: group.session_timeout_minutes,
            max_concurrent_sessions: group.max_concurrent_sessions,
            user_settings_access: group.user_settings_access,
        }
    }
}

/// One group.
#[derive(Serialize, ToSchema)]
struct OneGroup {
    /// The group.
    group: AdminGroup,
}

impl OneGroup {
    fn new(record: GroupRecord) -> Self {
        Self { group: record.into() }
    }
}
