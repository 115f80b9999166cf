//! What an operator decides about databases.

use kernel::{Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SqliteConfig;

/// Where databases are and how many are kept open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Where new tenants live: `sqlite` for a file each in the data folder, or the URL of a PostgreSQL or MariaDB
    /// server, where each gets a schema or a database of its own. Tenants that are there stay where they are.
    pub database: Secret,
    /// Where the list of tenants is: `sqlite` for a file in the data folder, or the URL of a server, for several
    /// nodes on one server.
    pub control: Secret,
    /// Tenants that are kept open at once, from 1 to 1,000,000, as far as the limit on open files goes: five for each on SQLite.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_open: u64,
    /// Time without a request after which a tenant is closed.
    pub idle: Span,
    /// Connections to each PostgreSQL or MariaDB server, from 1 to 10,000.
    #[schemars(range(min = 1, max = 10_000))]
    pub connections: usize,
    /// How SQLite databases are kept.
    pub sqlite: SqliteConfig,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            database: Secret::new("sqlite"),
            control: Secret::new("sqlite"),
            max_open: 1_000,
            idle: Span::seconds(300),
            connections: 16,
            sqlite: SqliteConfig::default(),
        }
    }
}
