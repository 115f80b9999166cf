//! The mail server of each tenant.

use std::sync::Arc;

use kernel::{Result, Tenant, TenantId};
use mail::{MailConfig, Mailer};
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::IdentityConfig;

const REMEMBERED: usize = 1_000;
/// The folder of a tenant without a mail server, in the tenant's own.
const OUTBOX: &str = "outbox";

/// Mailers, made when they are first needed and again when the settings have changed.
pub(super) struct Mailers {
    installation: Arc<IdentityConfig>,
    /// That of all tenants which leave the mail server to the installation, so that they share its connections.
    shared: Mutex<Option<Arc<Mailer>>>,
    own: Cache<TenantId, (MailConfig, Arc<Mailer>)>,
}

impl Mailers {
    pub(super) fn new(installation: Arc<IdentityConfig>) -> Self {
        Self { installation, shared: Mutex::default(), own: Cache::new(REMEMBERED) }
    }

    /// The mailer for a tenant's settings. Errors: 400 `field_invalid`, where they cannot be used.
    pub(super) async fn of(&self, tenant: &Tenant, settings: &IdentityConfig) -> Result<Arc<Mailer>> {
        let config = &settings.mail;
        let is_shared = config.smtp_url.is_some() && *config == self.installation.mail;
        let known = if is_shared {
            self.shared.lock().clone()
        } else {
            self.own.get(&tenant.id).filter(|(made_of, _)| made_of == config).map(|(_, mailer)| mailer)
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let (made_of, folder) = (config.clone(), tenant.folder.join(OUTBOX));
        // It may read a file.
        let made = tokio::task::spawn_blocking(move || Mailer::new(&made_of, &folder)).await;
        let mailer = Arc::new(made.map_err(kernel::Error::internal)??);
        if is_shared {
            *self.shared.lock() = Some(Arc::clone(&mailer));
        } else {
            self.own.insert(tenant.id, (config.clone(), Arc::clone(&mailer)));
        }
        Ok(mailer)
    }
}
