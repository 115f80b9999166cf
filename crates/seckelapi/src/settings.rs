//! The settings that both know: one row each. Whoever adds a setting adds a row, and it is converted both ways and works
//! under both names in `insula.toml`.

use kernel::settings::{MOST_CONDITIONS, MOST_MINUTES, MOST_ROWS, MOST_SESSIONS};
use toml_edit::Value;

/// A setting under its two names.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// SeckelAPI's name.
    pub theirs: &'static str,
    /// Insula's key with its section.
    pub ours: &'static str,
    /// What is written there.
    pub unit: Unit,
    /// The file of SeckelAPI's that an export puts it in where no import said another.
    pub file: &'static str,
}

/// What the value of a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `true` or `false` on both sides.
    Bool,
    /// A whole number on both sides, from and to, both included.
    Number(i64, i64),
    /// Whole seconds there, a duration such as `"30s"` here; the least and the most seconds.
    Seconds(i64, i64),
    /// A list of addresses and CIDR blocks on both sides.
    Networks,
    /// One of some words on both sides.
    Word(&'static [&'static str]),
}

const ACCESS: [&str; 3] = ["read-own-only", "read-write-own", "read-write-all"];
const COUNT: Unit = Unit::Number(1, u32::MAX as i64);
const MINUTES: Unit = Unit::Number(1, MOST_MINUTES as i64);
const SESSIONS: Unit = Unit::Number(1, MOST_SESSIONS as i64);
const ROWS: Unit = Unit::Number(1, MOST_ROWS as i64);
const CONDITIONS: Unit = Unit::Number(0, MOST_CONDITIONS as i64);
const GROUP_POWER: Unit = Unit::Number(1, 100);
const POWER: Unit = Unit::Number(0, u8::MAX as i64);

const fn security(theirs: &'static str, ours: &'static str, unit: Unit) -> Setting {
    Setting { theirs, ours, unit, file: "security.toml" }
}

const fn basics(theirs: &'static str, ours: &'static str, unit: Unit) -> Setting {
    Setting { theirs, ours, unit, file: "basics.toml" }
}

/// All of them.
pub const SETTINGS: &[Setting] = &[
    security("session_timeout_minutes", "identity.session_timeout_minutes", MINUTES),
    security("refresh_session_on_activity", "identity.refresh_session_on_activity", Unit::Bool),
    security("max_concurrent_sessions", "identity.max_concurrent_sessions", SESSIONS),
    security("session_update_interval_seconds", "identity.session_flush_interval", Unit::Seconds(1, 31_536_000)),
    security("min_clear_sessions_power", "identity.min_clear_sessions_power", POWER),
    security("min_reload_power", "query.min_reload_power", GROUP_POWER),
    security("min_manual_restart_power", "query.min_manual_restart_power", GROUP_POWER),
    security("whitelisted_pin_ips", "identity.whitelisted_pin_ips", Unit::Networks),
    security("whitelisted_string_ips", "identity.whitelisted_string_ips", Unit::Networks),
    security("enable_rate_limiting", "server.rate_limit.enabled", Unit::Bool),
    security("auth_rate_limit_per_second", "server.rate_limit.auth_per_second", COUNT),
    security("auth_rate_limit_per_minute", "server.rate_limit.auth_per_minute", COUNT),
    security("api_rate_limit_per_second", "server.rate_limit.api_per_second", COUNT),
    security("api_rate_limit_per_minute", "server.rate_limit.api_per_minute", COUNT),
    security("default_user_settings_access", "identity.default_user_settings_access", Unit::Word(&ACCESS)),
    basics("config_preference", "config_preference", Unit::Word(&["tables", "local"])),
    basics("default_max_limit", "query.default_max_limit", ROWS),
    basics("default_max_where_conditions", "query.default_max_where_conditions", CONDITIONS),
];

/// Tables of settings that are called the same on both sides and stand at the top of `insula.toml`: a table for each of
/// the author's tables, with these keys, each `true` or `false`.
pub(crate) const COLUMN_CHOICES: [&str; 2] = ["core_system_column_overrides", "system_column_overrides"];
const CHOICES: [&str; 6] = ["all", "created_at", "created_by", "last_modified_at", "last_modified_by", "pinned_to"];
const COLUMNS_FILE: &str = "columns.toml";

/// Where a value stands on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The path in `insula.toml`.
    pub(crate) ours: Vec<String>,
    /// The path in a file of SeckelAPI's that an export makes.
    pub(crate) theirs: Vec<String>,
    /// That file.
    pub(crate) file: &'static str,
    setting: Option<&'static Setting>,
}

impl Target {
    /// What a path in a file of SeckelAPI's is about.
    pub(crate) fn of_theirs(path: &[String]) -> Option<Self> {
        match path {
            [.., choices, table, key] if is_choice(choices, key) => Some(Self::choice(choices, table, key)),
            _ => path.last().and_then(|name| by_name(name)).map(Self::of),
        }
    }

    /// What a path in `insula.toml` is about, under either name, and whether it is Insula's own.
    pub(crate) fn of_ours(path: &[String]) -> Option<(Self, bool)> {
        if let [choices, table, key] = path
            && is_choice(choices, key)
        {
            return Some((Self::choice(choices, table, key), true));
        }
        let key = path.join(".");
        let own = SETTINGS.iter().find(|setting| setting.ours == key).map(|setting| (Self::of(setting), true));
        own.or_else(|| alias(path).map(|setting| (Self::of(setting), false)))
    }

    fn of(setting: &'static Setting) -> Self {
        let ours = setting.ours.split('.').map(str::to_owned).collect();
        Self { ours, theirs: vec![setting.theirs.to_owned()], file: setting.file, setting: Some(setting) }
    }

    fn choice(choices: &str, table: &str, key: &str) -> Self {
        let path: Vec<String> = [choices, table, key].map(str::to_owned).into();
        Self { ours: path.clone(), theirs: path, file: COLUMNS_FILE, setting: None }
    }

    /// Insula's value for one of SeckelAPI's.
    pub(crate) fn to_ours(&self, theirs: &Value) -> Result<Value, String> {
        self.setting.map_or_else(|| Unit::Bool.checked(theirs), |setting| setting.to_ours(theirs))
    }

    /// SeckelAPI's value for one of Insula's.
    pub(crate) fn to_theirs(&self, ours: &Value) -> Result<Value, String> {
        self.setting.map_or_else(|| Unit::Bool.checked(ours), |setting| setting.to_theirs(ours))
    }

    /// What stands in a copy for a value that is elsewhere.
    pub(crate) fn mark(&self) -> String {
        format!("-> {}", self.ours.join("."))
    }
}

fn is_choice(choices: &str, key: &str) -> bool {
    COLUMN_CHOICES.contains(&choices) && CHOICES.contains(&key)
}

/// Settings of SeckelAPI's that are always the same in Insula.
pub(crate) const ALWAYS: &[(&str, bool, &str)] =
    &[("persistent_sessions", true, "sessions always survive a restart of Insula")];

/// The setting of a name of SeckelAPI's.
pub fn by_name(theirs: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.theirs == theirs)
}

/// The setting that a key of `insula.toml` names in SeckelAPI's way: at the top, in a section of the setting's own key,
/// or in a section that is called as SeckelAPI's are.
pub fn alias<S: AsRef<str>>(path: &[S]) -> Option<&'static Setting> {
    let (name, section) = path.split_last()?;
    let setting = by_name(name.as_ref())?;
    let section: Vec<&str> = section.iter().map(AsRef::as_ref).collect();
    let own: Vec<&str> = setting.ours.split('.').collect();
    let is_own = own.len() == path.len() && own.last() == Some(&setting.theirs) && own.starts_with(&section);
    let is_theirs = matches!(section.as_slice(), ["security" | "basics"]);
    (!is_own && (is_theirs || own.starts_with(&section))).then_some(setting)
}
