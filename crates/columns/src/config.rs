//! What `insula.toml` says of system columns.

use kernel::columns::ColumnChoices;
use serde::{Deserialize, Serialize};

/// Which tables get system columns. Nothing is ever dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SystemColumnsConfig {
    /// Whether tenants' own tables get the system columns that they lack; a tenant may say otherwise.
    pub enabled: bool,
    /// Whether Insula's tables of users and groups get them, too.
    pub core: bool,
    /// What single tables do not get, by their names: `{ all = false }`, `{ pinned_to = false }`.
    pub overrides: ColumnChoices,
    /// The same for Insula's tables of users and groups.
    pub core_overrides: ColumnChoices,
}

impl SystemColumnsConfig {
    /// These settings with further choices, as other implementations write them. What is said here goes before.
    #[must_use]
    pub fn with(mut self, overrides: &ColumnChoices, core_overrides: &ColumnChoices) -> Self {
        add(&mut self.overrides, overrides);
        add(&mut self.core_overrides, core_overrides);
        self
    }
}

/// Adds choices for tables of which nothing is said.
pub(crate) fn add(choices: &mut ColumnChoices, further: &ColumnChoices) {
    for (table, choice) in further {
        choices.entry(table.clone()).or_insert(*choice);
    }
}
