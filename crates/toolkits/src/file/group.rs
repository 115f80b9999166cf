//! Rights, as groups of a toolkit and its fallbacks have them.

use serde::Deserialize;

/// What a place in the toolkit gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupRights {
    /// Table rules, `table:code`, for the toolkit's `tables`. They add to those of the group in the tenant.
    #[serde(alias = "basic_rules")]
    pub permissions: Vec<String>,
    /// Column rules, `table.column:code`.
    #[serde(alias = "advanced_rules")]
    pub column_rules: Vec<String>,
    /// Paths of endpoints that may be called; `*` stands for any text.
    pub endpoint_permissions: Vec<String>,
}

/// Which system columns a table has. What is absent is as the installation has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemColumns {
    /// All of them at once.
    pub all: Option<bool>,
    /// When a row was made.
    pub created_at: Option<bool>,
    /// Who made it.
    pub created_by: Option<bool>,
    /// When it was last changed.
    pub last_modified_at: Option<bool>,
    /// Who changed it last.
    pub last_modified_by: Option<bool>,
    /// Whose it is.
    pub pinned_to: Option<bool>,
}

impl SystemColumns {
    /// Whether a table keeps a system column, where the file says so.
    pub fn keeps(&self, column: &str) -> Option<bool> {
        let own = match column {
            "created_at" => self.created_at,
            "created_by" => self.created_by,
            "last_modified_at" => self.last_modified_at,
            "last_modified_by" => self.last_modified_by,
            "pinned_to" => self.pinned_to,
            _ => None,
        };
        own.or(self.all)
    }
}
