//! What SeckelAPI's files say of groups. Insula's groups are in the tenants' databases, so it becomes commands.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use toml_edit::{Item, TableLike, Value};

/// The groups that every tenant begins with.
const BUILT_IN: [(&str, u8); 5] =
    [("anonymous", 1), ("users", 10), ("publishers", 40), ("moderators", 70), ("administrators", 100)];

/// Fields of groups: SeckelAPI's name and the flag of `insula group set`.
const FIELDS: [(&str, &str); 8] = [
    ("basic_rules", "--rule"),
    ("advanced_rules", "--column-rule"),
    ("max_limit", "--max-limit"),
    ("max_where_conditions", "--max-conditions"),
    ("allow_batch_operations", "--batch"),
    ("session_timeout_minutes", "--session-timeout-minutes"),
    ("max_concurrent_sessions", "--max-concurrent-sessions"),
    ("user_settings_access", "--settings-access"),
];

/// What is known of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// Its power, where the files say it.
    pub power: Option<u8>,
    /// Table rules, `table:code`.
    pub rules: Vec<String>,
    /// Column rules, `table.column:code`.
    pub column_rules: Vec<String>,
    /// Further flags of `insula group set` with their values.
    pub flags: BTreeMap<&'static str, String>,
}

impl GroupPlan {
    /// The command that makes the group as the files have it.
    pub fn command(&self, tenant: Option<&str>) -> String {
        let mut command = format!("insula group set {}", quoted(&self.name));
        let mut flag = |name: &str, value: &str| {
            let _ = write!(command, " {name} {}", quoted(value));
        };
        if let Some(tenant) = tenant {
            flag("--tenant", tenant);
        }
        self.power.iter().for_each(|power| flag("--power", &power.to_string()));
        self.rules.iter().for_each(|rule| flag("--rule", rule));
        self.column_rules.iter().for_each(|rule| flag("--column-rule", rule));
        self.flags.iter().for_each(|(name, value)| flag(name, value));
        if !self.rules.is_empty() || !self.column_rules.is_empty() {
            command.push_str(" --replace");
        }
        command
    }
}

/// A word of a shell's command.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Whether a name is that of a field of groups.
pub(crate) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(theirs, _)| *theirs == name)
}

/// Whether a table is a group: it has rules, or fields of a group and a power, which may be what it is called by.
pub(crate) fn is_group(name: &str, table: &dyn TableLike) -> bool {
    let has_rules = ["basic_rules", "advanced_rules"].iter().any(|key| table.get(key).is_some_and(Item::is_array));
    let has_fields = table.iter().any(|(key, item)| is_field(key) && is_plain(item));
    let has_power = power(name).is_some() || table.get("power").is_some_and(Item::is_integer);
    has_rules || (has_power && has_fields)
}

fn is_plain(item: &Item) -> bool {
    item.is_value() && !item.is_inline_table()
}

fn power(name: &str) -> Option<u8> {
    name.parse().ok().filter(|power| (1..=100).contains(power))
}

/// All groups that the files speak of, in the order of their first mention.
#[derive(Default)]
pub(crate) struct Groups(pub(crate) Vec<GroupPlan>);

impl Groups {
    /// Takes a field of a group. The error says what was expected.
    pub(crate) fn set(&mut self, group: &str, field: &str, item: &Item) -> Result<(), &'static str> {
        let Some((_, flag)) = FIELDS.iter().find(|(theirs, _)| *theirs == field) else {
            if field == "power" {
                let power = item.as_integer().and_then(|power| u8::try_from(power).ok());
                let power = power.filter(|power| (1..=100).contains(power)).ok_or("expected a power from 1 to 100")?;
                self.plan(group).power = Some(power);
            }
            return Ok(());
        };
        let flags = |value: String, groups: &mut Self| drop(groups.plan(group).flags.insert(flag, value));
        match field {
            "basic_rules" | "advanced_rules" => {
                let rules = item.as_array().map(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
                let rules = rules.flatten().ok_or("expected a list of rules")?;
                let plan = self.plan(group);
                let list = if field == "basic_rules" { &mut plan.rules } else { &mut plan.column_rules };
                list.extend(rules.into_iter().map(str::to_owned));
            }
            "allow_batch_operations" => flags(item.as_bool().ok_or("expected true or false")?.to_string(), self),
            "user_settings_access" => {
                let word =
                    item.as_str().filter(|word| matches!(*word, "read-own-only" | "read-write-own" | "read-write-all"));
                flags(word.ok_or("expected read-own-only, read-write-own or read-write-all")?.to_owned(), self);
            }
            _ => {
                let number = item.as_integer().and_then(|number| u32::try_from(number).ok());
                flags(number.ok_or("expected a whole number")?.to_string(), self);
            }
        }
        Ok(())
    }

    fn plan(&mut self, group: &str) -> &mut GroupPlan {
        let power = power(group);
        let built_in = BUILT_IN.iter().find(|(_, known)| Some(*known) == power).map(|(name, _)| (*name).to_owned());
        let name =
            built_in.unwrap_or_else(|| if power.is_some() { format!("power-{group}") } else { group.to_owned() });
        let known = self.0.iter().position(|plan| plan.name == name);
        let index = known.unwrap_or_else(|| {
            let is_built_in = BUILT_IN.iter().any(|(known, _)| *known == name);
            self.0.push(GroupPlan { name, power: power.filter(|_| !is_built_in), ..GroupPlan::default() });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}
