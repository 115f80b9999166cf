//! Tenants: isolated sites, each with its own domain and database.

use std::{path::PathBuf, sync::Arc};

use uuid::Uuid;

use crate::{Error, Reason, Result, Soon};

/// The id of a tenant; it stays when the tenant is renamed.
pub type TenantId = Uuid;

/// Whether a tenant answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantStatus {
    /// It answers.
    Active,
    /// Everything but the operator's commands is refused.
    Suspended,
}

/// What every room may know of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The id, also the issuer's name in its tokens.
    pub id: TenantId,
    /// The name that operators use.
    pub name: String,
    /// The domain below which its hosts are: `api.`, `assets.` and `webhooks.`; none on a laptop.
    pub domain: Option<String>,
    /// Whether it answers.
    pub status: TenantStatus,
    /// Origins of web pages that may call it; `*` stands for all.
    pub cors_origins: Vec<String>,
    /// The folder with its rules, migrations and, on SQLite, its database.
    pub folder: PathBuf,
}

impl Tenant {
    /// Refuses with 403 where the tenant is suspended.
    pub fn require_active(&self) -> Result<()> {
        match self.status {
            TenantStatus::Active => Ok(()),
            TenantStatus::Suspended => Err(Error::plain(Reason::TenantSuspended)),
        }
    }
}

/// Finds tenants. The edge asks, the store answers.
pub trait TenantDirectory: Send + Sync {
    /// The tenant of a domain, such as `example.com`.
    fn by_domain<'a>(&'a self, domain: &'a str) -> Soon<'a, Result<Option<Arc<Tenant>>>>;
    /// The tenant with an id.
    fn by_id(&self, id: TenantId) -> Soon<'_, Result<Option<Arc<Tenant>>>>;
    /// The first tenant, which loopback names and direct addresses reach; none before the installation is initialised.
    fn first(&self) -> Soon<'_, Result<Option<Arc<Tenant>>>>;
}
