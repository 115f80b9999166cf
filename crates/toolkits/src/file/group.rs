//! Rights, as groups of a toolkit and its fallbacks have them.

use serde::Deserialize;

/// What a place in the toolkit gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
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
