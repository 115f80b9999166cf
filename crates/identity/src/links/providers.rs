//! Providers that were asked of late, with what they keep of the issuers' documents.

use std::sync::Arc;

use kernel::{Error, Result};
use provider::Provider;
use quick_cache::sync::Cache;

use super::provider_unknown;
use crate::IdentityConfig;

const REMEMBERED: usize = 1_000;

/// One provider for all tenants with the same settings; other settings, as after a reload, have another one.
pub(crate) struct Providers(Cache<(usize, String), Built>);

#[derive(Clone)]
struct Built {
    provider: Arc<Provider>,
    /// As long as they are held, their address means them.
    _settings: Arc<IdentityConfig>,
}

impl Providers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    /// The provider of a name. Errors: 404 `provider_unknown`.
    pub(super) async fn of(&self, settings: &Arc<IdentityConfig>, name: &str) -> Result<Arc<Provider>> {
        let config = settings.providers.get(name).ok_or_else(provider_unknown)?;
        let key = (Arc::as_ptr(settings).addr(), name.to_owned());
        if let Some(built) = self.0.get(&key) {
            return Ok(built.provider);
        }
        let (name, config) = (name.to_owned(), config.clone());
        // It reads the certificates that this machine trusts.
        let provider = tokio::task::spawn_blocking(move || Provider::new(&name, &config)).await;
        let provider = Arc::new(provider.map_err(Error::internal)??);
        self.0.insert(key, Built { provider: Arc::clone(&provider), _settings: Arc::clone(settings) });
        Ok(provider)
    }
}
