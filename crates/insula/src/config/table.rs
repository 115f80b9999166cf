//! What the files say of the settings that may lie in a tenant's table.

use kernel::{Overrides, settings::ALL};

use super::Config;

impl Config {
    /// The values of those settings, and which of them are written somewhere.
    pub(crate) fn beside_tables(&self) -> settings::Files {
        let (query, limits) = (&self.query, &self.server.rate_limit);
        let values = Overrides {
            default_max_limit: Some(query.default_max_limit),
            default_max_where_conditions: Some(query.default_max_where_conditions),
            enable_rate_limiting: Some(limits.enabled),
            auth_rate_limit_per_second: Some(limits.auth_per_second),
            auth_rate_limit_per_minute: Some(limits.auth_per_minute),
            api_rate_limit_per_second: Some(limits.api_per_second),
            api_rate_limit_per_minute: Some(limits.api_per_minute),
            ..self.identity.as_overrides()
        };
        let written = ALL.iter().filter(|setting| self.written.contains(setting.key)).map(|setting| setting.name);
        settings::Files { values, written: written.collect(), preference: self.config_preference }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Config};

    #[test]
    fn every_setting_of_a_table_is_one_of_the_files() {
        let config = Config::default();
        let values = config.beside_tables().values;
        let shown = serde_json::to_value(&config).unwrap();
        for setting in ALL {
            let value = setting.key.split('.').fold(&shown, |value, key| &value[key]);
            assert!(!value.is_null(), "{} is no key", setting.key);
            let value = values.get(setting.name).unwrap_or_else(|| panic!("{} has no value", setting.name));
            assert!(
                setting.name == "session_update_interval_seconds"
                    || value == shown.pointer(&format!("/{}", setting.key.replace('.', "/"))).unwrap().clone()
            );
        }
    }
}
