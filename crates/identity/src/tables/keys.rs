//! `_signing_keys`: the key pairs that sign a tenant's tokens.

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Query};
use store::{Database, Ddl, Error, Result, Transaction, Value};

use super::{column, insert, webhook_tokens};
use crate::TokenAlgorithm;

pub(crate) const KEYS: &str = "_signing_keys";

/// A key pair as it is stored: the private half sealed.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) algorithm: TokenAlgorithm,
    /// The public key, base64 for URLs: the 32 bytes of Ed25519, or the uncompressed point on P-256.
    pub(crate) public: String,
    /// The private key as PKCS#8, sealed; nothing, sealed, in a key that signs no more.
    pub(crate) private: String,
    pub(crate) created_at: Timestamp,
    /// Until when it verifies; none in the key that signs.
    pub(crate) retired_at: Option<Timestamp>,
}

/// All keys that there ever were: one in some months.
pub(crate) async fn list(database: &Database) -> Result<Vec<KeyRow>> {
    let mut select = Query::select();
    select.columns(["kid", "algorithm", "public", "private", "created_at", "retired_at"].map(Alias::new));
    select.from(database.ddl().table(KEYS));
    let rows = database.read(&select).await?;
    let key = |row: &store::Row| {
        let algorithm = TokenAlgorithm::from_word(row.text(1)?);
        Ok(KeyRow {
            kid: row.text(0)?.to_owned(),
            algorithm: algorithm.ok_or_else(|| Error::Driver("a signing key has an unknown algorithm".into()))?,
            public: row.text(2)?.to_owned(),
            private: row.text(3)?.to_owned(),
            created_at: row.timestamp(4)?,
            retired_at: row.maybe_timestamp(5)?,
        })
    };
    rows.iter().map(key).collect()
}

/// A key that signs no more.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    pub(crate) kid: String,
    /// What takes the place of its private half: nothing, sealed.
    pub(crate) blank: String,
    /// Until when it verifies, unless one of its tokens is good for longer.
    pub(crate) verifies_until: Timestamp,
}

/// Stores a new key pair, and stops the one before. Errors: [`Error::Unique`] where another process was quicker.
pub(crate) async fn add(database: &Database, key: KeyRow, stopped: Option<Stopped>) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (ddl, key, stopped) = (ddl.clone(), key.clone(), stopped.clone());
            Box::pin(async move {
                let row = [
                    ("kid", Value::from(key.kid)),
                    ("algorithm", Value::from(key.algorithm.word())),
                    ("public", Value::from(key.public)),
                    ("private", Value::from(key.private)),
                    ("created_at", Value::from(key.created_at)),
                ];
                transaction.execute(&insert(ddl.table(KEYS), row)?).await?;
                match stopped {
                    Some(stopped) => stop(transaction, &ddl, stopped).await,
                    None => Ok(()),
                }
            })
        })
        .await
}

async fn stop(transaction: &mut Transaction<'_>, ddl: &Ddl, stopped: Stopped) -> Result<()> {
    lock(transaction, ddl, &stopped.kid).await?;
    let last = webhook_tokens::last_of_key(transaction, ddl, &stopped.kid).await?;
    let retired_at = last.map_or(stopped.verifies_until, |last| last.max(stopped.verifies_until));
    let mut update = Query::update();
    update.table(ddl.table(KEYS)).value(Alias::new("private"), stopped.blank);
    update.value(Alias::new("retired_at"), Expr::from(Value::from(retired_at)));
    update.and_where(column("kid").eq(stopped.kid)).and_where(column("retired_at").is_null());
    transaction.execute(&update).await.map(drop)
}

/// Makes sure that a key verifies until a moment, even if it stops signing meanwhile.
pub(crate) async fn keep_until(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    kid: &str,
    until: Timestamp,
) -> Result<()> {
    lock(transaction, ddl, kid).await?;
    let until = || Expr::from(Value::from(until));
    let mut update = Query::update();
    update.table(ddl.table(KEYS)).value(Alias::new("retired_at"), until());
    update.and_where(column("kid").eq(kid)).and_where(column("retired_at").lt(until()));
    transaction.execute(&update).await.map(drop)
}

/// Keeps a key from being stopped, or looked at by who stops it, until the end of the transaction.
async fn lock(transaction: &mut Transaction<'_>, ddl: &Ddl, kid: &str) -> Result<()> {
    let mut select = Query::select();
    select.column(Alias::new("kid")).from(ddl.table(KEYS)).and_where(column("kid").eq(kid)).lock_exclusive();
    transaction.rows(&select).await.map(drop)
}
