//! Which of the installation's keys the tenants' keys are wrapped under, and wrapping them under another.

use std::sync::Arc;

use kernel::{
    WriteContext,
    seal::{self, SealingKey},
};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};

use super::{
    MasterKeys,
    control::Control,
    keys::opener,
    record::place,
    tables::{MASTER_KEY, TENANTS, WRAPPED_KEY},
};
use crate::{Ddl, Error, Result, Transaction, Value};

impl Control {
    /// The id of the installation's key that all rows are wrapped under. Where nobody has noted it yet, the first of
    /// the keys that opens what is there is noted.
    ///
    /// Errors: 503 `secrets_unreadable` where none of the keys is the right one.
    pub(super) async fn claim(&self, keys: &MasterKeys) -> kernel::Result<()> {
        let id = match self.key_id().await? {
            Some(id) => id,
            None => self.note_key(keys).await?,
        };
        keys.find(&id).await.map(drop).ok_or_else(|| keys.unknown(&id))
    }

    /// Whether [`Self::claim`] would succeed, found out without noting anything.
    pub(super) async fn check_key(&self, keys: &MasterKeys) -> kernel::Result<()> {
        let noted = self.database().schema().table(MASTER_KEY).is_some();
        match if noted { self.key_id().await? } else { None } {
            Some(id) => keys.find(&id).await.map(drop).ok_or_else(|| keys.unknown(&id)),
            None => self.key_in_use(keys).await.map(drop),
        }
    }

    /// The id of the installation's key, as it is noted.
    pub(super) async fn key_id(&self) -> Result<Option<String>> {
        let rows = self.database().read(&noted(&self.database().ddl())).await?;
        rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    /// The id of the first of the keys that opens what is there.
    async fn key_in_use(&self, keys: &MasterKeys) -> kernel::Result<String> {
        let mut one = Query::select();
        one.columns(["id", WRAPPED_KEY].map(Alias::new)).from(self.database().ddl().table(TENANTS));
        one.and_where(Expr::col(Alias::new(WRAPPED_KEY)).is_not_null())
            .order_by(Alias::new("number"), Order::Asc)
            .limit(1);
        match self.database().read(&one).await?.first() {
            Some(row) => {
                let (id, text) = (row.uuid(0)?, row.uuid(0)?.to_string());
                Ok(opener(&keys.all(), place(id, &text, WRAPPED_KEY), row.text(1)?)?.0.id().to_owned())
            }
            None => Ok(keys.first().id().to_owned()),
        }
    }

    async fn note_key(&self, keys: &MasterKeys) -> kernel::Result<String> {
        let id = self.key_in_use(keys).await?;
        let ddl = self.database().ddl();
        let context = WriteContext::system();
        let noted = self.database().transaction(&context, move |transaction| {
            let mut note = Query::insert();
            note.into_table(ddl.table(MASTER_KEY)).columns(["id", "key_id", "changed_at"].map(Alias::new));
            let values = [Value::from(1_i64), Value::from(&*id), Value::from(kernel::time::now())];
            let filled = note.values(values.map(Expr::from)).map(drop);
            Box::pin(async move {
                filled.map_err(|error| Error::Driver(error.to_string().into()))?;
                transaction.execute(&note).await.map(drop)
            })
        });
        match noted.await {
            // Another process was quicker; what it noted counts.
            Ok(()) | Err(Error::Unique(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.key_id().await?.ok_or_else(|| kernel::Error::internal("the id of the installation's key is not noted"))
    }

    /// Wraps the keys of all tenants anew, and notes the new key, as one. `tell` hears how many are done. Rows that are
    /// under the new key already stay as they are.
    pub(super) async fn rewrap(
        &self,
        keys: Arc<Vec<SealingKey>>,
        new: SealingKey,
        tell: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<u64> {
        let ddl = self.database().ddl();
        self.database()
            .transaction(&WriteContext::system(), move |transaction| {
                let (ddl, keys, new, tell) = (ddl.clone(), Arc::clone(&keys), new.clone(), Arc::clone(&tell));
                Box::pin(async move { rewrap(transaction, &ddl, &keys, &new, &*tell).await })
            })
            .await
    }
}

fn noted(ddl: &Ddl) -> SelectStatement {
    Query::select().column(Alias::new("key_id")).from(ddl.table(MASTER_KEY)).take()
}

/// The id of the installation's key, which stays what it is until the transaction ends.
pub(super) async fn locked(transaction: &mut Transaction<'_>, ddl: &Ddl) -> Result<String> {
    let rows = transaction.rows(noted(ddl).lock_exclusive()).await?;
    let row = rows.first().ok_or_else(|| kernel::Error::internal("the id of the installation's key is not noted"))?;
    row.text(0).map(str::to_owned)
}

async fn rewrap(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    keys: &[SealingKey],
    new: &SealingKey,
    tell: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64> {
    // Whoever makes a tenant waits here, so that no row is missed.
    locked(transaction, ddl).await?;
    let mut select = Query::select();
    select.columns(["id", WRAPPED_KEY].map(Alias::new)).from(ddl.table(TENANTS));
    select.and_where(Expr::col(Alias::new(WRAPPED_KEY)).is_not_null());
    let mut done = 0;
    for row in transaction.rows(&select).await? {
        let (id, wrapped) = (row.uuid(0)?, row.text(1)?);
        if seal::key_id(wrapped) != Some(new.id()) {
            let text = id.to_string();
            let place = place(id, &text, WRAPPED_KEY);
            let again = new.wrap(place, &opener(keys, place, wrapped)?.1)?;
            let mut update = Query::update();
            update.table(ddl.table(TENANTS)).and_where(Expr::col(Alias::new("id")).eq(text));
            transaction.execute(update.value(Alias::new(WRAPPED_KEY), again)).await?;
            done += 1;
        }
        tell(done);
    }
    let mut note = Query::update();
    note.table(ddl.table(MASTER_KEY)).value(Alias::new("key_id"), new.id());
    note.value(Alias::new("changed_at"), Expr::from(Value::from(kernel::time::now())));
    transaction.execute(&note).await?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use kernel::seal::SealingKey;
    use uuid::Uuid;

    use super::super::{FeatureTables, MasterKeys, NewTenant, Servers, StoreConfig, TenantRecord, control::Control};

    #[tokio::test]
    async fn a_tenant_is_not_made_known_under_a_key_that_has_gone() {
        let (folder, config) = (tempfile::tempdir().unwrap(), StoreConfig::default());
        let servers = Servers::new(1);
        let list = Control::location(folder.path(), &config).unwrap();
        let control = Control::open(&list, &config, &servers, FeatureTables::default()).await.unwrap();
        let (old, new, own) = (SealingKey::generate(), SealingKey::generate(), SealingKey::generate());
        control.claim(&MasterKeys::from(old.clone())).await.unwrap();
        let named = NewTenant { name: "one".to_owned(), ..NewTenant::default() };
        let mut record =
            TenantRecord::new(Uuid::now_v7(), &named, None, PathBuf::new(), "sqlite".to_owned(), &own).unwrap();
        record.wrap(&old, &own).unwrap();
        let keys = std::sync::Arc::new(vec![old.clone()]);
        control.rewrap(keys, new.clone(), std::sync::Arc::new(|_| {})).await.unwrap();
        assert!(!control.insert(&record, false, old.id()).await.unwrap());
        assert!(control.list(folder.path()).await.unwrap().is_empty());
        record.wrap(&new, &own).unwrap();
        assert!(control.insert(&record, false, new.id()).await.unwrap());
        assert_eq!(control.list(folder.path()).await.unwrap().len(), 1);
    }
}
