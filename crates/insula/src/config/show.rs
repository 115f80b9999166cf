//! The effective configuration, as TOML for people and as JSON for scripts.

use std::fmt::Write as _;

use serde_json::json;
use toml::{Table, Value};

use super::Loaded;

impl Loaded {
    /// TOML with a remark on every value that is not a default. Secrets are `***`.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        // Plain structs of scalars, lists and sections can always be written.
        if let Ok(table) = Table::try_from(&self.config) {
            self.section(&table, "", &mut out);
        }
        out
    }

    fn section(&self, table: &Table, name: &str, out: &mut String) {
        let path = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
            let line = format!("{key} = {value}");
            match self.origins.get(&path(key)) {
                Some(origin) => drop(writeln!(out, "{line:<50} # {origin}")),
                None => drop(writeln!(out, "{line}")),
            }
        }
        for (key, value) in table {
            if let Value::Table(inner) = value {
                let _ = writeln!(out, "\n[{}]", path(key));
                self.section(inner, &path(key), out);
            }
        }
    }

    /// `{"config":…,"origins":{"server.listen":"…"},"file":…}`.
    pub fn to_json(&self) -> serde_json::Value {
        let origins: serde_json::Map<_, _> =
            self.origins.iter().map(|(key, origin)| (key.clone(), origin.to_string().into())).collect();
        json!({ "config": self.config, "origins": origins, "file": self.file })
    }
}
