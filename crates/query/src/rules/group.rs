//! A group's rules as they are written: `items:rw`, `*:r`, `items.price:block`, `items.*:r`.

use std::collections::{HashMap, HashSet};

use kernel::{Group, identifier::is_identifier};

use super::{Access, ColumnCode, Reach, table::canonical_table};

/// A group's codes, parsed: its own, and those that its places in toolkits add.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupRules {
    /// The group itself comes first.
    origins: Vec<Origin>,
    /// Tables of which a rule cannot be read. They are closed: a rule that was meant to block must not open.
    pub broken: HashSet<String>,
}

/// The rules of a group, or of one place in a toolkit.
#[derive(Debug, Clone, Default, PartialEq)]
struct Origin {
    /// The toolkit and the group in it, in front of people; none for the group's own rules.
    toolkit: Option<String>,
    /// Codes of single tables.
    tables: HashMap<String, Access>,
    /// The code of tables without one of their own; never of Insula's own tables.
    wildcard: Option<Access>,
    /// Codes of single columns, by table.
    columns: HashMap<String, HashMap<String, ColumnCode>>,
    /// Codes of all columns of a table that have none of their own.
    all_columns: HashMap<String, ColumnCode>,
}

impl GroupRules {
    /// Reads the rules of a group and of its places in toolkits. What cannot be read closes its table and is logged; a
    /// toolkit's rule for one of Insula's own tables is ignored and logged.
    pub fn read(group: &Group) -> Self {
        let mut rules = Self::default();
        let own = group.is_toolkit().then(|| group.name.replacen(':', " ", 1));
        rules.add(group, own, &group.basic_rules, &group.advanced_rules);
        for place in group.toolkits.iter() {
            let name = format!("toolkit {} as {}", place.toolkit, place.group);
            rules.add(group, Some(name), &place.basic_rules, &place.advanced_rules);
        }
        rules
    }

    fn add(&mut self, group: &Group, toolkit: Option<String>, basic: &[String], advanced: &[String]) {
        let mut origin = Origin { toolkit, ..Origin::default() };
        let tables = basic.iter().map(|rule| (rule, Origin::add_table as fn(&mut Origin, &str) -> Result<(), String>));
        for (rule, add) in tables.chain(advanced.iter().map(|rule| (rule, Origin::add_column as _))) {
            let table = rule.split(['.', ':']).next().unwrap_or_default();
            if let Some(toolkit) = &origin.toolkit
                && is_reserved(table)
            {
                tracing::error!(group = group.name, toolkit, rule, "a toolkit's rule for a table of Insula is ignored");
            } else if let Err(error) = add(&mut origin, rule) {
                tracing::error!(group = group.name, rule, error, "a rule cannot be read; its table is closed");
                self.broken.insert(canonical_table(table).to_owned());
            }
        }
        self.origins.push(origin);
    }

    /// Checks rules before they are kept. The error says which rule is wrong and why.
    pub fn check(basic: &[String], advanced: &[String]) -> Result<(), String> {
        let mut origin = Origin::default();
        let named = |rule: &String, error| format!("rule {rule:?}: {error}");
        for rule in basic {
            origin.add_table(rule).map_err(|error| named(rule, error))?;
        }
        for rule in advanced {
            origin.add_column(rule).map_err(|error| named(rule, error))?;
        }
        Ok(())
    }

    /// Whether any rule asks who is in the caller's group.
    pub fn ask_for_members(&self) -> bool {
        self.origins.iter().any(Origin::asks_for_members)
    }

    /// The code of a table: what the codes of all origins allow together.
    pub fn table(&self, name: &str) -> Option<Access> {
        self.origins.iter().filter_map(|origin| origin.table(name)).reduce(Access::union)
    }

    /// The code of a column: the most permissive of those that name it, else of those for all columns.
    pub fn column(&self, table: &str, column: &str) -> Option<ColumnCode> {
        self.decides(table, column).map(|(code, _)| code)
    }

    /// The toolkit whose rule decides about a column; none where the group's own does.
    pub fn column_toolkit(&self, table: &str, column: &str) -> Option<&str> {
        self.decides(table, column)?.1.toolkit.as_deref()
    }

    fn decides(&self, table: &str, column: &str) -> Option<(ColumnCode, &Origin)> {
        // Of equals the first.
        let most = |first: (ColumnCode, _), other: (ColumnCode, _)| if other.0 > first.0 { other } else { first };
        let specific = self.origins.iter().filter_map(|origin| Some((origin.column(table, column)?, origin)));
        let all = || self.origins.iter().filter_map(|origin| Some((*origin.all_columns.get(table)?, origin)));
        specific.reduce(most).or_else(|| all().reduce(most))
    }

    /// What places in toolkits say about a table beside the group; empty where they say nothing.
    pub fn table_origins(&self, name: &str) -> Vec<(&str, Access)> {
        let codes = self.origins.iter().filter_map(|origin| Some((origin, origin.table(name)?)));
        let by_toolkits = codes.clone().any(|(origin, _)| origin.toolkit.is_some());
        if by_toolkits { codes.map(|(origin, code)| (origin.name(), code)).collect() } else { Vec::new() }
    }
}

impl Origin {
    fn name(&self) -> &str {
        self.toolkit.as_deref().unwrap_or("group")
    }

    fn add_table(&mut self, rule: &str) -> Result<(), String> {
        let (table, code) = rule.split_once(':').ok_or("write it as table:code")?;
        let access: Access = code.parse()?;
        if table == "*" {
            self.wildcard = Some(self.wildcard.unwrap_or_default().union(access));
            return Ok(());
        }
        let table = canonical_table(named(table)?);
        let known = self.tables.entry(table.to_owned()).or_default();
        *known = known.union(access);
        Ok(())
    }

    fn add_column(&mut self, rule: &str) -> Result<(), String> {
        let (name, code) = rule.split_once(':').ok_or("write it as table.column:code")?;
        let (table, column) = name.split_once('.').ok_or("write it as table.column:code")?;
        let code: ColumnCode = code.parse()?;
        let table = canonical_table(named(table)?).to_owned();
        if column == "*" {
            self.all_columns.insert(table, code);
        } else {
            self.columns.entry(table).or_default().insert(named(column)?.to_owned(), code);
        }
        Ok(())
    }

    fn asks_for_members(&self) -> bool {
        let group = |access: &Access| access.read == Some(Reach::Group) || access.write == Some(Reach::Group);
        let by_column = |code: &ColumnCode| matches!(code, ColumnCode::BlockGroup | ColumnCode::BlockUnlessGroup);
        self.tables.values().chain(&self.wildcard).any(group)
            || self.columns.values().flat_map(HashMap::values).chain(self.all_columns.values()).any(by_column)
    }

    /// The code of a table, its own or the wildcard's.
    fn table(&self, name: &str) -> Option<Access> {
        let own = self.tables.get(name).copied();
        own.or_else(|| self.wildcard.filter(|_| !name.starts_with('_')))
    }

    /// The code of a single column.
    fn column(&self, table: &str, column: &str) -> Option<ColumnCode> {
        self.columns.get(table)?.get(column).copied()
    }
}

/// Whether a name is, or stands for, one of Insula's own tables.
fn is_reserved(table: &str) -> bool {
    table.starts_with('_') || table.starts_with("jde_")
}

fn named(name: &str) -> Result<&str, String> {
    if is_identifier(name) { Ok(name) } else { Err(format!("{name:?} is not a name")) }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
