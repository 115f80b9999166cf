//! A tenant whose databases are open.

use std::sync::Arc;

use kernel::{BoxFuture, Tenant, seal::SealingKey};

use crate::{Database, Result};

/// The databases and the data key of a tenant.
pub struct OpenTenant {
    /// The tenant, as it was when it was opened.
    pub tenant: Arc<Tenant>,
    /// The tenant's own tables; Insula's lie beside them unless they may not.
    pub data: Database,
    /// Insula's tables of this tenant: the same database, or a second one.
    pub system: Database,
    /// Seals what must be read back.
    pub key: SealingKey,
}

/// What is done with a tenant's databases when they were opened, before anyone gets them.
pub trait AfterOpening: Send + Sync {
    /// Does it. It must not open the tenant itself, and must be quick: requests wait for it.
    fn opened<'a>(&'a self, open: &'a Arc<OpenTenant>) -> BoxFuture<'a, ()>;
}

impl OpenTenant {
    /// Whether statements can use the tenant's tables and Insula's together.
    pub fn is_one_database(&self) -> bool {
        self.data.is_same(&self.system)
    }

    /// Gives back memory and files that were not used since the last time. It may block.
    pub(super) fn rest(&self) {
        self.data.rest();
        if !self.is_one_database() {
            self.system.rest();
        }
    }

    /// Lets go of its files, for the tenant is about to be removed.
    pub(super) async fn close(&self) -> Result<()> {
        self.data.close().await?;
        self.system.close().await
    }
}
