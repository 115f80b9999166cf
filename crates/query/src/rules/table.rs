//! What one group may do with one table, worked out once.

use std::sync::Arc;

use kernel::{Group, toolkits::TableTerms};
use store::{Schema, Table};

use super::{Access, ColumnCode, GroupRules, OWNER, Reach, RowRule, RuleAction, RuleBook, SYSTEM_COLUMNS, Visibility};
use crate::generate::Generator;

/// The name of a table under the names that other implementations use: `jde_users` is `_users`.
pub fn canonical_table(name: &str) -> &str {
    match name {
        "jde_users" => "_users",
        "jde_groups" => "_groups",
        "jde_sessions" => "_sessions",
        "jde_settings" => "_settings",
        "jde_associations" => "_associations",
        other => other,
    }
}

/// What a group may do with a table.
#[derive(Debug)]
pub struct TableAccess {
    /// The table.
    pub table: Arc<Table>,
    /// What the codes allow; nothing where no code is about the table.
    pub code: Option<Access>,
    /// Row rules of the table that are for the group.
    pub rules: Vec<RowRule>,
    /// Where each column can be seen and written, the row rules aside.
    pub columns: Vec<ColumnAccess>,
    /// The position of the column that says whose a row is.
    pub owner: Option<usize>,
    /// Why the table is closed although a rule speaks of it.
    pub broken: Option<String>,
    /// The power from which a toolkit lets the table be written, where the group has less.
    pub read_only_below: Option<u8>,
    /// Columns that a toolkit has filled in.
    pub(crate) generated: Vec<Generator>,
}

/// Where a column can be seen and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnAccess {
    /// Where it can be seen.
    pub read: Visibility,
    /// Where it can be written.
    pub write: Visibility,
    /// The column rule that says so, where there is one.
    pub code: Option<ColumnCode>,
    /// Whether it is a column that takes `rwa` to be written, which the caller does not have.
    pub protected: bool,
}

/// Insula's own tables that a rule may open, with the columns that it cannot: those that let somebody in.
const OPEN: &[(&str, &[&str])] = &[
    ("_users", &["password", "pin_code", "login_string"]),
    ("_groups", &[]),
    ("_profiles", &[]),
    ("_settings", &[]),
    ("_associations", &[]),
];

/// Whether no rule opens a column: it is in one of Insula's tables, and not among what [`OPEN`] lists. Tables that are
/// added are closed until somebody thinks of them.
fn is_credential(table: &str, column: &str) -> bool {
    let open = OPEN.iter().find(|(name, _)| *name == table);
    open.map_or(table.starts_with('_'), |(_, closed)| closed.contains(&column))
}

impl TableAccess {
    /// Works out what a group may do with a table.
    pub fn compile(
        group: &Group,
        codes: &GroupRules,
        book: &RuleBook,
        table: &Arc<Table>,
        schema: &Schema,
        terms: Option<&TableTerms>,
    ) -> Self {
        let mut broken = codes.broken.contains(&table.name).then(|| "one of its rules cannot be read".to_owned());
        let mut code = codes.table(&table.name);
        let owner = table.position(OWNER);
        let scoped = |reach: Option<Reach>| matches!(reach, Some(Reach::Own | Reach::Group));
        if owner.is_none() && code.is_some_and(|code| scoped(code.read) || scoped(code.write)) {
            broken = Some(format!("its code asks whose a row is, but it has no column {OWNER}"));
        }
        let read_only_below = terms.and_then(|terms| terms.read_only_below);
        let read_only_below = read_only_below.filter(|power| group.power < *power && !group.is_toolkit());
        if table.view || read_only_below.is_some() {
            code = code.map(Access::read_only);
        }
        let mut rules = Vec::new();
        for source in &book.rules {
            if canonical_table(&source.table) != table.name || !source.is_for(group) {
                continue;
            }
            match RowRule::compile(source, table, schema) {
                Ok(mut rule) => {
                    if read_only_below.is_some() {
                        rule.actions.retain(|action| *action == RuleAction::Select);
                    }
                    if !rule.actions.is_empty() {
                        rules.push(rule);
                    }
                }
                Err(error) => broken = Some(format!("{}: {error}", source.label())),
            }
        }
        if let Some(why) = &broken {
            tracing::error!(table = table.name, group = group.name, why, "a table is closed");
        }
        let system = code.is_some_and(|code| code.system);
        let columns = table.columns.iter().map(|column| {
            let name = &*column.name;
            let code = codes.column(&table.name, name);
            if is_credential(&table.name, name) {
                return ColumnAccess { read: Visibility::No, write: Visibility::No, code, protected: true };
            }
            let by_toolkit = terms.is_some_and(|terms| terms.write_protected.iter().any(|column| column == name));
            let guarded = by_toolkit || SYSTEM_COLUMNS.contains(&name);
            let protected = guarded && !system && code != Some(ColumnCode::WriteSystem);
            column_access(code, protected, column.generated)
        });
        let generated = terms.map(|terms| Generator::all(&terms.generated, table)).unwrap_or_default();
        let (columns, table) = (columns.collect(), Arc::clone(table));
        Self { table, code, rules, columns, owner, broken, read_only_below, generated }
    }
}

impl TableAccess {
    /// Whether the answer of an insert may tell what was put into a column: it can be seen in the caller's own rows.
    pub(crate) fn tells(&self, position: usize) -> bool {
        matches!(self.columns[position].read, Visibility::Yes | Visibility::OnlyIf(_))
    }
}

fn column_access(code: Option<ColumnCode>, protected: bool, computed: bool) -> ColumnAccess {
    let read = code.map_or(Visibility::Yes, ColumnCode::read);
    let write = code.map_or(Visibility::Yes, ColumnCode::write);
    ColumnAccess { read, write: if protected || computed { Visibility::No } else { write }, code, protected }
}
