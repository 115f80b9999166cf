//! From text to a [`ToolkitFile`]: every part is read on its own, so that one mistake does not hide the next.

mod endpoints;
mod index;
mod mistake;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use self::index::Index;
pub use self::mistake::Mistake;
pub(crate) use self::mistake::nearest;
use crate::file::ToolkitFile;

/// The table in which an import from SeckelAPI keeps what is not known here.
pub(crate) const KEPT: &str = "x_seckelapi";

/// What could be read of a file, and what could not.
#[derive(Debug)]
pub(crate) struct Draft {
    /// What could be read. Parts with mistakes are missing.
    pub(crate) file: ToolkitFile,
    pub(crate) complaints: Complaints,
}

/// The mistakes of a file so far.
#[derive(Debug)]
pub(crate) struct Complaints {
    /// The file, as people call it.
    name: String,
    index: Index,
    pub(crate) mistakes: Vec<Mistake>,
}

impl Complaints {
    /// Notes a mistake at a key.
    pub(crate) fn add(&mut self, key: &str, problem: impl Into<String>) {
        let (file, line) = (self.name.clone(), self.index.line(key));
        self.mistakes.push(Mistake { file, line, key: key.to_owned(), problem: problem.into() });
    }

    /// The line of a key.
    pub(crate) fn line(&self, key: &str) -> usize {
        self.index.line(key)
    }

    /// Whether the file has a key.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.index.has(key)
    }

    /// Notes what the types refuse, and tells the key that it is about.
    fn add_from(&mut self, error: &toml::de::Error, more_keys: &[&str], around: &str) -> Option<String> {
        let path = error.span().and_then(|span| self.index.path_at(&span).map(str::to_owned));
        let line = match (error.span(), &path) {
            (Some(span), Some(_)) => self.index.line_at(span.start),
            _ => self.index.line(around),
        };
        let key = path.clone().unwrap_or_else(|| around.to_owned());
        let problem = mistake::explained(error.message(), more_keys);
        self.mistakes.push(Mistake { file: self.name.clone(), line, key, problem });
        path
    }
}

/// Reads a file. `name` is what people call it: `toolkits/<stem>.toml`.
pub(crate) fn read(name: &str, text: &str) -> Draft {
    let (root, errors) = DeTable::parse_recoverable(text);
    let index = Index::of(text, root.get_ref());
    let mut reader = Reader { complaints: Complaints { name: name.to_owned(), index, mistakes: Vec::new() } };
    for error in &errors {
        let line = error.span().map_or(0, |span| reader.complaints.index.line_at(span.start));
        let problem = format!("this is not TOML: {}", error.message().trim().replace('\n', ", "));
        reader.complaints.mistakes.push(Mistake { file: name.to_owned(), line, key: String::new(), problem });
    }
    let span = root.span();
    let mut root = root.into_inner();
    let mut take = |key: &str| root.remove(key);
    drop(take(KEPT));
    let (endpoints, queries, schedules) = (take("endpoints"), take("pseudo_querys"), take("scheduled_queries"));
    let (groups, fallbacks) = (take("groups"), take("db_fallback_permissions"));
    let (generation, system) = (take("auto_generation"), take("system_column_overrides"));
    let mut file: ToolkitFile = reader.typed(Spanned::new(span, root), "", &[]).0.unwrap_or_default();
    file.endpoints = reader.endpoints(endpoints);
    file.groups = reader.section(groups, "groups");
    file.db_fallback_permissions = reader.section(fallbacks, "db_fallback_permissions");
    file.pseudo_querys = reader.section(queries, "pseudo_querys");
    file.scheduled_queries = reader.section(schedules, "scheduled_queries");
    file.system_column_overrides = reader.section(system, "system_column_overrides");
    for (table, columns) in reader.entries(generation, "auto_generation") {
        let columns = reader.section(Some(columns), &format!("auto_generation.{table}"));
        file.auto_generation.insert(table, columns);
    }
    Draft { file, complaints: reader.complaints }
}

struct Reader {
    complaints: Complaints,
}

impl Reader {
    /// Reads a table as a type. Where a key of it is wrong, it is read again without that key, so that all mistakes are
    /// told; the second answer is whether there were none.
    fn typed<T: DeserializeOwned>(
        &mut self,
        mut table: Spanned<DeTable<'_>>,
        path: &str,
        more_keys: &[&str],
    ) -> (Option<T>, bool) {
        let mut removed = Vec::new();
        loop {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => return (Some(value), removed.is_empty()),
                Err(error) => error,
            };
            if removed.iter().any(|key| error.message() == format!("missing field `{key}`")) {
                return (None, false);
            }
            let wrong = self.complaints.add_from(&error, more_keys, path);
            let inside = wrong.as_deref().and_then(|wrong| below(wrong, path));
            match inside.and_then(|key| table.get_mut().remove_entry(key)) {
                Some((key, _)) => removed.push(key.into_inner()),
                None => return (None, false),
            }
        }
    }

    /// The entries of a section.
    fn entries<'t>(
        &mut self,
        section: Option<Spanned<DeValue<'t>>>,
        path: &str,
    ) -> Vec<(String, Spanned<DeValue<'t>>)> {
        match section.map(Spanned::into_inner) {
            None => Vec::new(),
            Some(DeValue::Table(table)) => {
                table.into_iter().map(|(key, value)| (key.into_inner().into_owned(), value)).collect()
            }
            Some(other) => {
                self.complaints.add(path, format!("write sections [{path}.<name>], not {}", other.type_str()));
                Vec::new()
            }
        }
    }

    /// A section whose entries are of one type; wrong ones are left out.
    fn section<T: DeserializeOwned>(
        &mut self,
        section: Option<Spanned<DeValue<'_>>>,
        path: &str,
    ) -> BTreeMap<String, T> {
        let mut read = BTreeMap::new();
        for (name, value) in self.entries(section, path) {
            let path = format!("{path}.{name}");
            if let Some(table) = self.table(value, &path)
                && let (Some(value), true) = self.typed(table, &path, &[])
            {
                read.insert(name, value);
            }
        }
        read
    }

    fn table<'t>(&mut self, value: Spanned<DeValue<'t>>, path: &str) -> Option<Spanned<DeTable<'t>>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Spanned::new(span, table)),
            other => {
                self.complaints.add(path, format!("expected a table, not {}", other.type_str()));
                None
            }
        }
    }
}

/// The first key of a path below another.
fn below<'p>(path: &'p str, outer: &str) -> Option<&'p str> {
    let rest = if outer.is_empty() { path } else { path.strip_prefix(outer)?.strip_prefix('.')? };
    rest.split(['.', '[']).next().filter(|key| !key.is_empty())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
