//! Puts the layers of the configuration together.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config, Mistake, Mistakes, Origin, alias,
    layer::{self, Leaf},
    mistake, schema, secret_file,
};

/// What a configuration is made of.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that was asked for; without one, `insula.toml` in the data folder or else in the working folder.
    pub file: Option<PathBuf>,
    /// Names and values of the environment.
    pub environment: Vec<(String, String)>,
    /// Values from the command line: the key, the flag and its text.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// A configuration that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where those were written that are not defaults, by key.
    pub origins: BTreeMap<String, Origin>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Reads the configuration. Every mistake in it is reported, not only the first.
pub fn load(sources: &Sources) -> Result<Loaded, Mistakes> {
    let environment = layer::of_environment(&sources.environment);
    let flags = sources.flags.iter().map(|(key, flag, text)| {
        let path = key.split('.').map(str::to_owned).collect();
        layer::typed(path, text, Origin::Flag((*flag).to_owned()))
    });
    let mut mistakes = Vec::new();
    let mut above = alias::resolve(environment, &mut mistakes);
    above.extend(flags);
    let file = find(sources.file.as_deref(), &above);
    let leaves = match file.as_deref().map(read).transpose() {
        Ok(leaves) => alias::resolve(leaves.unwrap_or_default(), &mut mistakes),
        Err(found) => {
            mistakes.extend(found);
            Vec::new()
        }
    };
    merge(file, leaves.into_iter().chain(above), mistakes)
}

/// Checks a text as if it were the file `name`, without an environment.
pub fn check_text(name: &Path, text: &str) -> Result<(), Mistakes> {
    let leaves = layer::of_file(name, text).map_err(Mistakes)?;
    let mut mistakes = Vec::new();
    let leaves = alias::resolve(leaves, &mut mistakes);
    merge(Some(name.to_owned()), leaves, mistakes).map(drop)
}

fn merge(
    file: Option<PathBuf>,
    leaves: impl IntoIterator<Item = Leaf>,
    mut mistakes: Vec<Mistake>,
) -> Result<Loaded, Mistakes> {
    let mut merged = Merged::default();
    for leaf in leaves {
        if let Err(found) = merged.add(leaf) {
            mistakes.extend(found);
        }
    }
    match merged.finish(file, &mut mistakes) {
        Some(loaded) if mistakes.is_empty() => Ok(loaded),
        _ => Err(Mistakes::sorted(mistakes)),
    }
}

/// What the types of the configuration say of a table.
fn fits(table: Table) -> Result<(), String> {
    Config::deserialize(Value::Table(table)).map(drop).map_err(|error| error.message().to_owned())
}

/// The file to read: the one that was asked for, or the first of the usual ones that is there.
fn find(asked: Option<&Path>, above: &[Leaf]) -> Option<PathBuf> {
    if let Some(asked) = asked {
        return Some(asked.to_owned());
    }
    let data = above.iter().rev().find(|leaf| leaf.path == ["data"]).and_then(|leaf| leaf.value.as_str());
    let data = data.map_or_else(|| Config::default().data, PathBuf::from);
    [data.join("insula.toml"), PathBuf::from("insula.toml")].into_iter().find(|file| file.is_file())
}

fn read(file: &Path) -> Result<Vec<Leaf>, Vec<Mistake>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let origin = Origin::File { file: file.to_owned(), line: 1, column: 1 };
        vec![Mistake { origin, key: String::new(), problem: format!("cannot be read: {error}"), suggestion: None }]
    })?;
    layer::of_file(file, &text)
}

/// What has been read so far.
#[derive(Default)]
struct Merged {
    table: Table,
    origins: BTreeMap<String, Origin>,
    listen: Option<SocketAddr>,
}

impl Merged {
    fn add(&mut self, leaf: Leaf) -> Result<(), Vec<Mistake>> {
        let mut leaf = match secret_file::resolve(leaf) {
            Ok(leaf) => self.listen_from_parts(leaf).map_err(|mistake| vec![mistake])?,
            Err((leaf, problem)) => return Err(vec![refuse(&leaf, problem)]),
        };
        let mistakes = mistake::of_leaf(&leaf, fits, schema::is_secret);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        match (leaf.path.as_slice(), leaf.value.as_str()) {
            ([data], Some(path)) if data == "data" => {
                let data = secret_file::beside(&leaf.origin, Path::new(path));
                leaf.value = Value::String(data.to_string_lossy().into_owned());
            }
            ([server, listen], Some(address)) if server == "server" && listen == "listen" => {
                self.listen = address.parse().ok();
            }
            _ => {}
        }
        self.origins.insert(leaf.key(), leaf.origin.clone());
        insert(&mut self.table, &leaf.path, leaf.value);
        Ok(())
    }

    /// `server.port` and `server.host` stand for parts of `server.listen`.
    fn listen_from_parts(&self, leaf: Leaf) -> Result<Leaf, Mistake> {
        let mut listen = self.listen.unwrap_or(Config::default().server.listen);
        let part: Vec<_> = leaf.path.iter().map(String::as_str).collect();
        match part.as_slice() {
            ["server", "port"] => {
                let text = leaf.value.as_str().map_or_else(|| leaf.value.to_string(), str::to_owned);
                let port = text.parse().map_err(|_| refuse(&leaf, "expected a port from 0 to 65535".to_owned()))?;
                listen.set_port(port);
            }
            ["server", "host"] => {
                let address: Option<IpAddr> = leaf.value.as_str().and_then(|text| text.parse().ok());
                let wanted = || refuse(&leaf, "expected an IP address, such as \"127.0.0.1\" or \"::\"".to_owned());
                listen.set_ip(address.ok_or_else(wanted)?);
            }
            _ => return Ok(leaf),
        }
        let path = vec!["server".to_owned(), "listen".to_owned()];
        Ok(Leaf { path, value: Value::String(listen.to_string()), origin: leaf.origin })
    }

    fn finish(mut self, file: Option<PathBuf>, mistakes: &mut Vec<Mistake>) -> Option<Loaded> {
        let unplaced =
            || Origin::File { file: file.clone().unwrap_or_else(|| "insula.toml".into()), line: 1, column: 1 };
        let mut config = loop {
            let error = match serde_path_to_error::deserialize::<_, Config>(Value::Table(self.table.clone())) {
                Ok(config) => break config,
                Err(error) => error,
            };
            let path: Vec<String> = error.path().to_string().split('.').map(str::to_owned).collect();
            let key = path.join(".");
            let origin = self.place(&key).unwrap_or_else(unplaced);
            let message = error.inner().message().trim().replace('\n', ", ");
            let missing =
                message.strip_prefix("missing field ").map(|field| format!("{key}.{}", field.trim_matches('`')));
            let (key, problem) = missing.map_or((key, message), |key| (key, "is missing".to_owned()));
            mistakes.push(Mistake { origin, key, problem, suggestion: None });
            // The others are looked for without it.
            if !remove(&mut self.table, &path) {
                return None;
            }
        };
        for (key, problem) in config.refused() {
            let origin = self.place(&key).unwrap_or_else(unplaced);
            mistakes.push(Mistake { origin, key, problem, suggestion: None });
        }
        config.written = self.origins.keys().cloned().collect();
        Some(Loaded { config, origins: self.origins, file })
    }

    /// Where a key was written, or else the first of the section it is, or else that it is in.
    fn place(&self, key: &str) -> Option<Origin> {
        let below = format!("{key}.");
        let inner = self.origins.iter().filter(|(other, _)| other.starts_with(&below)).map(|(_, origin)| origin);
        let around = || self.place(key.rsplit_once('.')?.0);
        self.origins.get(key).or_else(|| inner.min_by_key(|origin| line(origin))).cloned().or_else(around)
    }
}

fn line(origin: &Origin) -> usize {
    if let Origin::File { line, .. } = origin { *line } else { usize::MAX }
}

fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [key] => table.remove(key).is_some(),
        [key, rest @ ..] => table.get_mut(key).and_then(Value::as_table_mut).is_some_and(|inner| remove(inner, rest)),
        [] => false,
    }
}

fn refuse(leaf: &Leaf, problem: String) -> Mistake {
    Mistake { origin: leaf.origin.clone(), key: leaf.key(), problem, suggestion: None }
}

pub(super) fn insert(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match (table.get_mut(first), &value) {
            (Some(Value::Table(_)), Value::Table(new)) if new.is_empty() => {}
            _ => drop(table.insert(first.clone(), value)),
        }
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        insert(inner, rest, value);
    }
}
