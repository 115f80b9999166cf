//! Removing tenants, and what is left where one is about to be made.

use std::time::Duration;

use kernel::{Error, Reason, WriteContext};
use tokio::time::timeout;

use super::{Location, TenantRecord, Tenants};

/// Time at the start for deletions that were interrupted; what takes longer is finished at another start.
const FINISHING: Duration = Duration::from_secs(10);

impl Tenants {
    /// Removes a tenant for ever: first its key, so that nothing sealed can be read any more, then its data. An adopted
    /// database is left as it is, with Insula's tables in it where they lie beside the others; it cannot be adopted again
    /// before they are dropped. A note of the tenant is kept, with the user and the request of the context.
    ///
    /// Errors: 404 where another process has begun to delete it; 409 `conflict`; 503, where nothing has been changed if its
    /// databases cannot be reached.
    pub async fn delete(&self, record: &TenantRecord, context: &WriteContext) -> kernel::Result<()> {
        let (_changing, turn) = self.turn().await?;
        let deleted = self.delete_in_turn(record, context).await;
        turn.end().await;
        deleted
    }

    async fn delete_in_turn(&self, record: &TenantRecord, context: &WriteContext) -> kernel::Result<()> {
        // What is sealed must be read before its key is destroyed, and what cannot be finished is not begun.
        let key = record.data_key(&self.keys).await;
        let system = key.and_then(|key| record.urls(&key)).ok().and_then(|(_, system)| system);
        let system = system.map(|url| Location::system(record, &url)).transpose()?;
        for location in self.own_location(record)?.iter().chain(&system) {
            self.refuse_of_others(record, location).await?;
            location.reach(&self.servers).await?;
        }
        self.control.begin_deletion(record, context).await?;
        self.control.flush().await?;
        self.lookups.clear();
        if let Some(open) = self.open.remove(&record.tenant.id).await {
            open.close().await?;
        }
        if let Some(system) = system {
            self.wipe_leftovers(record, &system).await?;
        }
        self.finish_deletion(record).await
    }

    /// Finishes deletions that were interrupted. One that cannot be finished keeps nothing from starting: it is tried
    /// again at the next start.
    pub(super) async fn finish_deletions(&self) -> crate::Result<()> {
        if self.control.deletions(&self.data).await?.is_empty() {
            return Ok(());
        }
        let finish = async {
            let (_changing, turn) = self.turn().await?;
            // Another process may have finished some meanwhile.
            for record in self.control.deletions(&self.data).await? {
                if let Err(error) = self.finish_deletion(&record).await {
                    tracing::error!(
                        tenant = record.tenant.name, %error,
                        "the deletion of a tenant cannot be finished; it is tried again at the next start"
                    );
                }
            }
            turn.end().await;
            Ok::<_, Error>(())
        };
        match timeout(FINISHING, finish).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "deletions of tenants are not finished at this start"),
            Err(_elapsed) => tracing::error!("deletions of tenants take long and are finished at another start"),
        }
        Ok(())
    }

    async fn finish_deletion(&self, record: &TenantRecord) -> kernel::Result<()> {
        if let Some(own) = self.own_location(record)? {
            self.refuse_of_others(record, &own).await?;
            own.destroy(&self.servers).await?;
        }
        match std::fs::remove_dir_all(&record.tenant.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::Error::Unavailable(error.into()).into());
            }
            _ => {}
        }
        Ok(self.control.end_deletion(record).await?)
    }

    /// The tenant's database, unless it was there before it.
    fn own_location(&self, record: &TenantRecord) -> crate::Result<Option<Location>> {
        let own = (!record.adopted).then(|| Location::choose(record, None, self.config.database.expose()));
        own.transpose()
    }

    /// Removes what an interrupted creation may have left where a tenant is about to live, or what Insula made beside an
    /// adopted database. Databases that were there before are never touched.
    ///
    /// Errors: 409 `conflict` where the place is another tenant's or that of a list of tenants; 503.
    pub(super) async fn wipe_leftovers(&self, record: &TenantRecord, location: &Location) -> kernel::Result<()> {
        if !location.is_made() {
            return Ok(());
        }
        self.refuse_of_others(record, location).await?;
        Ok(location.destroy(&self.servers).await?)
    }

    async fn refuse_of_others(&self, record: &TenantRecord, location: &Location) -> kernel::Result<()> {
        let Some(place) = location.name() else { return Ok(()) };
        match self.control.owner_of(place, record.tenant.id).await? {
            None => Ok(()),
            Some(owner) => {
                let message = format!("The database {place} is that of the tenant {owner:?}");
                Err(Error::new(Reason::Conflict, message).at("name"))
            }
        }
    }
}
