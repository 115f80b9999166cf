//! Groups, associations and rights by power.

use std::{collections::BTreeMap, sync::Arc};

use kernel::identifier::is_identifier;

use super::{Draft, is_name, is_reserved};
use crate::{file::GroupRights, places::Place, reading::nearest};

/// The longest path in a list of endpoints.
const MOST_PATH: usize = 200;

type Places<K> = BTreeMap<K, Arc<Place>>;

impl Draft<'_> {
    /// The groups of the file and the rights by power.
    pub(super) fn rights(&mut self) -> (Places<String>, Places<u8>) {
        let mut groups = BTreeMap::new();
        for (name, rights) in self.file.groups.clone() {
            let key = format!("groups.{name}");
            if !is_name(&name) {
                self.complaints.add(&key, "a group's name is letters, digits, - and _");
            }
            self.rules(&key, &rights);
            groups.insert(name.clone(), Arc::new(Place::of(name, rights)));
        }
        if let Some(table) = &self.file.groups_table
            && (!is_identifier(table) || is_reserved(table))
        {
            let problem = format!("{table:?} is not the name of a table of the tenant");
            self.complaints.add("groups_table", problem);
        }
        for (core, group) in self.file.associations.clone() {
            if self.file.groups_table.is_none() && !groups.contains_key(&group) {
                let known: Vec<_> = groups.keys().map(String::as_str).collect();
                let problem = format!("the toolkit has no group {group:?}; {}", nearest(&group, &known));
                self.complaints.add(&format!("associations.{core}"), problem);
            }
        }
        let mut fallbacks = BTreeMap::new();
        for (power, rights) in self.file.db_fallback_permissions.clone() {
            let key = format!("db_fallback_permissions.{power}");
            match power.parse::<u8>() {
                Ok(number) if (1..=100).contains(&number) && number.to_string() == power => {
                    self.rules(&key, &rights);
                    fallbacks.insert(number, Arc::new(Place::of(format!("power:{number}"), rights)));
                }
                _ => self.complaints.add(&key, "rights are by power, from 1 to 100: [db_fallback_permissions.100]"),
            }
        }
        (groups, fallbacks)
    }

    fn rules(&mut self, key: &str, rights: &GroupRights) {
        let lists = [
            ("permissions", "basic_rules", &rights.permissions),
            ("column_rules", "advanced_rules", &rights.column_rules),
        ];
        for (index, (name, alias, rules)) in lists.into_iter().enumerate() {
            for (number, rule) in rules.iter().enumerate() {
                // The file may have either name; a line is found by the one that is there.
                let at = [name, alias].map(|name| format!("{key}.{name}[{number}]"));
                let at = at.iter().find(|at| self.complaints.knows(at)).unwrap_or(&at[0]).clone();
                let one = std::slice::from_ref(rule);
                let checked = if index == 0 {
                    self.checker.grammar.check_rules(one, &[])
                } else {
                    self.checker.grammar.check_rules(&[], one)
                };
                match checked {
                    Err(error) => self.complaints.add(&at, error.message),
                    Ok(()) => match rule.split(['.', ':']).next().unwrap_or_default() {
                        "*" => {
                            let problem = "rules of a toolkit are about its `tables` alone; name the table";
                            self.complaints.add(&at, problem);
                        }
                        table => self.own_table(&at, table),
                    },
                }
            }
        }
        for (number, path) in rights.endpoint_permissions.iter().enumerate() {
            if path.is_empty() || path.len() > MOST_PATH || path.starts_with('/') {
                let problem = "write the path of an endpoint as it is below the toolkit's, with * for any text";
                self.complaints.add(&format!("{key}.endpoint_permissions[{number}]"), problem);
            }
        }
    }
}

impl Place {
    fn of(name: String, rights: GroupRights) -> Self {
        let GroupRights { permissions, column_rules, endpoint_permissions } = rights;
        Self { name, permissions, column_rules, endpoint_permissions }
    }
}
