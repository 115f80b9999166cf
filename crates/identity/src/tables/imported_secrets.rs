//! `_imported_secrets`: secrets of outside services that lay in the clear among keys of another back end, sealed.

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, ExprTrait, Order, Query, SelectStatement};
use store::{Database, Ddl, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{column, insert};

pub(crate) const IMPORTED_SECRETS: &str = "_imported_secrets";

/// A secret as it is stored.
#[derive(Clone)]
pub(crate) struct SecretRow {
    pub(crate) id: Uuid,
    pub(crate) provider: String,
    pub(crate) imported_from: String,
    /// The keyed hash, in hexadecimal.
    pub(crate) mac: String,
    /// Sealed.
    pub(crate) value: String,
    pub(crate) created_at: Timestamp,
}

fn select(ddl: &Ddl) -> SelectStatement {
    let mut select = Query::select();
    let columns = ["id", "provider", "imported_from", "mac", "value", "created_at"];
    select.columns(columns.map(Alias::new)).from(ddl.table(IMPORTED_SECRETS));
    select
}

fn from_row(row: &Row) -> Result<SecretRow> {
    Ok(SecretRow {
        id: row.uuid(0)?,
        provider: row.text(1)?.to_owned(),
        imported_from: row.text(2)?.to_owned(),
        mac: row.text(3)?.to_owned(),
        value: row.text(4)?.to_owned(),
        created_at: row.timestamp(5)?,
    })
}

/// All secrets, by where they came from.
pub(crate) async fn list(database: &Database) -> Result<Vec<SecretRow>> {
    let mut select = select(&database.ddl());
    select.order_by(Alias::new("imported_from"), Order::Asc).order_by(Alias::new("id"), Order::Asc);
    database.read(&select).await?.iter().map(from_row).collect()
}

/// One secret.
pub(crate) async fn find(database: &Database, id: Uuid) -> Result<Option<SecretRow>> {
    let mut select = select(&database.ddl());
    select.and_where(column("id").eq(id.to_string()));
    database.read(&select).await?.first().map(from_row).transpose()
}

/// Whether a keyed hash is that of a secret.
pub(crate) async fn is_known(transaction: &mut Transaction<'_>, ddl: &Ddl, mac: &str) -> Result<bool> {
    let mut select = Query::select();
    select.column(Alias::new("id")).from(ddl.table(IMPORTED_SECRETS)).and_where(column("mac").eq(mac));
    Ok(!transaction.rows(&select).await?.is_empty())
}

/// Stores a secret.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, secret: SecretRow) -> Result<()> {
    let row = [
        ("id", Value::from(secret.id)),
        ("provider", Value::from(secret.provider)),
        ("imported_from", Value::from(secret.imported_from)),
        ("mac", Value::from(secret.mac)),
        ("value", Value::from(secret.value)),
        ("created_at", Value::from(secret.created_at)),
    ];
    transaction.execute(&insert(ddl.table(IMPORTED_SECRETS), row)?).await.map(drop)
}

/// Removes a secret and tells whether there was one.
pub(crate) async fn remove(database: &Database, id: Uuid) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(IMPORTED_SECRETS)).and_where(column("id").eq(id.to_string()));
            Box::pin(async move { Ok(transaction.execute(&delete).await? > 0) })
        })
        .await
}
