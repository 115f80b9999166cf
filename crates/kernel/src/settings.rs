//! Settings of a tenant that a table in its database may say otherwise than the files do.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{BoxFuture, Mismatch, Network, Result, Soon, Tenant, bounds, network, soon};

/// A setting that may lie in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the table.
    pub name: &'static str,
    /// The key in `insula.toml` that it stands for.
    pub key: &'static str,
    /// What it says, and in which unit.
    pub meaning: &'static str,
}

impl Setting {
    /// Whether it is for the whole server: it is read once, at the start, from the table of the first tenant.
    pub fn is_of_the_server(&self) -> bool {
        self.key.starts_with("server.")
    }

    /// The key in a tenant's `identity.toml`, where it can be written there.
    pub fn tenant_key(&self) -> Option<&'static str> {
        self.key.strip_prefix("identity.")
    }
}

/// The most rows that a setting or a group may let one statement ask for.
pub const MOST_ROWS: u32 = 1_000_000;
/// The most conditions that a setting or a group may allow one query.
pub const MOST_CONDITIONS: u32 = 10_000;
/// The most minutes that a setting or a group may let a session last without activity: a year.
pub const MOST_MINUTES: u32 = 366 * 24 * 60;
/// The most sessions at once that a setting or a group may allow a user.
pub const MOST_SESSIONS: u32 = 10_000;

macro_rules! settings {
    ($($name:ident $type:ty, $key:literal $meaning:literal,)*) => {
        /// Values of the settings that may lie in the table; none where nothing is said.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Overrides { $(#[doc = $meaning] pub $name: Option<$type>,)* }

        /// Every setting that may lie in the table.
        pub const ALL: &[Setting] =
            &[$(Setting { name: stringify!($name), key: $key, meaning: $meaning },)*];

        impl Overrides {
            /// The value of a setting.
            pub fn get(&self, name: &str) -> Option<Json> {
                match name {
                    $(stringify!($name) => json(self.$name.as_ref()?),)*
                    _ => None,
                }
            }

            /// Sets a value that came as JSON. The error says what is wrong with it.
            pub fn set(&mut self, name: &str, value: Json) -> Result<(), String> {
                match name {
                    $(stringify!($name) => self.$name = Some(typed::<$type>(&value)?),)*
                    _ => return Err("there is no such setting".to_owned()),
                }
                self.check()
            }

            /// Sets a value as the table has it: text. The error says what is wrong with it.
            pub fn set_text(&mut self, name: &str, text: &str) -> Result<(), String> {
                match name {
                    $(stringify!($name) => self.$name = Some(read::<$type>(text)?),)*
                    _ => return Err("there is no such setting".to_owned()),
                }
                self.check()
            }

            /// These values, and below them others where these say nothing.
            #[must_use]
            pub fn over(&self, below: &Self) -> Self {
                Self { $($name: self.$name.clone().or_else(|| below.$name.clone()),)* }
            }

            /// The values of the settings that are wanted.
            #[must_use]
            pub fn only(&self, wanted: impl Fn(&Setting) -> bool) -> Self {
                let wanted = |name| by_name(name).is_some_and(|setting| wanted(&setting));
                Self { $($name: self.$name.clone().filter(|_| wanted(stringify!($name))),)* }
            }
        }
    };
}

settings! {
    session_timeout_minutes NonZeroU32, "identity.session_timeout_minutes"
        "Minutes without activity after which a session ends, where the group says nothing else.",
    refresh_session_on_activity bool, "identity.refresh_session_on_activity"
        "Whether every request moves the end of its session.",
    max_concurrent_sessions NonZeroU32, "identity.max_concurrent_sessions"
        "Sessions that a user may have at once, where the group says nothing else.",
    session_update_interval_seconds NonZeroU32, "identity.session_flush_interval"
        "Seconds between two writes of what is known of the sessions' activity.",
    min_clear_sessions_power u8, "identity.min_clear_sessions_power"
        "Power from which a caller may end the sessions of others.",
    default_max_limit u64, "query.default_max_limit"
        "Rows that one select, update or delete may ask for, where the group says nothing else.",
    default_max_where_conditions u64, "query.default_max_where_conditions"
        "Conditions that one query may have, where the group says nothing else.",
    default_user_settings_access SettingsAccess, "identity.default_user_settings_access"
        "Whose preferences the users of a group may read and write that is made without saying so.",
    whitelisted_pin_ips Vec<Network>, "identity.whitelisted_pin_ips"
        "Networks from which users may log in by PIN, a list; from nowhere where it is empty.",
    whitelisted_string_ips Vec<Network>, "identity.whitelisted_string_ips"
        "Networks from which users may log in by card or badge, a list; from nowhere where it is empty.",
    enable_rate_limiting bool, "server.rate_limit.enabled"
        "Whether there are limits on requests from one address.",
    auth_rate_limit_per_second NonZeroU32, "server.rate_limit.auth_per_second"
        "Requests a second from one address below /auth/.",
    auth_rate_limit_per_minute NonZeroU32, "server.rate_limit.auth_per_minute"
        "Requests a minute from one address below /auth/.",
    api_rate_limit_per_second NonZeroU32, "server.rate_limit.api_per_second"
        "Requests a second from one address to everything else.",
    api_rate_limit_per_minute NonZeroU32, "server.rate_limit.api_per_minute"
        "Requests a minute from one address to everything else.",
}

/// The setting of a name.
pub fn by_name(name: &str) -> Option<Setting> {
    ALL.iter().copied().find(|setting| setting.name == name)
}

impl Overrides {
    /// What the types alone cannot refuse.
    fn check(&self) -> Result<(), String> {
        let number = |setting: Option<NonZeroU32>| setting.map(|number| u64::from(number.get()));
        let limits = [
            (self.default_max_limit, 1, MOST_ROWS),
            (self.default_max_where_conditions, 0, MOST_CONDITIONS),
            (number(self.session_timeout_minutes), 1, MOST_MINUTES),
            (number(self.max_concurrent_sessions), 1, MOST_SESSIONS),
        ];
        let outside = limits
            .into_iter()
            .find_map(|(value, least, most)| bounds::outside("", &value?, &(least..=u64::from(most))));
        if let Some((_, problem)) = outside {
            return Err(problem);
        }
        let lists = [&self.whitelisted_pin_ips, &self.whitelisted_string_ips];
        lists.into_iter().flatten().try_for_each(|list| network::check_list(list))
    }
}

/// Whose preferences the users of a group may read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SettingsAccess {
    /// They may read their own.
    ReadOwnOnly,
    /// They may read and write their own.
    #[default]
    ReadWriteOwn,
    /// They may read and write everybody's.
    ReadWriteAll,
}

impl SettingsAccess {
    /// Every word there is.
    pub const WORDS: [&'static str; 3] = ["read-own-only", "read-write-own", "read-write-all"];

    /// The word for it, in settings and in groups.
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Who wins where a file and the table speak of the same setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The table.
    #[default]
    Tables,
    /// What is written in a file; the table says the rest.
    Local,
}

impl Preference {
    /// What the table may say beside a file that has the keys of some settings.
    #[must_use]
    pub fn beside(self, table: &Overrides, written: impl Fn(&Setting) -> bool) -> Overrides {
        table.only(|setting| self == Self::Tables || !written(setting))
    }
}

/// The settings of tenants that lie in their databases. Every room with such settings asks, one answers.
pub trait SettingsTable: Send + Sync {
    /// What a tenant's table may say beside `insula.toml`: read when it is first needed, the same value until something
    /// changes. Errors: 503.
    fn of<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, Result<std::sync::Arc<Overrides>>>;

    /// Who wins where the tenant's own file speaks of the same setting.
    fn preference(&self) -> Preference;
}

/// Knows what a tenant's own file says. Whoever shows the settings asks, identity answers.
pub trait TenantFile: Send + Sync {
    /// The settings that are written there. Errors: 500 where the file is broken.
    fn written<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Overrides>>;
}

/// No tables at all.
pub struct NoTables;

impl SettingsTable for NoTables {
    fn of<'a>(&'a self, _: &'a Tenant) -> Soon<'a, Result<std::sync::Arc<Overrides>>> {
        soon::now(Ok(std::sync::Arc::default()))
    }

    fn preference(&self) -> Preference {
        Preference::Tables
    }
}

fn json(value: &impl Serialize) -> Option<Json> {
    serde_json::to_value(value).ok()
}

fn typed<T: DeserializeOwned>(value: &Json) -> Result<T, String> {
    // By way of its text, whose errors say more.
    serde_json::from_str(&value.to_string()).map_err(|error| {
        let said = error.to_string();
        Mismatch::read(&said).map_or_else(|| Mismatch::without_place(&said).to_owned(), |mismatch| mismatch.words())
    })
}

/// Reads what a table has: JSON, or words as they are; 0 and 1 stand for no and yes.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let plain = Json::String(text.to_owned());
    let value = crate::json::value(text.as_bytes()).unwrap_or_else(|_| plain.clone());
    let flag = match text {
        "0" => Some(Json::Bool(false)),
        "1" => Some(Json::Bool(true)),
        _ => None,
    };
    typed(&value).or_else(|error| flag.into_iter().chain([plain]).find_map(|value| typed(&value).ok()).ok_or(error))
}

#[cfg(test)]
mod tests {
    use super::{ALL, Overrides, Preference, SettingsAccess};
    use serde_json::json;

    fn read(name: &str, text: &str) -> Result<Overrides, String> {
        let mut overrides = Overrides::default();
        overrides.set_text(name, text).map(|()| overrides)
    }

    #[test]
    fn text_of_a_table_is_read() {
        let value = |name: &str, text: &str| read(name, text).unwrap().get(name).unwrap();
        assert_eq!(value("session_timeout_minutes", " 15 "), json!(15));
        for (text, flag) in [("true", true), ("1", true), ("0", false), ("false", false)] {
            assert_eq!(value("enable_rate_limiting", text), json!(flag));
        }
        assert_eq!(value("default_user_settings_access", "read-own-only"), json!("read-own-only"));
        assert_eq!(value("default_user_settings_access", "\"read-write-all\""), json!("read-write-all"));
        assert_eq!(value("whitelisted_pin_ips", r#"["10.0.0.0/8", "::1"]"#), json!(["10.0.0.0/8", "::1"]));
    }

    #[test]
    fn what_files_refuse_is_refused() {
        let bad = [
            ("session_timeout_minutes", "0"),
            ("session_timeout_minutes", "soon"),
            ("session_timeout_minutes", "527041"),
            ("max_concurrent_sessions", "10001"),
            ("default_max_limit", "1000001"),
            ("default_max_limit", "0"),
            ("default_max_where_conditions", "10001"),
            ("min_clear_sessions_power", "256"),
            ("enable_rate_limiting", "2"),
            ("whitelisted_pin_ips", r#"["0.0.0.0/0"]"#),
            ("whitelisted_string_ips", "10.0.0.1"),
            ("default_user_settings_access", "all"),
            ("config_preference", "local"),
        ];
        for (name, text) in bad {
            assert!(read(name, text).is_err(), "{name} = {text}");
        }
        assert!(Overrides::default().set("session_timeout_minutes", json!("15")).is_err(), "JSON has its types");
    }

    #[test]
    fn every_setting_has_its_place() {
        for setting in ALL {
            let mut overrides = Overrides::default();
            let good = ["1", "true", "[]", "read-own-only"];
            assert!(good.iter().any(|text| overrides.set_text(setting.name, text).is_ok()), "{}", setting.name);
            assert!(overrides.get(setting.name).is_some());
            assert_eq!(overrides.over(&Overrides::default()), overrides);
            assert_eq!(Overrides::default().over(&overrides), overrides);
            assert_eq!(overrides.only(|other| other != setting), Overrides::default());
        }
    }

    #[test]
    fn files_win_where_that_is_wished() {
        let table = read("session_timeout_minutes", "5").unwrap();
        assert_eq!(Preference::Tables.beside(&table, |_| true), table);
        assert_eq!(Preference::Local.beside(&table, |_| true), Overrides::default());
        assert_eq!(Preference::Local.beside(&table, |_| false), table);
    }

    #[test]
    fn words_are_those_that_are_stored() {
        for access in [SettingsAccess::ReadOwnOnly, SettingsAccess::ReadWriteOwn, SettingsAccess::ReadWriteAll] {
            assert_eq!(json!(access), access.word());
        }
    }
}
