//! The data API's part of the configuration.

/// Limits of the data API where a group does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Rows that a select returns when it does not say how many.
    pub default_limit: u64,
    /// Rows that one select, update or delete may ask for.
    pub default_max_limit: u64,
    /// Conditions that one query may have.
    pub default_max_where_conditions: u64,
    /// Tenants whose compiled rules are kept in memory.
    pub max_compiled_tenants: u64,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            default_limit: 100,
            default_max_limit: 1_000,
            default_max_where_conditions: 50,
            max_compiled_tenants: 10_000,
        }
    }
}
