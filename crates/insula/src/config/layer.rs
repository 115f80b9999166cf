//! Layers of the configuration as lists of single values, each with where it was written.
//!
//! Every value is checked on its own, so that one mistake does not hide the next and each is told with its place.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{Config, Mistake};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A place in a file, line and column from 1.
    File {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, .. } => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One value, or an empty section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl Leaf {
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// A table in which this is the only value, or another in its place.
    pub(super) fn nested(&self, value: Value) -> Table {
        let (first, rest) = self.path.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let value = rest.iter().rev().fold(value, |inner, key| Value::Table(Table::from_iter([(key.clone(), inner)])));
        Table::from_iter([(first.to_owned(), value)])
    }

    /// A configuration in which this is the only value.
    pub(super) fn alone(&self) -> Result<Config, String> {
        Config::deserialize(Value::Table(self.nested(self.value.clone()))).map_err(|error| error.message().to_owned())
    }
}

/// A file's text with its name, which tells places in it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The place at an offset.
    pub(super) fn at(self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        Origin::File { file: self.name.to_owned(), line, column }
    }

    /// The mistake in text that is no TOML.
    pub(super) fn broken(self, error: &toml::de::Error) -> Mistake {
        Mistake {
            origin: self.at(error.span().map_or(0, |span| span.start)),
            key: String::new(),
            problem: error.message().trim().replace('\n', ", "),
            suggestion: None,
        }
    }

    /// The values in the text.
    pub(super) fn leaves(self) -> Result<Vec<Leaf>, Vec<Mistake>> {
        let (spans, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| self.broken(error)).collect());
        }
        let table: Table = toml::from_str(self.text).map_err(|error| vec![self.broken(&error)])?;
        let mut leaves = Vec::new();
        self.collect(&table, spans.get_ref(), &mut Vec::new(), &mut leaves);
        Ok(leaves)
    }

    pub(super) fn collect(self, table: &Table, spans: &DeTable<'_>, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
        for (key, value) in table {
            let spanned = spans.iter().find(|(name, _)| name.get_ref() == key.as_str());
            path.push(key.clone());
            match (value, spanned.map(|(_, value)| Spanned::get_ref(value))) {
                (Value::Table(inner), Some(DeValue::Table(spans))) if !inner.is_empty() => {
                    self.collect(inner, spans, path, leaves);
                }
                _ => {
                    let offset = spanned.map_or(0, |(name, _)| name.span().start);
                    leaves.push(Leaf { path: path.clone(), value: value.clone(), origin: self.at(offset) });
                }
            }
            path.pop();
        }
    }
}

/// The values of a configuration file. `name` is the file as mistakes call it.
pub(super) fn of_file(name: &Path, text: &str) -> Result<Vec<Leaf>, Vec<Mistake>> {
    let mut leaves = Source { name, text }.leaves()?;
    // Kept for SeckelAPI, and none of ours.
    leaves.retain(|leaf| leaf.path.first().is_none_or(|section| section != seckelapi::KEPT));
    Ok(leaves)
}

/// Keys outside any section. Other variables without a double underscore are none of ours: container platforms set
/// `INSULA_PORT` and the like for a service of this name.
const TOP: [(&str, &str); 6] = [
    ("INSULA_DATA", "data"),
    ("INSULA_MASTER_KEY", "master_key"),
    ("INSULA_MASTER_KEY_FILE", "master_key_file"),
    ("INSULA_MASTER_KEY_COMMAND", "master_key_command"),
    ("INSULA_PREVIOUS_MASTER_KEY", "previous_master_key"),
    ("INSULA_PREVIOUS_MASTER_KEY_FILE", "previous_master_key_file"),
];

/// The values of the environment: `INSULA_SERVER__PORT=8080`.
pub(super) fn of_environment(variables: &[(String, String)]) -> Vec<Leaf> {
    let mut leaves: Vec<Leaf> = variables
        .iter()
        .filter_map(|(name, text)| {
            let path = if let Some((_, key)) = TOP.iter().find(|(variable, _)| variable == name) {
                vec![(*key).to_owned()]
            } else {
                let path = name.strip_prefix("INSULA_").filter(|rest| rest.contains("__"))?;
                path.split("__").map(str::to_ascii_lowercase).collect()
            };
            Some(typed(path, text, Origin::Variable(name.clone())))
        })
        .collect();
    leaves.sort_by(|a, b| a.path.cmp(&b.path));
    leaves
}

/// A value that was given as text: a TOML scalar or array where that fits the key, else the text as it is.
pub(super) fn typed(path: Vec<String>, text: &str, origin: Origin) -> Leaf {
    let plain = Leaf { path, value: Value::String(text.to_owned()), origin };
    let parsed = toml::de::ValueDeserializer::parse(text).ok().and_then(|value| Value::deserialize(value).ok());
    match parsed {
        Some(
            value @ (Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Array(_) | Value::String(_)),
        ) if plain.alone().is_err() => Leaf { value, ..plain },
        _ => plain,
    }
}
