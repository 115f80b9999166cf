//! The data API's part of the configuration.

use kernel::ability::{self, Ability};

/// Limits of the data API where a group does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Rows that a select returns when it does not say how many; `default_max_limit` where that is less.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub default_limit: u64,
    /// Rows that one select, update or delete may ask for, from 1 to 1,000,000; a group may say otherwise within that.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub default_max_limit: u64,
    /// Conditions that one query may have, at most 10,000; a group may say otherwise within that.
    #[schemars(range(max = 10_000))]
    pub default_max_where_conditions: u64,
    /// Tenants whose compiled rules are kept in memory.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_compiled_tenants: u64,
    /// Power from which a group has the ability `reload` without listing it; 90 where absent.
    pub min_reload_power: Option<u8>,
    /// Power from which a group has the ability `restart` without listing it; 100 where absent.
    pub min_manual_restart_power: Option<u8>,
}

impl QueryConfig {
    /// The right to reload.
    pub(crate) fn reload_ability(&self) -> Ability {
        from(ability::RELOAD, self.min_reload_power)
    }

    /// The right to make the server restart at once.
    pub(crate) fn restart_ability(&self) -> Ability {
        from(ability::RESTART, self.min_manual_restart_power)
    }
}

fn from(ability: Ability, power: Option<u8>) -> Ability {
    Ability { from_power: power.unwrap_or(ability.from_power), ..ability }
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            default_limit: 100,
            default_max_limit: 1_000,
            default_max_where_conditions: 50,
            max_compiled_tenants: 10_000,
            min_reload_power: None,
            min_manual_restart_power: None,
        }
    }
}
