//! `_one_time_tokens`: what proves that a letter was read. A token is never stored, only what recognises it.

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, ExprTrait, Query};
use store::{Database, Ddl, Result, Transaction, Value};
use uuid::Uuid;

use super::{column, insert, users};

const TOKENS: &str = "_one_time_tokens";

/// What a token is good for. A user has one of each at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Setting a password.
    Reset,
    /// Confirming the address that the user has.
    Verify,
    /// Confirming the address that the user wants.
    Change,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Change => "change",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Reset, Self::Verify, Self::Change].into_iter().find(|purpose| purpose.word() == word)
    }
}

/// A token to be stored.
#[derive(Clone)]
pub(crate) struct Fresh {
    /// SHA-256 of the token, in hexadecimal.
    pub(crate) hash: String,
    pub(crate) purpose: Purpose,
    pub(crate) user: Uuid,
    /// The address that it was sent to.
    pub(crate) email: String,
    pub(crate) expires_at: Timestamp,
}

/// A token that is good at this moment.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) purpose: Purpose,
    pub(crate) user: Uuid,
    pub(crate) email: String,
}

/// Stores a token in the place of an older one of its purpose; tells whether the user is still there.
pub(crate) async fn replace(database: &Database, token: Fresh) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (ddl, token) = (ddl.clone(), token.clone());
            Box::pin(async move {
                if users::lock(transaction, &ddl, token.user).await?.is_none() {
                    return Ok(false);
                }
                let mut delete = Query::delete();
                delete.from_table(ddl.table(TOKENS)).and_where(column("user_id").eq(token.user.to_string()));
                delete.and_where(column("purpose").eq(token.purpose.word()));
                transaction.execute(&delete).await?;
                let row = [
                    ("token_hash", Value::from(token.hash)),
                    ("purpose", Value::from(token.purpose.word())),
                    ("user_id", Value::from(token.user)),
                    ("email", Value::from(token.email)),
                    ("created_at", Value::from(kernel::time::now())),
                    ("expires_at", Value::from(token.expires_at)),
                ];
                transaction.execute(&insert(ddl.table(TOKENS), row)?).await?;
                Ok(true)
            })
        })
        .await
}

/// A token by its hash, unless it has expired.
pub(crate) async fn find(database: &Database, hash: &str) -> Result<Option<Found>> {
    let mut select = Query::select();
    select.columns(["purpose", "user_id", "email", "expires_at"].map(Alias::new));
    select.from(database.ddl().table(TOKENS)).and_where(column("token_hash").eq(hash));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(purpose) = Purpose::from_word(row.text(0)?) else { return Ok(None) };
    if row.timestamp(3)? <= kernel::time::now() {
        return Ok(None);
    }
    Ok(Some(Found { purpose, user: row.uuid(1)?, email: row.maybe_text(2)?.unwrap_or_default().to_owned() }))
}

/// Spends a token of a user whose row is locked; tells whether it was there to be spent.
pub(crate) async fn spend(transaction: &mut Transaction<'_>, ddl: &Ddl, hash: &str) -> Result<bool> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(TOKENS)).and_where(column("token_hash").eq(hash));
    Ok(transaction.execute(&delete).await? == 1)
}

/// Voids every token of a user whose row is locked: what they were sent for has changed.
pub(crate) async fn void_all(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(TOKENS)).and_where(column("user_id").eq(user.to_string()));
    transaction.execute(&delete).await.map(drop)
}
