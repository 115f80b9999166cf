//! The audit log of an installation.

use std::{sync::Arc, time::Duration};

use kernel::Result;
use store::{Database, Tenants};

use crate::{AuditConfig, Entry, Filter, Page, Spool, mover::Mover, table};

/// How often entries are moved.
const INTERVAL: Duration = Duration::from_secs(5);
/// Time for which a reader waits for what was written just now.
const PATIENCE: Duration = Duration::from_secs(2);

/// The audit log of all tenants.
pub struct Audit {
    spool: Arc<Spool>,
    mover: Mover,
    /// One at a time moves.
    moving: Arc<tokio::sync::Mutex<()>>,
}

impl Audit {
    /// The audit log over the tenants of an installation. It touches nothing until it is asked.
    pub fn new(tenants: Arc<Tenants>, spool: Arc<Spool>, config: AuditConfig) -> Arc<Self> {
        Arc::new(Self { mover: Mover::new(tenants, Arc::clone(&spool), config), spool, moving: Arc::default() })
    }

    /// The work in the background: it moves entries and tells of those that were refused. It never ends.
    pub fn job(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let audit = Arc::clone(self);
        async move {
            loop {
                let _ = tokio::time::timeout(INTERVAL, audit.spool.many.notified()).await;
                let moving = Arc::clone(&audit.moving).lock_owned().await;
                audit.move_now(moving).await;
            }
        }
    }

    /// Moves what was written until now, if that does not take long: what cannot be moved in time is moved later.
    pub async fn settle(self: &Arc<Self>) {
        let settled = async {
            let moving = Arc::clone(&self.moving).lock_owned().await;
            let audit = Arc::clone(self);
            // A task of its own, which goes on where nobody waits for it any more.
            let _ = tokio::spawn(async move { audit.move_now(moving).await }).await;
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            tracing::debug!("entries of the audit log are still being moved");
        }
    }

    /// Moves what this process has written, if it has; for the end of a command or of a server.
    pub async fn finish(self: &Arc<Self>) {
        if self.spool.is_dirty() {
            self.settle().await;
        }
    }

    async fn move_now(&self, _moving: tokio::sync::OwnedMutexGuard<()>) {
        if let Err(error) = self.mover.run().await {
            tracing::warn!(%error, "entries of the audit log could not be moved");
        }
        let refused = self.spool.take_refused();
        if refused > 0 {
            tracing::error!(
                refused,
                "entries of the audit log could not be written down and are on standard error alone"
            );
        }
    }

    /// Entries of a tenant by its database for Insula's own tables: at most `limit`, and whether there are more.
    pub async fn page(&self, system: &Database, filter: &Filter, page: Page, limit: u64) -> Result<(Vec<Entry>, bool)> {
        let mut entries = table::page(system, filter, page, limit).await?;
        let more = entries.len() as u64 > limit;
        entries.truncate(limit as usize);
        Ok((entries, more))
    }
}
