//! Removing users, but never the last one who may do everything.

use kernel::{Error, Reason};
use sea_query::{Alias, ExprTrait, Order, Query};
use store::{Ddl, Result, Transaction};
use uuid::Uuid;

use super::{column, groups::GROUPS, users::USERS};
use crate::UserStatus;

const EVERYTHING: i64 = 100;

/// Locks the groups that may do everything, so that those wait for one another who might leave the tenant without an
/// administrator. It comes before anything else is locked.
pub(crate) async fn take_turns(transaction: &mut Transaction<'_>, ddl: &Ddl) -> Result<Vec<i64>> {
    let mut groups = Query::select();
    groups.column(Alias::new("id")).from(ddl.table(GROUPS)).and_where(column("power").gte(EVERYTHING));
    groups.order_by(Alias::new("id"), Order::Asc).lock_exclusive();
    transaction.rows(&groups).await?.iter().map(|row| row.int(0)).collect()
}

/// Refuses where nobody else would be left who is active and may do everything. It takes turns, and so comes before any
/// user is locked.
///
/// Errors: 409 `last_administrator`.
pub(crate) async fn refuse_last_administrator(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let groups = take_turns(transaction, ddl).await?;
    if administrators(transaction, ddl, groups).await? == [user] { Err(last()) } else { Ok(()) }
}

/// Refuses where fewer groups that may do everything leave nobody who may, after a turn was taken.
///
/// Errors: 409 `last_administrator`.
pub(crate) async fn require_administrator(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    groups: Vec<i64>,
) -> Result<()> {
    if administrators(transaction, ddl, groups).await?.is_empty() { Err(last()) } else { Ok(()) }
}

/// Two active users of some groups, if there are as many.
async fn administrators(transaction: &mut Transaction<'_>, ddl: &Ddl, groups: Vec<i64>) -> Result<Vec<Uuid>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut administrators = Query::select();
    administrators.column(Alias::new("id")).from(ddl.table(USERS));
    administrators.and_where(column("group_id").is_in(groups));
    administrators.and_where(column("status").eq(UserStatus::Active.word())).limit(2);
    transaction.rows(&administrators).await?.iter().map(|row| row.uuid(0)).collect()
}

fn last() -> store::Error {
    Error::plain(Reason::LastAdministrator).into()
}

/// Removes a user who is locked, and with them what refers to them.
pub(crate) async fn remove(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(USERS)).and_where(column("id").eq(user.to_string()));
    transaction.execute(&delete).await.map(drop)
}
