//! `_signing_keys`: the key pairs that sign a tenant's tokens.

use kernel::WriteContext;
use sea_query::{Alias, ExprTrait, Order, Query};
use store::{Database, Result, Value};

use super::{column, insert};

pub(crate) const KEYS: &str = "_signing_keys";

/// A key pair as it is stored: the private half sealed.
#[derive(Clone)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    /// The public key, base64 for URLs, as in a JWK's `x`.
    pub(crate) public: String,
    /// The private key as PKCS#8, sealed.
    pub(crate) private: String,
}

/// The only algorithm so far.
pub(crate) const ALGORITHM: &str = "EdDSA";

/// The keys that tokens may still be signed with, the oldest first, so that all processes sign with the same.
pub(crate) async fn list(database: &Database) -> Result<Vec<KeyRow>> {
    let mut select = Query::select();
    select.columns(["kid", "public", "private"].map(Alias::new)).from(database.ddl().table(KEYS));
    select.and_where(column("algorithm").eq(ALGORITHM)).and_where(column("retired_at").is_null());
    select.order_by(Alias::new("created_at"), Order::Asc).order_by(Alias::new("kid"), Order::Asc);
    let rows = database.read(&select).await?;
    let key = |row: &store::Row| {
        Ok(KeyRow { kid: row.text(0)?.to_owned(), public: row.text(1)?.to_owned(), private: row.text(2)?.to_owned() })
    };
    rows.iter().map(key).collect()
}

/// Stores a new key pair.
pub(crate) async fn add(database: &Database, key: KeyRow) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, key) = (ddl.table(KEYS), key.clone());
            Box::pin(async move {
                let row = [
                    ("kid", Value::from(key.kid)),
                    ("algorithm", Value::from(ALGORITHM)),
                    ("public", Value::from(key.public)),
                    ("private", Value::from(key.private)),
                    ("created_at", Value::from(kernel::time::now())),
                ];
                transaction.execute(&insert(table, row)?).await.map(drop)
            })
        })
        .await
}
