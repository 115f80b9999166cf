//! The rooms that the data API asks, behind the traits by which it knows them.

use std::sync::Arc;

use kernel::{
    SettingsTable,
    columns::{MissingColumns, NoMissingColumns},
    reload::Reload,
    restart::{NoRestart, Restart},
    settings::NoTables,
    toolkits::{NoToolkits, Toolkits},
};

/// Whom the data API asks. The default is nobody.
pub struct Doors {
    /// Knows what toolkits say about tables and callers.
    pub toolkits: Arc<dyn Toolkits>,
    /// Knows what tenants say otherwise than the configuration.
    pub settings: Arc<dyn SettingsTable>,
    /// Brings back system columns that somebody has dropped.
    pub columns: Arc<dyn MissingColumns>,
    /// The rooms that `POST /reload` makes read their files, in this order.
    pub reloaded: Vec<Arc<dyn Reload>>,
    /// Begins the program anew.
    pub restart: Arc<dyn Restart>,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            toolkits: Arc::new(NoToolkits),
            settings: Arc::new(NoTables),
            columns: Arc::new(NoMissingColumns),
            reloaded: Vec::new(),
            restart: Arc::new(NoRestart),
        }
    }
}
