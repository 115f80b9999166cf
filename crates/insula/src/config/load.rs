//! Puts the layers of the configuration together.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config, Mistake, Mistakes, Origin,
    layer::{self, Leaf},
    mistake, secret_file,
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
    let above: Vec<Leaf> = environment.into_iter().chain(flags).collect();
    let file = find(sources.file.as_deref(), &above);
    let mut mistakes = Vec::new();
    let mut leaves = match file.as_deref().map(read).transpose() {
        Ok(leaves) => leaves.unwrap_or_default(),
        Err(found) => {
            mistakes.extend(found);
            Vec::new()
        }
    };
    leaves.extend(above);
    let mut merged = Merged::default();
    for leaf in leaves {
        if let Err(mistake) = merged.add(leaf) {
            mistakes.push(mistake);
        }
    }
    let loaded = merged.finish(file, &mut mistakes);
    match loaded {
        Some(loaded) if mistakes.is_empty() => Ok(loaded),
        _ => Err(Mistakes(mistakes)),
    }
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
        let origin = Origin::File(file.to_owned(), 1);
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
    fn add(&mut self, leaf: Leaf) -> Result<(), Mistake> {
        let leaf = match secret_file::resolve(leaf) {
            Ok(leaf) => self.listen_from_parts(leaf)?,
            Err((leaf, problem)) => return Err(refuse(&leaf, problem)),
        };
        let alone = leaf.alone().map_err(|message| {
            mistake::explain(&leaf.origin, &leaf.path, &message, secret_file::is_secret(&leaf.path))
        })?;
        let mut leaf = leaf;
        if leaf.path == ["data"] {
            let data = secret_file::beside(&leaf.origin, &alone.data);
            leaf.value = Value::String(data.to_string_lossy().into_owned());
        }
        if leaf.path == ["server", "listen"] {
            self.listen = Some(alone.server.listen);
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

    fn finish(self, file: Option<PathBuf>, mistakes: &mut Vec<Mistake>) -> Option<Loaded> {
        let unplaced = || Origin::File(file.clone().unwrap_or_else(|| "insula.toml".into()), 1);
        let mut config = match Config::deserialize(Value::Table(self.table)) {
            Ok(config) => config,
            Err(error) => {
                mistakes.push(mistake::explain(&unplaced(), &[], error.message(), false));
                return None;
            }
        };
        for (key, problem) in config.refused() {
            let origin = self.origins.get(&key).cloned().unwrap_or_else(unplaced);
            mistakes.push(Mistake { origin, key, problem, suggestion: None });
        }
        if let Err((key, problem)) = config.identity.check(None) {
            let key = format!("identity.{key}");
            let origin = self.origins.get(&key).cloned().unwrap_or_else(unplaced);
            mistakes.push(Mistake { origin, key, problem, suggestion: None });
        }
        config.written = self.origins.keys().cloned().collect();
        Some(Loaded { config, origins: self.origins, file })
    }
}

fn refuse(leaf: &Leaf, problem: String) -> Mistake {
    Mistake { origin: leaf.origin.clone(), key: leaf.key(), problem, suggestion: None }
}

fn insert(table: &mut Table, path: &[String], value: Value) {
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
