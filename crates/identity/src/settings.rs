//! What a tenant says otherwise than the installation: the file `identity.toml` in its folder, and over it the settings
//! that it keeps in its database.

use std::{num::NonZeroU32, sync::Arc};

use kernel::{Error, Overrides, Reason, Result, SettingsTable, Span, Tenant, TenantId, reload::Commit};
use quick_cache::sync::Cache;
use toml::Table;

use crate::{IdentityConfig, place};

const FILE: &str = "identity.toml";
const REMEMBERED: usize = 50_000;
const MOST_BYTES: u64 = 256 << 10;
/// Keys of the settings that all tenants share, so that none may set them.
pub const OF_THE_INSTALLATION: [&str; 7] =
    ["password_hash", "password_memory", "password_passes", "bcrypt_cost", "hash_threads", "hash_queue", "hash_wait"];

/// The settings in force for each tenant: read when they are first needed, and again after a reload.
pub(crate) struct Settings {
    installation: Arc<IdentityConfig>,
    table: Arc<dyn SettingsTable>,
    files: Cache<TenantId, Arc<TenantSettings>>,
    in_force: Cache<TenantId, Arc<InForce>>,
}

/// The installation's settings with those of a tenant's file over them.
#[derive(Debug)]
pub(crate) struct TenantSettings {
    settings: Arc<IdentityConfig>,
    /// What the file itself says of what may lie in the table.
    written: Overrides,
}

/// What came of file and table, and of which.
struct InForce {
    file: Arc<TenantSettings>,
    table: Arc<Overrides>,
    settings: Arc<IdentityConfig>,
}

impl Settings {
    pub(crate) fn new(installation: Arc<IdentityConfig>, table: Arc<dyn SettingsTable>) -> Self {
        Self { installation, table, files: Cache::new(REMEMBERED), in_force: Cache::new(REMEMBERED) }
    }

    /// The settings of a tenant. Errors: 503 `config_broken` where its file is broken, which the log tells; 503.
    pub(crate) async fn of(&self, tenant: &Tenant) -> Result<Arc<IdentityConfig>> {
        let (file, table) = (self.file(tenant).await?, self.table.of(tenant).await?);
        if let Some(known) = self.in_force.get(&tenant.id)
            && Arc::ptr_eq(&known.file, &file)
            && Arc::ptr_eq(&known.table, &table)
        {
            return Ok(Arc::clone(&known.settings));
        }
        let written = |setting: &kernel::settings::Setting| file.written.get(setting.name).is_some();
        let said = self.table.preference().beside(&table, written);
        let settings = if said == Overrides::default() {
            Arc::clone(&file.settings)
        } else {
            Arc::new(file.settings.under(&said))
        };
        let in_force = InForce { file, table, settings: Arc::clone(&settings) };
        self.in_force.insert(tenant.id, Arc::new(in_force));
        Ok(settings)
    }

    /// What a tenant's file says of the settings that may lie in the table. Errors: 503 where it is broken.
    pub(crate) async fn written(&self, tenant: &Tenant) -> Result<Overrides> {
        Ok(self.file(tenant).await?.written.clone())
    }

    /// Reads a tenant's file anew; until the answer is called the old settings stay in force. Errors: 500
    /// `reload_failed`, which names file, line and key.
    pub(crate) async fn prepare(self: &Arc<Self>, tenant: &Tenant) -> Result<Commit> {
        let read = self.read(tenant).await.map_err(|mistake| Error::new(Reason::ReloadFailed, mistake))?;
        let (settings, id) = (Arc::clone(self), tenant.id);
        Ok(Box::new(move || settings.files.insert(id, read)))
    }

    async fn file(&self, tenant: &Tenant) -> Result<Arc<TenantSettings>> {
        // There are no old settings that could stay in force. Strangers learn no more than whom to ask.
        let broken = |mistake: String| {
            let message = format!("This tenant's {FILE} is broken; the server's log names the line");
            Error::new(Reason::ConfigBroken, message).because(mistake)
        };
        self.files.get_or_insert_async(&tenant.id, self.read(tenant)).await.map_err(broken)
    }

    async fn read(&self, tenant: &Tenant) -> Result<Arc<TenantSettings>, String> {
        let file = tenant.folder.join(FILE);
        let text = match tokio::fs::metadata(&file).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let settings = Arc::clone(&self.installation);
                return Ok(Arc::new(TenantSettings { settings, written: Overrides::default() }));
            }
            Err(error) => return Err(format!("{FILE} cannot be read: {error}")),
            Ok(metadata) if metadata.len() > MOST_BYTES => return Err(format!("{FILE} is larger than 256KB")),
            Ok(_) => {
                tokio::fs::read_to_string(&file).await.map_err(|error| format!("{FILE} cannot be read: {error}"))?
            }
        };
        let installation = Arc::clone(&self.installation);
        // The check may read files that the settings name.
        let checked = tokio::task::spawn_blocking(move || overlaid(&installation, &text)).await;
        checked.map_err(|error| format!("{FILE}: {error}"))?.map(Arc::new)
    }
}

/// The installation's settings with those of a tenant's file over them. The error names file, line and key.
pub(crate) fn overlaid(installation: &IdentityConfig, text: &str) -> Result<TenantSettings, String> {
    let mistake = |error: &toml::de::Error| place::of_mistake(FILE, text, error);
    let at = |key: &str, problem: &str| place::of_key(FILE, text, key, problem);
    // For the place of a mistake: in the merged table it is lost.
    toml::from_str::<IdentityConfig>(text).map_err(|error| mistake(&error))?;
    let theirs: Table = toml::from_str(text).map_err(|error| mistake(&error))?;
    if let Some(key) = OF_THE_INSTALLATION.iter().find(|key| theirs.contains_key(**key)) {
        return Err(at(key, "is for the whole installation; set it in insula.toml"));
    }
    let settings = laid_over(installation, theirs.clone()).map_err(|error| format!("{FILE}: {error}"))?;
    settings.check().map_err(|(key, mistake)| at(&key, &mistake))?;
    let is_written = |key: Option<&str>| key.is_some_and(|key| theirs.contains_key(key));
    let written = settings.as_overrides().only(|setting| is_written(setting.tenant_key()));
    Ok(TenantSettings { settings: Arc::new(settings), written })
}

/// The installation's settings with others over them. Errors: what the types say against them.
pub fn laid_over(installation: &IdentityConfig, theirs: Table) -> Result<IdentityConfig, String> {
    let merged = kernel::secret::exposed(|| Table::try_from(installation));
    let mut merged = merged.map_err(|error| error.to_string())?;
    merge(&mut merged, theirs);
    merged.try_into().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

impl IdentityConfig {
    /// What these settings say of those that may lie in a tenant's table.
    pub fn as_overrides(&self) -> Overrides {
        let seconds = u32::try_from(self.session_flush_interval.0.as_secs()).unwrap_or(u32::MAX);
        Overrides {
            session_timeout_minutes: Some(self.session_timeout_minutes),
            refresh_session_on_activity: Some(self.refresh_session_on_activity),
            max_concurrent_sessions: Some(self.max_concurrent_sessions),
            session_update_interval_seconds: Some(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN)),
            min_clear_sessions_power: Some(self.min_clear_sessions_power),
            default_user_settings_access: Some(self.default_user_settings_access),
            whitelisted_pin_ips: Some(self.whitelisted_pin_ips.clone()),
            whitelisted_string_ips: Some(self.whitelisted_string_ips.clone()),
            ..Overrides::default()
        }
    }

    /// These settings where a table says nothing else.
    fn under(&self, table: &Overrides) -> Self {
        fn set<T>(place: &mut T, said: Option<T>) {
            if let Some(said) = said {
                *place = said;
            }
        }
        let (mut settings, table) = (self.clone(), table.clone());
        let interval = table.session_update_interval_seconds.map(|seconds| Span::seconds(seconds.get().into()));
        set(&mut settings.session_timeout_minutes, table.session_timeout_minutes);
        set(&mut settings.refresh_session_on_activity, table.refresh_session_on_activity);
        set(&mut settings.max_concurrent_sessions, table.max_concurrent_sessions);
        set(&mut settings.session_flush_interval, interval);
        set(&mut settings.min_clear_sessions_power, table.min_clear_sessions_power);
        set(&mut settings.default_user_settings_access, table.default_user_settings_access);
        set(&mut settings.whitelisted_pin_ips, table.whitelisted_pin_ips);
        set(&mut settings.whitelisted_string_ips, table.whitelisted_string_ips);
        settings
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kernel::{Overrides, settings::ALL};

    use super::{TenantSettings, overlaid};
    use crate::{IdentityConfig, Registration};

    fn overlay(text: &str) -> Result<TenantSettings, String> {
        let installation = IdentityConfig { min_clear_sessions_power: 80, ..IdentityConfig::default() };
        overlaid(&installation, text)
    }

    #[test]
    fn a_tenant_says_what_differs() {
        let read = overlay("registration = \"closed\"\nsession_flush_interval = \"7s\"").unwrap();
        let settings = Arc::clone(&read.settings);
        assert_eq!((settings.registration, settings.min_clear_sessions_power), (Registration::Closed, 80));
        let seven = std::num::NonZeroU32::new(7);
        let written = Overrides { session_update_interval_seconds: seven, ..Overrides::default() };
        assert_eq!(read.written, written);
    }

    #[test]
    fn every_setting_of_identity_reaches_its_place() {
        let texts = ["7", "false", r#"["192.0.2.0/24"]"#, "read-own-only"];
        for setting in ALL.iter().filter(|setting| setting.tenant_key().is_some()) {
            let mut table = Overrides::default();
            let said = texts.iter().any(|text| table.set_text(setting.name, text).is_ok());
            assert!(said, "{}", setting.name);
            let under = IdentityConfig::default().under(&table).as_overrides();
            assert_eq!(under.get(setting.name), table.get(setting.name), "{}", setting.name);
            assert_eq!(
                under.only(|other| other != setting),
                IdentityConfig::default().as_overrides().only(|other| other != setting)
            );
            let text = toml::to_string(&IdentityConfig::default()).unwrap();
            assert!(text.contains(&format!("{} = ", setting.tenant_key().unwrap())), "{}", setting.key);
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let mistake = overlay("\nsession_timeout_minutes = 0").unwrap_err();
        assert!(mistake.starts_with("identity.toml line 2: session_timeout_minutes: "), "{mistake}");
        assert!(overlay("hash_queue = 1").unwrap_err().contains("for the whole installation"));
        assert!(overlay("sessions = 1").unwrap_err().contains("unknown field"));
    }
}
