//! A group's rules as they are written: `items:rw`, `*:r`, `items.price:block`, `items.*:r`.

use std::collections::{HashMap, HashSet};

use kernel::{Group, identifier::is_identifier};

use super::{Access, ColumnCode, Reach, table::canonical_table};

/// A group's codes, parsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupRules {
    /// Codes of single tables.
    pub tables: HashMap<String, Access>,
    /// The code of tables without one of their own; never of Insula's own tables.
    pub wildcard: Option<Access>,
    /// Codes of single columns, by table.
    pub columns: HashMap<String, HashMap<String, ColumnCode>>,
    /// Codes of all columns of a table that have none of their own.
    pub all_columns: HashMap<String, ColumnCode>,
    /// Tables of which a rule cannot be read. They are closed: a rule that was meant to block must not open.
    pub broken: HashSet<String>,
}

impl GroupRules {
    /// Reads a group's rules. What cannot be read closes its table and is logged.
    pub fn read(group: &Group) -> Self {
        let mut rules = Self::default();
        for (rule, add) in group
            .basic_rules
            .iter()
            .map(|rule| (rule, Self::add_table as fn(&mut Self, &str) -> Result<(), String>))
            .chain(group.advanced_rules.iter().map(|rule| (rule, Self::add_column as _)))
        {
            if let Err(error) = add(&mut rules, rule) {
                tracing::error!(group = group.name, rule, error, "a rule cannot be read; its table is closed");
                let table = rule.split(['.', ':']).next().unwrap_or_default();
                rules.broken.insert(canonical_table(table).to_owned());
            }
        }
        rules
    }

    /// Checks rules before they are kept. The error says which rule is wrong and why.
    pub fn check(basic: &[String], advanced: &[String]) -> Result<(), String> {
        let mut rules = Self::default();
        let named = |rule: &String, error| format!("rule {rule:?}: {error}");
        for rule in basic {
            rules.add_table(rule).map_err(|error| named(rule, error))?;
        }
        for rule in advanced {
            rules.add_column(rule).map_err(|error| named(rule, error))?;
        }
        Ok(())
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

    /// Whether any rule asks who is in the caller's group.
    pub fn ask_for_members(&self) -> bool {
        let group = |access: &Access| access.read == Some(Reach::Group) || access.write == Some(Reach::Group);
        let by_column = |code: &ColumnCode| matches!(code, ColumnCode::BlockGroup | ColumnCode::BlockUnlessGroup);
        self.tables.values().chain(&self.wildcard).any(group)
            || self.columns.values().flat_map(HashMap::values).chain(self.all_columns.values()).any(by_column)
    }

    /// The code of a table, its own or the wildcard's.
    pub fn table(&self, name: &str) -> Option<Access> {
        let own = self.tables.get(name).copied();
        own.or_else(|| self.wildcard.filter(|_| !name.starts_with('_')))
    }

    /// The code of a column; the specific one beats the one for all.
    pub fn column(&self, table: &str, column: &str) -> Option<ColumnCode> {
        let specific = self.columns.get(table).and_then(|columns| columns.get(column));
        specific.or_else(|| self.all_columns.get(table)).copied()
    }
}

fn named(name: &str) -> Result<&str, String> {
    if is_identifier(name) { Ok(name) } else { Err(format!("{name:?} is not a name")) }
}

#[cfg(test)]
mod tests {
    use super::{super::ColumnCode, GroupRules};
    use proptest::prelude::*;

    fn rules(basic: &[&str], advanced: &[&str]) -> GroupRules {
        let mut rules = GroupRules::default();
        for rule in basic {
            rules.add_table(rule).unwrap();
        }
        for rule in advanced {
            rules.add_column(rule).unwrap();
        }
        rules
    }

    #[test]
    fn the_wildcard_covers_only_what_has_no_rule_and_never_system_tables() {
        let rules = rules(&["*:rw", "items:r", "jde_users:r"], &[]);
        assert_eq!(rules.table("items").unwrap().to_string(), "r");
        assert_eq!(rules.table("other").unwrap().to_string(), "rw");
        assert_eq!(rules.table("_users").unwrap().to_string(), "r");
        assert_eq!(rules.table("_sessions"), None);
    }

    #[test]
    fn the_specific_column_rule_wins() {
        let rules = rules(&[], &["items.*:block", "items.name:r"]);
        assert_eq!(rules.column("items", "name"), Some(ColumnCode::Read));
        assert_eq!(rules.column("items", "price"), Some(ColumnCode::Block));
        assert_eq!(rules.column("other", "price"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = GroupRules::check(std::slice::from_ref(&text), std::slice::from_ref(&text));
        }
    }
}
