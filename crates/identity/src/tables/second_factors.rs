//! `_second_factors` and `_recovery_codes`. Who writes them has locked the user's row, unless said otherwise.

use kernel::time::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use store::{Database, Ddl, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{column, insert};

pub(crate) const FACTORS: &str = "_second_factors";
pub(crate) const CODES: &str = "_recovery_codes";

/// A user's second factor.
pub(crate) struct Factor {
    /// Sealed.
    pub(crate) secret: String,
    /// None as long as it was only begun.
    pub(crate) confirmed_at: Option<Timestamp>,
}

fn select(ddl: &Ddl, user: Uuid) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["secret", "confirmed_at"].map(Alias::new)).from(ddl.table(FACTORS));
    select.and_where(column("user_id").eq(user.to_string())).take()
}

fn from_row(row: &Row) -> Result<Factor> {
    Ok(Factor { secret: row.text(0)?.to_owned(), confirmed_at: row.maybe_timestamp(1)? })
}

/// A user's second factor, for reading alone.
pub(crate) async fn find(database: &Database, user: Uuid) -> Result<Option<Factor>> {
    database.read(&select(&database.ddl(), user)).await?.first().map(from_row).transpose()
}

/// Recovery codes that a user has left, for reading alone.
pub(crate) async fn codes_left(database: &Database, user: Uuid) -> Result<usize> {
    let mut select = Query::select();
    select.column(Alias::new("code_hash")).from(database.ddl().table(CODES));
    select.and_where(column("user_id").eq(user.to_string())).and_where(column("used_at").is_null());
    Ok(database.read(&select).await?.len())
}

/// A user's second factor.
pub(crate) async fn get(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<Option<Factor>> {
    transaction.rows(&select(ddl, user)).await?.first().map(from_row).transpose()
}

/// Whether a user's second factor is in force.
pub(crate) async fn is_in_force(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<bool> {
    Ok(get(transaction, ddl, user).await?.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Begins a second factor anew.
pub(crate) async fn begin(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, sealed: String) -> Result<()> {
    remove(transaction, ddl, user).await?;
    let row = [
        ("user_id", Value::from(user)),
        ("secret", Value::from(sealed)),
        ("created_at", Value::from(kernel::time::now())),
    ];
    transaction.execute(&insert(ddl.table(FACTORS), row)?).await.map(drop)
}

/// Puts a second factor in force.
pub(crate) async fn confirm(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut update = Query::update();
    update.table(ddl.table(FACTORS)).and_where(column("user_id").eq(user.to_string()));
    update.value(Alias::new("confirmed_at"), Expr::from(Value::from(kernel::time::now())));
    transaction.execute(&update).await.map(drop)
}

/// Takes the code of a time step; false where this one or a later one was taken before.
pub(crate) async fn take_step(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, step: i64) -> Result<bool> {
    let mut update = Query::update();
    update.table(ddl.table(FACTORS)).value(Alias::new("last_step"), step);
    update.and_where(column("user_id").eq(user.to_string()));
    update.and_where(column("last_step").is_null().or(column("last_step").lt(step)));
    Ok(transaction.execute(&update).await? == 1)
}

/// Takes a recovery code; false where there is none or it was used before.
pub(crate) async fn take_code(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, hash: &str) -> Result<bool> {
    let mut update = Query::update();
    update.table(ddl.table(CODES)).value(Alias::new("used_at"), Expr::from(Value::from(kernel::time::now())));
    update.and_where(column("code_hash").eq(hash)).and_where(column("user_id").eq(user.to_string()));
    update.and_where(column("used_at").is_null());
    Ok(transaction.execute(&update).await? == 1)
}

/// Stores new recovery codes; all older ones are void.
pub(crate) async fn replace_codes(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    user: Uuid,
    hashes: &[String],
) -> Result<()> {
    remove_codes(transaction, ddl, user).await?;
    for hash in hashes {
        let row = [("code_hash", Value::from(&**hash)), ("user_id", Value::from(user))];
        transaction.execute(&insert(ddl.table(CODES), row)?).await?;
    }
    Ok(())
}

/// Removes a second factor with its recovery codes; false where there was none.
pub(crate) async fn remove(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<bool> {
    remove_codes(transaction, ddl, user).await?;
    let mut delete = Query::delete();
    delete.from_table(ddl.table(FACTORS)).and_where(column("user_id").eq(user.to_string()));
    Ok(transaction.execute(&delete).await? > 0)
}

async fn remove_codes(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(CODES)).and_where(column("user_id").eq(user.to_string()));
    transaction.execute(&delete).await.map(drop)
}
