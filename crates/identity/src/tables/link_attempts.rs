//! `_link_attempts`: journeys to an outside provider that have begun and not ended.

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Query};
use store::{Database, Result, Value};
use uuid::Uuid;

use super::{column, insert};

pub(crate) const ATTEMPTS: &str = "_link_attempts";

/// Rows that one sweep removes at the most.
const BATCH: usize = 500;

/// A journey that has begun.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) provider: String,
    /// Who links; none for a log in.
    pub(crate) user: Option<Uuid>,
    /// Sealed.
    pub(crate) verifier: String,
    /// Sealed.
    pub(crate) nonce: String,
    /// The page that the browser is sent back to; none where the callback itself answers.
    pub(crate) page: Option<String>,
    /// What only the beginner of the journey can show, hashed.
    pub(crate) proof_hash: String,
    pub(crate) expires_at: Timestamp,
}

/// Stores a journey under the hash of its state.
pub(crate) async fn add(database: &Database, context: &WriteContext, state: String, attempt: Attempt) -> Result<()> {
    let table = database.ddl().table(ATTEMPTS);
    database
        .transaction(context, move |transaction| {
            let (table, state, attempt) = (table.clone(), state.clone(), attempt.clone());
            Box::pin(async move {
                let row = [
                    ("state_hash", Value::from(state)),
                    ("provider", Value::from(attempt.provider)),
                    ("user_id", Value::from(attempt.user)),
                    ("verifier", Value::from(attempt.verifier)),
                    ("nonce", Value::from(attempt.nonce)),
                    ("redirect_to", Value::from(attempt.page)),
                    ("browser_hash", Value::from(attempt.proof_hash)),
                    ("expires_at", Value::from(attempt.expires_at)),
                ];
                transaction.execute(&insert(table, row)?).await.map(drop)
            })
        })
        .await
}

/// The journey with this hash of its state.
pub(crate) async fn find(database: &Database, state: &str) -> Result<Option<Attempt>> {
    let mut select = Query::select();
    let columns = ["provider", "user_id", "verifier", "nonce", "redirect_to", "browser_hash", "expires_at"];
    select.columns(columns.map(Alias::new)).from(database.ddl().table(ATTEMPTS));
    select.and_where(column("state_hash").eq(state));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Attempt {
        provider: row.text(0)?.to_owned(),
        user: if row.is_null(1) { None } else { Some(row.uuid(1)?) },
        verifier: row.text(2)?.to_owned(),
        nonce: row.text(3)?.to_owned(),
        page: row.maybe_text(4)?.map(str::to_owned),
        proof_hash: row.text(5)?.to_owned(),
        expires_at: row.timestamp(6)?,
    }))
}

/// Ends a journey; true for one caller alone.
pub(crate) async fn take(database: &Database, context: &WriteContext, state: &str) -> Result<bool> {
    let mut delete = Query::delete();
    delete.from_table(database.ddl().table(ATTEMPTS)).and_where(column("state_hash").eq(state));
    database
        .transaction(context, move |transaction| {
            let delete = delete.clone();
            Box::pin(async move { Ok(transaction.execute(&delete).await? == 1) })
        })
        .await
}

/// Removes some of the journeys that expired before a moment; answers whether there may be more.
pub(crate) async fn sweep(database: &Database, before: Timestamp) -> Result<bool> {
    let table = database.ddl().table(ATTEMPTS);
    let mut select = Query::select();
    select.column(Alias::new("state_hash")).from(table.clone());
    select.and_where(column("expires_at").lt(Expr::from(Value::from(before)))).limit(BATCH as u64);
    let rows = database.read(&select).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let expired = rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<Vec<_>>>()?;
    let mut delete = Query::delete();
    delete.from_table(table).and_where(column("state_hash").is_in(expired));
    let context = WriteContext::system();
    let swept = database.transaction(&context, move |transaction| {
        let delete = delete.clone();
        Box::pin(async move { transaction.execute(&delete).await.map(drop) })
    });
    swept.await?;
    Ok(rows.len() == BATCH)
}
