//! The configuration: what there is to set, and where it is read from.
//!
//! Defaults give way to the file `insula.toml`, the file to the environment, the environment to flags.

mod alias;
mod layer;
mod load;
mod mistake;
mod refused;
mod repair;
mod schema;
mod secret_file;
mod show;
mod table;
mod tenant;

use std::{collections::BTreeSet, path::PathBuf};

use audit::AuditConfig;
use columns::SystemColumnsConfig;
use edge::EdgeConfig;
use identity::IdentityConfig;
use kernel::{Secret, columns::ColumnChoices, settings::Preference};
use query::QueryConfig;
use serde::{Deserialize, Serialize};
use store::StoreConfig;

pub use self::{
    layer::Origin,
    load::{Loaded, Sources, check_text, load},
    mistake::{Mistake, Mistakes},
    schema::SchemaOf,
    tenant::check_tenant,
};
pub(crate) use secret_file::read as read_secret;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder with everything that is kept.
    pub data: PathBuf,
    /// The installation's key: 32 bytes as base64. Where it is absent, `master.key` in the data folder has it.
    pub master_key: Option<Secret>,
    /// A program with its arguments that prints the installation's key, such as the client of a secret manager. It runs
    /// at every start, without a shell, for at most 10 seconds. The arguments are shown like other settings.
    pub master_key_command: Option<Vec<String>>,
    /// The installation's key of before, while tenants may still be under it: see `insula key rotate-master`.
    pub previous_master_key: Option<Secret>,
    /// Who wins where a tenant's table of settings and a file speak of the same setting: `tables`, or `local` for what is
    /// written in a file. It cannot be set by the environment.
    pub config_preference: Preference,
    /// How the server listens and what it lets in.
    pub server: EdgeConfig,
    /// Where databases are.
    pub store: StoreConfig,
    /// Which tables get system columns.
    pub system_columns: SystemColumnsConfig,
    /// What single tables do not get of the system columns; the same as `overrides` in `[system_columns]`.
    pub system_column_overrides: ColumnChoices,
    /// The same as `core_overrides` in `[system_columns]`.
    pub core_system_column_overrides: ColumnChoices,
    /// Users, sessions and passwords.
    pub identity: IdentityConfig,
    /// The data API.
    pub query: QueryConfig,
    /// Who did what: the audit log.
    pub audit: AuditConfig,
    /// What is logged.
    pub log: LogConfig,
    /// The keys that were written somewhere, so that they are no defaults.
    #[serde(skip)]
    pub written: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("insula-data"),
            master_key: None,
            master_key_command: None,
            previous_master_key: None,
            config_preference: Preference::Tables,
            server: EdgeConfig::default(),
            store: StoreConfig::default(),
            system_columns: SystemColumnsConfig::default(),
            system_column_overrides: ColumnChoices::new(),
            core_system_column_overrides: ColumnChoices::new(),
            identity: IdentityConfig::default(),
            query: QueryConfig::default(),
            audit: AuditConfig::default(),
            log: LogConfig::default(),
            written: BTreeSet::new(),
        }
    }
}

/// What is logged, to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; also by part of the program, such as `info,store=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info,tokio_postgres=warn".to_owned(), format: LogFormat::Text }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

impl Config {
    /// Which tables get system columns, by whatever name it was said.
    pub(crate) fn system_columns(&self) -> SystemColumnsConfig {
        self.system_columns.clone().with(&self.system_column_overrides, &self.core_system_column_overrides)
    }
}

#[cfg(test)]
mod bad_files;
#[cfg(test)]
mod tests;
