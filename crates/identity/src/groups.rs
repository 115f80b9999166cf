//! Groups: who may do what.

use std::sync::Arc;

use kernel::{
    Error, Group, Reason, Result, ability,
    settings::{self, SettingsAccess},
};
use store::{
    OpenTenant, Value,
    paging::{Found, KeyKind, Page, Sort},
};

use crate::{
    Actor, Identity,
    tables::{
        groups::{self, GroupLookup, Values},
        removal,
    },
};

const MAX_RULES: usize = 1_000;
const MAX_RULE_BYTES: usize = 200;
const MAX_DESCRIPTION: usize = 500;
const ANONYMOUS: &str = "anonymous";
const BUILT_IN: [&str; 5] = [ANONYMOUS, "users", "publishers", "moderators", "administrators"];

/// What changes of a group. What is absent stays as it is, or is the default in a new group.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    /// The group's name: 1 to 64 lower-case ASCII letters, digits, dots, underscores and hyphens, a letter first.
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

/// A group with what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The group.
    pub group: Group,
    /// What it is for.
    pub description: Option<String>,
}

impl GroupRecord {
    /// Whether every tenant begins with it. Such a group keeps its name.
    pub fn is_built_in(&self) -> bool {
        is_built_in(&self.group.name)
    }
}

/// What a list of groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupSort {
    Power,
    Name,
}

impl Sort for GroupSort {
    const ALL: &'static [(&'static str, Self)] = &[("power", Self::Power), ("name", Self::Name)];

    fn kind(self) -> KeyKind {
        match self {
            Self::Power => KeyKind::Number,
            Self::Name => KeyKind::Text,
        }
    }
}

impl Identity {
    /// All groups, the weakest first.
    pub async fn groups(&self, open: &OpenTenant) -> Result<Vec<Group>> {
        Ok(groups::list(&open.system).await?)
    }

    /// All groups with what they are for, the weakest first.
    pub async fn group_records(&self, open: &OpenTenant) -> Result<Vec<GroupRecord>> {
        let mut page = Page { sort: GroupSort::Power, descending: false, after: None, limit: 1_000 };
        let mut records = Vec::new();
        loop {
            let found = groups::page(&open.system, None, &page).await?;
            records.extend(found.rows);
            match found.next {
                Some(last) => page.after = Some(last),
                None => return Ok(records),
            }
        }
    }

    /// One page of groups, of those with a text in their names or descriptions where one is given.
    pub(crate) async fn group_page(
        &self,
        open: &OpenTenant,
        text: Option<&str>,
        page: &Page<GroupSort>,
    ) -> Result<Found<GroupRecord>> {
        Ok(groups::page(&open.system, text, page).await?)
    }

    /// A group by its name or id. Errors: 404.
    pub async fn group(&self, open: &OpenTenant, name: &str) -> Result<GroupRecord> {
        groups::record(&open.system, &lookup(name)).await?.ok_or_else(no_group)
    }

    /// Changes a group, or makes it where there is none of the name, for the operator.
    ///
    /// Errors: as [`Self::add_group`] and [`Self::change_group`].
    pub async fn save_group(&self, open: &OpenTenant, change: GroupChange) -> Result<Group> {
        let (actor, name) = (Actor::operator(), change.name.clone());
        let record = match groups::find(&open.system, &name).await? {
            Some(_) => self.change_group(open, &actor, &name, change).await?,
            None => self.add_group(open, &actor, change).await?,
        };
        Ok(record.group)
    }

    /// Makes a group, with no rights but those that the change gives it.
    ///
    /// Errors: 400 `field_invalid`, `field_missing`; 403 where the group would be beyond the actor; 409 `name_taken`.
    pub async fn add_group(&self, open: &OpenTenant, actor: &Actor, change: GroupChange) -> Result<GroupRecord> {
        let (name, fields) = (change.name.clone(), change.fields());
        let outcome = self.try_add_group(open, actor, change).await;
        actor.audit(&open.tenant, "group-create", if fits(&name) { &name } else { "" }, &fields, &outcome);
        outcome
    }

    async fn try_add_group(&self, open: &OpenTenant, actor: &Actor, change: GroupChange) -> Result<GroupRecord> {
        self.check_group(&change)?;
        if change.power.is_none() {
            return Err(Error::new(Reason::FieldMissing, "A new group needs a power from 1 to 100").at("power"));
        }
        let change_name = change.name.clone();
        let name = GroupLookup::Name(change_name.clone());
        let mut row = values(change);
        let given = |field: &str, row: &Values| row.iter().any(|(known, _)| *known == field);
        let access = self.settings.of(&open.tenant).await?.default_user_settings_access;
        let rest: Values = defaults(access).into_iter().filter(|(field, _)| !given(field, &row)).collect();
        row.extend(rest);
        row.push(("name", Value::from(change_name)));
        let (ddl, owned) = (open.system.ddl(), Arc::new((actor.clone(), self.free(open).await?, name.clone())));
        let added = open.system.transaction(&actor.context, move |transaction| {
            let (ddl, row, owned) = (ddl.clone(), row.clone(), Arc::clone(&owned));
            Box::pin(async move {
                let (actor, free, name) = &*owned;
                groups::add(transaction, &ddl, row).await?;
                let after = groups::find_in(transaction, &ddl, name).await?.ok_or_else(no_group)?;
                actor.require_reach(&after, free)?;
                Ok(require_rules(actor, &[], &after)?)
            })
        });
        added.await.map_err(name_taken)?;
        groups::record(&open.system, &name).await?.ok_or_else(no_group)
    }

    /// Changes a group of a name or id, all or nothing; a `name` that differs renames it. This process notices at once,
    /// others within five seconds.
    ///
    /// Errors: 400 `field_invalid`; 403 where the group is or would be beyond the actor; 404; 409 `name_taken`,
    /// `last_administrator`, and `in_use` where a group that is built in or given to whoever registers would be renamed.
    pub async fn change_group(
        &self,
        open: &OpenTenant,
        actor: &Actor,
        group: &str,
        change: GroupChange,
    ) -> Result<GroupRecord> {
        let fields = change.fields();
        let outcome = self.try_change_group(open, actor, group, change).await;
        actor.audit(&open.tenant, "group-change", if fits(group) { group } else { "" }, &fields, &outcome);
        outcome
    }

    async fn try_change_group(
        &self,
        open: &OpenTenant,
        actor: &Actor,
        group: &str,
        change: GroupChange,
    ) -> Result<GroupRecord> {
        self.check_group(&change)?;
        let known = self.group(open, group).await?.group;
        let (free, id) = (self.free(open).await?, known.id);
        let renames = change.name != known.name;
        if renames && (is_built_in(&known.name) || known.name == free) {
            let message = format!("The group {:?} keeps its name: settings and rules refer to it", known.name);
            return Err(Error::new(Reason::InUse, message).at("name"));
        }
        let mut row = values(change.clone());
        if renames {
            row.push(("name", Value::from(change.name)));
        }
        let (ddl, owned) = (open.system.ddl(), Arc::new((actor.clone(), free)));
        let changed = open.system.transaction(&actor.context, move |transaction| {
            let (ddl, row, owned) = (ddl.clone(), row.clone(), Arc::clone(&owned));
            Box::pin(async move {
                let ((actor, free), lookup) = (&*owned, GroupLookup::Id(id));
                removal::take_turns(transaction, &ddl).await?;
                let before = groups::find_in(transaction, &ddl, &lookup).await?.ok_or_else(no_group)?;
                actor.require_reach(&before, free)?;
                groups::set(transaction, &ddl, id, row).await?;
                let after = groups::find_in(transaction, &ddl, &lookup).await?.ok_or_else(no_group)?;
                actor.require_reach(&after, free)?;
                let rules = [before.basic_rules, before.advanced_rules].concat();
                require_rules(actor, &rules, &after)?;
                if before.power >= 100 && after.power < 100 && !actor.is_operator() {
                    let left = removal::take_turns(transaction, &ddl).await?;
                    removal::require_administrator(transaction, &ddl, left).await?;
                }
                Ok(())
            })
        });
        changed.await.map_err(name_taken)?;
        self.sessions.doubt(|principal| principal.group.id == id);
        // A key also depends on the group of its maker.
        self.keys.doubt(|_, _| true);
        groups::record(&open.system, &GroupLookup::Id(id)).await?.ok_or_else(no_group)
    }

    /// Removes a group of a name or id.
    ///
    /// Errors: 403 where it is beyond the actor; 404; 409 `in_use` where it has users or keys, is the actor's own, is given
    /// to whoever registers, or is `anonymous`.
    pub async fn remove_group(&self, open: &OpenTenant, actor: &Actor, group: &str) -> Result<()> {
        let outcome = self.try_remove_group(open, actor, group).await;
        actor.audit(&open.tenant, "group-delete", if fits(group) { group } else { "" }, &[], &outcome);
        outcome
    }

    async fn try_remove_group(&self, open: &OpenTenant, actor: &Actor, group: &str) -> Result<()> {
        let known = self.group(open, group).await?.group;
        let (free, id) = (self.free(open).await?, known.id);
        actor.require_reach(&known, &free)?;
        let why = if known.name == ANONYMOUS {
            Some("whoever shows a publishable key alone is in it")
        } else if known.name == free {
            Some("whoever registers gets into it; the setting default_group says so")
        } else if actor.is_in(id) {
            Some("it is your own")
        } else {
            None
        };
        if let Some(why) = why {
            return Err(Error::new(Reason::InUse, format!("The group {:?} cannot be deleted: {why}", known.name)));
        }
        let ddl = open.system.ddl();
        let removed = open.system.transaction(&actor.context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move { groups::remove(transaction, &ddl, id).await })
        });
        removed.await.map_err(|error| match error {
            store::Error::ForeignKey => {
                Error::new(Reason::InUse, "The group still has users; move them to another one first")
            }
            other => other.into(),
        })?;
        // Keys that acted as it act as nobody from now on.
        self.keys.doubt(|_, principal| principal.group.id == id);
        Ok(())
    }

    /// The group that anyone may join by registering.
    pub(crate) async fn free(&self, open: &OpenTenant) -> Result<String> {
        Ok(self.settings.of(&open.tenant).await?.default_group.clone())
    }

    fn check_group(&self, change: &GroupChange) -> Result<()> {
        check(change)?;
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        self.rules.check_rules(&list(&change.basic_rules), &list(&change.advanced_rules))
    }
}

/// The name of a group, or its id in digits.
fn lookup(name: &str) -> GroupLookup {
    name.parse().map_or_else(|_| GroupLookup::Name(name.to_owned()), GroupLookup::Id)
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

fn no_group() -> Error {
    Error::new(Reason::NotFound, "There is no such group")
}

fn name_taken(error: store::Error) -> Error {
    match error {
        store::Error::Unique(_) => Error::new(Reason::NameTaken, "There is a group of this name already").at("name"),
        other => other.into(),
    }
}

/// Who may not do everything opens no table of Insula's own: its rows decide who may do what.
fn require_rules(actor: &Actor, before: &[String], after: &Group) -> Result<()> {
    let is_system = |rule: &String| rule.starts_with('_') || rule.starts_with("jde_");
    let mut rules = after.basic_rules.iter().chain(&after.advanced_rules);
    if actor.power() < 100 && rules.any(|rule| is_system(rule) && !before.contains(rule)) {
        let message = "Rules for tables that begin with _ take a power of 100";
        return Err(Error::new(Reason::PowerTooLow, message).at("basic_rules"));
    }
    Ok(())
}

/// 1 to 64 lower-case letters, digits, dots, underscores and hyphens, with a letter first so that no name is an id.
fn fits(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

fn check(change: &GroupChange) -> Result<()> {
    let invalid = |field: &str, message: String| Err(Error::new(Reason::FieldInvalid, message).at(field));
    if !fits(&change.name) {
        let message = "A group's name has 1 to 64 of the lower-case letters a to z, digits, dots, underscores and hyphens, a \
             letter first";
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
    for (index, name) in change.abilities.iter().flatten().enumerate() {
        if ability::by_name(name).is_none() {
            return invalid(&format!("abilities[{index}]"), format!("There is no ability {name:?}"));
        }
    }
    let limits = [
        ("max_limit", change.max_limit, settings::MOST_ROWS),
        ("max_where_conditions", change.max_where_conditions, settings::MOST_CONDITIONS),
        ("session_timeout_minutes", change.session_timeout_minutes, settings::MOST_MINUTES),
        ("max_concurrent_sessions", change.max_concurrent_sessions, settings::MOST_SESSIONS),
    ];
    for (field, limit, most) in limits {
        if limit.is_some_and(|limit| limit > most) {
            return invalid(field, format!("At most {most} is kept"));
        }
    }
    if change.user_settings_access.as_deref().is_some_and(|access| !SettingsAccess::WORDS.contains(&access)) {
        return invalid("user_settings_access", format!("Expected one of {}", SettingsAccess::WORDS.join(", ")));
    }
    if change.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION || text.contains('\0')) {
        return invalid("description", format!("A description has at most {MAX_DESCRIPTION} characters"));
    }
    Ok(())
}

impl GroupChange {
    /// The names of what changes.
    fn fields(&self) -> Vec<&'static str> {
        values(self.clone()).into_iter().map(|(name, _)| name).collect()
    }
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
fn defaults(access: SettingsAccess) -> Values {
    vec![
        ("permissions", Value::from("[]")),
        ("advanced_rules", Value::from("[]")),
        ("abilities", Value::from("[]")),
        ("allow_batch_operations", Value::from(false)),
        ("user_settings_access", Value::from(access.word())),
    ]
}
