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
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, line) => write!(f, "{}:{line}", file.display()),
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

    /// A configuration in which this is the only value.
    pub(super) fn alone(&self) -> Result<Config, String> {
        let nested = self
            .path
            .iter()
            .rev()
            .fold(self.value.clone(), |inner, key| Value::Table(Table::from_iter([(key.clone(), inner)])));
        Config::deserialize(nested).map_err(|error| error.message().to_owned())
    }
}

/// The values of a file. `name` is the file as mistakes call it.
pub(super) fn of_file(name: &Path, text: &str) -> Result<Vec<Leaf>, Vec<Mistake>> {
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let broken = |error: &toml::de::Error| Mistake {
        origin: Origin::File(name.to_owned(), error.span().map_or(1, |span| line(span.start))),
        key: String::new(),
        problem: error.message().trim().replace('\n', ", "),
        suggestion: None,
    };
    let (spans, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(broken).collect());
    }
    let table: Table = toml::from_str(text).map_err(|error| vec![broken(&error)])?;
    let mut leaves = Vec::new();
    let origin = |offset| Origin::File(name.to_owned(), line(offset));
    collect(&table, spans.get_ref(), &mut Vec::new(), &origin, &mut leaves);
    Ok(leaves)
}

fn collect(
    table: &Table,
    spans: &DeTable<'_>,
    path: &mut Vec<String>,
    origin: &impl Fn(usize) -> Origin,
    leaves: &mut Vec<Leaf>,
) {
    for (key, value) in table {
        let spanned = spans.iter().find(|(name, _)| name.get_ref() == key.as_str());
        path.push(key.clone());
        match (value, spanned.map(|(_, value)| Spanned::get_ref(value))) {
            (Value::Table(inner), Some(DeValue::Table(spans))) if !inner.is_empty() => {
                collect(inner, spans, path, origin, leaves);
            }
            _ => {
                let offset = spanned.map_or(0, |(name, _)| name.span().start);
                leaves.push(Leaf { path: path.clone(), value: value.clone(), origin: origin(offset) });
            }
        }
        path.pop();
    }
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
