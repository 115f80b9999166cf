//! What a tenant says otherwise than the installation: the file `identity.toml` in its folder.

use std::sync::Arc;

use kernel::{Error, Reason, Result, Tenant, TenantId, reload::Commit};
use quick_cache::sync::Cache;
use toml::Table;

use crate::IdentityConfig;

const FILE: &str = "identity.toml";
const REMEMBERED: usize = 50_000;
const MOST_BYTES: u64 = 256 << 10;
/// Keys of the settings that all tenants share, so that none may set them.
pub const OF_THE_INSTALLATION: [&str; 8] = [
    "session_flush_interval",
    "password_hash",
    "password_memory",
    "password_passes",
    "bcrypt_cost",
    "hash_threads",
    "hash_queue",
    "hash_wait",
];

/// The settings in force for each tenant: read when they are first needed, and again after a reload.
pub(crate) struct Settings {
    installation: Arc<IdentityConfig>,
    known: Cache<TenantId, Arc<IdentityConfig>>,
}

impl Settings {
    pub(crate) fn new(installation: Arc<IdentityConfig>) -> Self {
        Self { installation, known: Cache::new(REMEMBERED) }
    }

    /// The settings of a tenant. Errors: 500 where its file is broken, which the log tells.
    pub(crate) async fn of(&self, tenant: &Tenant) -> Result<Arc<IdentityConfig>> {
        if let Some(known) = self.known.get(&tenant.id) {
            return Ok(known);
        }
        let read = self.read(tenant).await.map_err(Error::internal)?;
        self.known.insert(tenant.id, Arc::clone(&read));
        Ok(read)
    }

    /// Reads a tenant's file anew; until the answer is called the old settings stay in force. Errors: 500
    /// `reload_failed`, which names file, line and key.
    pub(crate) async fn prepare(self: &Arc<Self>, tenant: &Tenant) -> Result<Commit> {
        let read = self.read(tenant).await.map_err(|mistake| Error::new(Reason::ReloadFailed, mistake))?;
        let (settings, id) = (Arc::clone(self), tenant.id);
        Ok(Box::new(move || settings.known.insert(id, read)))
    }

    async fn read(&self, tenant: &Tenant) -> Result<Arc<IdentityConfig>, String> {
        let file = tenant.folder.join(FILE);
        let text = match tokio::fs::metadata(&file).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Arc::clone(&self.installation)),
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
pub(crate) fn overlaid(installation: &IdentityConfig, text: &str) -> Result<IdentityConfig, String> {
    let mistake = |error: &toml::de::Error| format!("{FILE}: {}", error.to_string().trim_end());
    // For the place of a mistake: in the merged table it is lost.
    toml::from_str::<IdentityConfig>(text).map_err(|error| mistake(&error))?;
    let theirs: Table = toml::from_str(text).map_err(|error| mistake(&error))?;
    if let Some(key) = OF_THE_INSTALLATION.iter().find(|key| theirs.contains_key(**key)) {
        return Err(format!("{FILE}: {key} is for the whole installation; set it in insula.toml"));
    }
    let settings = laid_over(installation, theirs).map_err(|error| format!("{FILE}: {error}"))?;
    settings.check().map_err(|(key, mistake)| format!("{FILE}: {key}: {mistake}"))?;
    Ok(settings)
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

#[cfg(test)]
mod tests {
    use super::overlaid;
    use crate::{IdentityConfig, Registration};

    fn overlay(text: &str) -> Result<IdentityConfig, String> {
        let installation = IdentityConfig { min_clear_sessions_power: 80, ..IdentityConfig::default() };
        overlaid(&installation, text)
    }

    #[test]
    fn a_tenant_says_what_differs() {
        let settings = overlay("registration = \"closed\"").unwrap();
        assert_eq!((settings.registration, settings.min_clear_sessions_power), (Registration::Closed, 80));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let mistake = overlay("\nsession_timeout_minutes = 0").unwrap_err();
        assert!(mistake.starts_with("identity.toml: TOML parse error at line 2"), "{mistake}");
        assert!(overlay("hash_queue = 1").unwrap_err().contains("for the whole installation"));
        assert!(overlay("sessions = 1").unwrap_err().contains("unknown field"));
    }
}
