//! From a [`ToolkitFile`] to a [`Toolkit`]: what the types alone cannot refuse.

mod columns;
mod endpoints;
mod queries;
mod rights;
mod schedules;

use std::{collections::HashMap, path::Path, sync::Arc};

use kernel::{QueryCheck, RuleCheck, identifier::is_identifier};
use upstream::Clients;

use crate::{
    file::ToolkitFile,
    folder::POWERS,
    query::PreparedQuery,
    reading::{self, Complaints, Mistake, nearest},
    toolkit::{self, Toolkit},
};

/// Names of toolkits and of their groups have at most so many characters.
pub(crate) const MOST_NAME: usize = 64;
/// Tables, groups, queries, endpoints or schedules of one toolkit.
const MOST_ENTRIES: usize = 500;

/// Knows the grammar of rules and of queries.
pub trait Grammar: RuleCheck + QueryCheck {}

impl<T: RuleCheck + QueryCheck> Grammar for T {}

/// What a toolkit is checked with.
pub(crate) struct Checker<'a> {
    pub(crate) grammar: &'a dyn Grammar,
    pub(crate) clients: &'a Arc<Clients>,
    /// Where files are that a toolkit names.
    pub(crate) folder: &'a Path,
}

/// A file that was checked.
pub(crate) enum Checked {
    Good(Box<Toolkit>),
    /// A file with mistakes, and what could be read of it.
    Broken(Box<ToolkitFile>, Vec<Mistake>),
}

/// A toolkit that is being checked.
struct Draft<'a> {
    file: ToolkitFile,
    complaints: Complaints,
    queries: HashMap<String, Arc<PreparedQuery>>,
    checker: &'a Checker<'a>,
    /// The toolkit of the same name that is in force, whose services stay where nothing about them changes.
    before: Option<&'a Toolkit>,
}

impl Checker<'_> {
    /// Reads and checks a file of a name without its ending.
    pub(crate) fn check(&self, stem: &str, text: &str, before: Option<&Toolkit>) -> Checked {
        let reading::Draft { file, complaints } = reading::read(&format!("toolkits/{stem}.toml"), text);
        let mut draft = Draft { file, complaints, queries: HashMap::new(), checker: self, before };
        draft.name(stem);
        draft.tables();
        let (groups, fallbacks) = draft.rights();
        draft.columns();
        draft.prepare_queries();
        let endpoints = draft.endpoints();
        let schedules = draft.schedules();
        draft.sizes();
        let needs = draft.needs();
        let Draft { file, complaints, .. } = draft;
        let mut mistakes = complaints.mistakes;
        if !mistakes.is_empty() {
            mistakes.sort_by_key(|mistake| mistake.line);
            return Checked::Broken(Box::new(file), mistakes);
        }
        let acting = toolkit::acting(&file);
        Checked::Good(Box::new(Toolkit { file, groups, fallbacks, endpoints, schedules, acting, needs }))
    }
}

impl Draft<'_> {
    fn name(&mut self, stem: &str) {
        if !is_name(stem) {
            self.complaints.add("", "a toolkit's file is named after it: letters, digits, - and _, then .toml");
        }
        let name = self.file.name.clone();
        if name != stem {
            let problem = format!("the name must be that of the file; write name = {stem:?}");
            self.complaints.add("name", problem);
        }
    }

    fn tables(&mut self) {
        for (index, table) in self.file.tables.clone().iter().enumerate() {
            let key = format!("tables[{index}]");
            if !is_identifier(table) {
                self.complaints.add(&key, format!("{table:?} is not the name of a table"));
            } else if is_reserved(table) {
                self.complaints.add(&key, "tables that begin with _ or jde_ are Insula's own; leave it out");
            } else if self.file.tables[..index].contains(table) {
                self.complaints.add(&key, format!("{table} is there twice"));
            }
        }
        for (index, table) in self.file.read_only_tables.clone().iter().enumerate() {
            self.own_table(&format!("read_only_tables[{index}]"), table);
        }
        if !POWERS.contains(&self.file.read_only_override_power) {
            self.complaints.add("read_only_override_power", "a power is from 1 to 100");
        }
    }

    /// Complains unless a table is one of the toolkit's.
    fn own_table(&mut self, key: &str, table: &str) {
        if !self.file.tables.iter().any(|known| known == table) {
            let known: Vec<_> = self.file.tables.iter().map(String::as_str).collect();
            let hint = nearest(table, &known);
            let problem = format!("{table} is not among the toolkit's `tables`; add it there, or {hint}");
            self.complaints.add(key, problem);
        }
    }

    fn sizes(&mut self) {
        let file = &self.file;
        let sizes = [
            ("tables", file.tables.len()),
            ("groups", file.groups.len()),
            ("pseudo_querys", file.pseudo_querys.len()),
            ("endpoints", file.endpoints.len()),
            ("scheduled_queries", file.scheduled_queries.len()),
            ("auto_generation", file.auto_generation.len()),
        ];
        for (key, size) in sizes {
            if size > MOST_ENTRIES {
                self.complaints
                    .add(key, format!("a toolkit has at most {MOST_ENTRIES} of them; make a second toolkit"));
            }
        }
    }
}

/// Whether a text can name a toolkit or one of its groups.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MOST_NAME).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-')
}

/// Whether a table is one of Insula's own, under either name.
fn is_reserved(table: &str) -> bool {
    table.starts_with('_') || table.starts_with("jde_")
}

#[cfg(test)]
mod tests;
