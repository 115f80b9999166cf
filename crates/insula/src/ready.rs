//! What a running server tells those who started it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{failure::Result, private_file};

/// How to reach a server that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Where the API is, without a slash at the end.
    pub url: String,
    /// The tenant at that address; none before the installation is initialised.
    pub tenant: Option<String>,
    /// The accounts of the demonstration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<Account>>,
    /// The tables of the demonstration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
}

/// An account of the demonstration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name to log in with.
    pub username: String,
    /// The password.
    pub password: String,
    /// The group.
    pub group: String,
    /// The group's power.
    pub power: u8,
}

impl Ready {
    /// Writes it as JSON to a file that appears whole.
    pub fn write(&self, file: &Path) -> Result<()> {
        private_file::write(file, &serde_json::to_string(self).unwrap_or_default())
    }
}
