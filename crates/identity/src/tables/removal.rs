//! Removing users, but never the last one who may do everything.

use kernel::Reason;
use sea_query::{Alias, ExprTrait, Query};
use store::{Ddl, Result, Transaction};
use uuid::Uuid;

use super::{column, groups::GROUPS, users::USERS};
use crate::UserStatus;

const EVERYTHING: i64 = 100;

/// Refuses where nobody else would be left who is active and may do everything. It locks the groups of such users, so
/// that of the last two who go at once one stays; it comes before any user is locked.
///
/// Errors: 409 `last_administrator`.
pub(crate) async fn refuse_last_administrator(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut groups = Query::select();
    groups.column(Alias::new("id")).from(ddl.table(GROUPS)).and_where(column("power").gte(EVERYTHING));
    groups.lock_exclusive();
    let rows = transaction.rows(&groups).await?;
    let groups = rows.iter().map(|row| row.int(0)).collect::<Result<Vec<_>>>()?;
    if groups.is_empty() {
        return Ok(());
    }
    let mut administrators = Query::select();
    administrators.column(Alias::new("id")).from(ddl.table(USERS));
    administrators.and_where(column("group_id").is_in(groups));
    administrators.and_where(column("status").eq(UserStatus::Active.word())).limit(2);
    let rows = transaction.rows(&administrators).await?;
    let left = rows.iter().map(|row| row.uuid(0)).collect::<Result<Vec<_>>>()?;
    if left == [user] { Err(kernel::Error::plain(Reason::LastAdministrator).into()) } else { Ok(()) }
}

/// Removes a user who is locked, and with them what refers to them.
pub(crate) async fn remove(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(USERS)).and_where(column("id").eq(user.to_string()));
    transaction.execute(&delete).await.map(drop)
}
