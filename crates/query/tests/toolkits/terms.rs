//! Toolkits made of plain values.

use std::{collections::HashMap, sync::Arc};

use kernel::{
    Group, Principal, Result, Soon, Tenant, ToolkitGroup, soon,
    toolkits::{GeneratedColumn, GeneratedValue, TableTerms, ToolkitTerms, Toolkits},
};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json};

/// The toolkits of every tenant, which a test may replace as a reload does.
pub(crate) struct Shelf(pub(crate) Mutex<Arc<dyn ToolkitTerms>>);

impl Toolkits for Shelf {
    fn of<'a>(&'a self, _: &'a Tenant) -> Soon<'a, Result<Arc<dyn ToolkitTerms>>> {
        soon::now(Ok(Arc::clone(&self.0.lock())))
    }
}

/// What is said about tables, and the places of users.
#[derive(Default)]
pub(crate) struct Terms {
    tables: HashMap<String, TableTerms>,
    places: HashMap<String, ToolkitGroup>,
    groups: Mutex<HashMap<String, Arc<Group>>>,
}

impl Terms {
    pub(crate) fn table(mut self, name: &str, terms: TableTerms) -> Self {
        self.tables.insert(name.into(), terms);
        self
    }

    /// Gives a user a place with rules.
    pub(crate) fn place(mut self, user: &str, basic: &[&str], advanced: &[&str]) -> Self {
        let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
        let place = ToolkitGroup {
            toolkit: "kit".into(),
            group: "staff".into(),
            basic_rules: owned(basic),
            advanced_rules: owned(advanced),
        };
        self.places.insert(user.into(), place);
        self
    }
}

impl ToolkitTerms for Terms {
    fn group(&self, principal: &Principal) -> Arc<Group> {
        let Some(place) = self.places.get(&principal.username) else { return Arc::clone(&principal.group) };
        let mut groups = self.groups.lock();
        let group = groups
            .entry(principal.username.clone())
            .or_insert_with(|| Arc::new(Group { toolkits: [place.clone()].into(), ..Group::clone(&principal.group) }));
        Arc::clone(group)
    }

    fn table(&self, table: &str) -> Option<&TableTerms> {
        self.tables.get(table)
    }

    fn places(&self, _: &Principal) -> Map<String, Json> {
        Map::new()
    }
}

/// A column that an insert fills in where the caller does not.
pub(crate) fn generated(column: &str, value: GeneratedValue) -> GeneratedColumn {
    GeneratedColumn { column: column.into(), value, on_insert: true, on_update: false, always: false }
}

/// Numbers such as `T-0001`.
pub(crate) fn numbers(prefix: &str, digits: u8, start: u64) -> GeneratedValue {
    GeneratedValue::Sequence { prefix: prefix.into(), digits, suffix: String::new(), start }
}

/// Random characters.
pub(crate) fn random(alphabet: &str, length: u8) -> GeneratedValue {
    GeneratedValue::Random { prefix: String::new(), alphabet: alphabet.into(), length }
}

/// Generated columns and nothing else.
pub(crate) fn with_generated(generated: Vec<GeneratedColumn>) -> TableTerms {
    TableTerms { generated, ..TableTerms::default() }
}
