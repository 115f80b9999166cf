//! Groups: who may do what.

use kernel::{Error, Group, Reason, Result};
use store::{OpenTenant, Value};

use crate::{
    Identity,
    tables::groups::{self, Values},
};

const MAX_RULES: usize = 1_000;
const MAX_RULE_BYTES: usize = 200;
const MAX_DESCRIPTION: usize = 500;
const SETTINGS_ACCESS: [&str; 3] = ["read-own-only", "read-write-own", "read-write-all"];

/// What changes of a group. What is absent stays as it is, or is the default in a new group.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    /// The group's name: 1 to 64 lower-case ASCII letters, digits, dots, underscores and hyphens.
    pub name: String,
    /// From 1 to 100; a new group needs it.
    pub power: Option<u8>,
    /// Table rules, `table:code`.
    pub basic_rules: Option<Vec<String>>,
    /// Column rules, `table.column:code`.
    pub advanced_rules: Option<Vec<String>>,
    /// Named rights beyond those that the power brings.
    pub abilities: Option<Vec<String>>,
    /// Rows that one select may return; 0 for the tenant's default.
    pub max_limit: Option<u32>,
    /// Conditions that one query may have; 0 for the tenant's default.
    pub max_where_conditions: Option<u32>,
    /// Minutes without activity after which a session ends; 0 for the tenant's default.
    pub session_timeout_minutes: Option<u32>,
    /// Sessions that a user may have at once; 0 for the tenant's default.
    pub max_concurrent_sessions: Option<u32>,
    /// Whether batches are allowed.
    pub allow_batch_operations: Option<bool>,
    /// `read-own-only`, `read-write-own` or `read-write-all`.
    pub user_settings_access: Option<String>,
    /// What the group is for.
    pub description: Option<String>,
}

impl Identity {
    /// All groups, the weakest first.
    pub async fn groups(&self, open: &OpenTenant) -> Result<Vec<Group>> {
        Ok(groups::list(&open.system).await?)
    }

    /// Changes a group, or makes it where there is none of the name. Other processes notice within five seconds.
    ///
    /// Errors: 400 `field_invalid`, and `field_missing` where a new group has no power.
    pub async fn save_group(&self, open: &OpenTenant, change: GroupChange) -> Result<Group> {
        check(&change)?;
        let name = change.name.clone();
        if change.power.is_none() && groups::find(&open.system, &name).await?.is_none() {
            return Err(Error::new(Reason::FieldMissing, "A new group needs a power from 1 to 100").at("power"));
        }
        groups::save(&open.system, name.clone(), values(change), defaults()).await?;
        let gone = || Error::new(Reason::NotFound, format!("There is no group {name:?}"));
        let group = groups::find(&open.system, &name).await?.ok_or_else(gone)?;
        self.sessions.doubt(|principal| principal.group.id == group.id);
        // A key also depends on the group of its maker.
        self.keys.doubt(|_, _| true);
        Ok(group)
    }

    /// Removes a group. Errors: 404; 409 `conflict` where it still has users.
    pub async fn remove_group(&self, open: &OpenTenant, name: &str) -> Result<()> {
        match groups::remove(&open.system, name.to_owned()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::new(Reason::NotFound, format!("There is no group {name:?}"))),
            Err(store::Error::ForeignKey) => {
                Err(Error::new(Reason::Conflict, "The group still has users; move them to another one first"))
            }
            Err(other) => Err(other.into()),
        }
    }
}

fn check(change: &GroupChange) -> Result<()> {
    let invalid = |field: &str, message: String| Err(Error::new(Reason::FieldInvalid, message).at(field));
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if !(1..=64).contains(&change.name.len()) || !change.name.bytes().all(allowed) {
        let message =
            "A group's name has 1 to 64 of the lower-case letters a to z, digits, dots, underscores and hyphens";
        return invalid("name", message.to_owned());
    }
    if change.power.is_some_and(|power| !(1..=100).contains(&power)) {
        return invalid("power", "A power is a whole number from 1 to 100".to_owned());
    }
    let lists = [
        ("basic_rules", &change.basic_rules),
        ("advanced_rules", &change.advanced_rules),
        ("abilities", &change.abilities),
    ];
    for (field, list) in lists {
        let list = list.as_deref().unwrap_or_default();
        if list.len() > MAX_RULES || list.iter().any(|rule| rule.is_empty() || rule.len() > MAX_RULE_BYTES) {
            return invalid(field, format!("At most {MAX_RULES} entries of 1 to {MAX_RULE_BYTES} bytes are kept"));
        }
    }
    if change.user_settings_access.as_deref().is_some_and(|access| !SETTINGS_ACCESS.contains(&access)) {
        return invalid("user_settings_access", format!("Expected one of {}", SETTINGS_ACCESS.join(", ")));
    }
    if change.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION || text.contains('\0')) {
        return invalid("description", format!("A description has at most {MAX_DESCRIPTION} characters"));
    }
    Ok(())
}

fn values(change: GroupChange) -> Values {
    let list = |list: Option<Vec<String>>| list.map(|list| Value::Text(serde_json::json!(list).to_string()));
    let limit = |limit: Option<u32>| limit.map(|limit| Value::from((limit > 0).then_some(i64::from(limit))));
    let columns = [
        ("power", change.power.map(|power| Value::from(i64::from(power)))),
        ("permissions", list(change.basic_rules)),
        ("advanced_rules", list(change.advanced_rules)),
        ("abilities", list(change.abilities)),
        ("max_limit", limit(change.max_limit)),
        ("max_where_conditions", limit(change.max_where_conditions)),
        ("session_timeout_minutes", limit(change.session_timeout_minutes)),
        ("max_concurrent_sessions", limit(change.max_concurrent_sessions)),
        ("allow_batch_operations", change.allow_batch_operations.map(Value::from)),
        ("user_settings_access", change.user_settings_access.map(Value::from)),
        ("description", change.description.map(Value::from)),
    ];
    columns.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What a new group has unless it is said otherwise: no rights at all.
fn defaults() -> Values {
    vec![
        ("permissions", Value::from("[]")),
        ("advanced_rules", Value::from("[]")),
        ("abilities", Value::from("[]")),
        ("allow_batch_operations", Value::from(false)),
        ("user_settings_access", Value::from("read-write-own")),
    ]
}
