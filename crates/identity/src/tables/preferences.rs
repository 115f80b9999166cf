//! The column `preferences` of `_users`.

use sea_query::{Alias, ExprTrait, Query, SelectStatement};
use store::{Database, Ddl, Result, Row, Transaction, Value};

use super::{column, users::USERS};

fn select(ddl: &Ddl, user: i64) -> SelectStatement {
    let mut select = Query::select();
    select.column(Alias::new("preferences")).from(ddl.table(USERS)).and_where(column("number").eq(user));
    select
}

#[expect(clippy::option_option, reason = "no such user, and a user without preferences")]
fn text(rows: &[Row]) -> Result<Option<Option<String>>> {
    rows.first().map(|row| Ok(row.maybe_text(0)?.map(str::to_owned))).transpose()
}

/// The preferences of a user; none within where there are none, none at all where there is no such user.
pub(crate) async fn find(database: &Database, user: i64) -> Result<Option<Option<String>>> {
    text(&database.read(&select(&database.ddl(), user)).await?)
}

/// The same, with the user's row locked until the transaction ends.
pub(crate) async fn lock(transaction: &mut Transaction<'_>, ddl: &Ddl, user: i64) -> Result<Option<Option<String>>> {
    let mut select = select(ddl, user);
    select.lock_exclusive();
    text(&transaction.rows(&select).await?)
}

/// Stores the preferences of a user.
pub(crate) async fn store(transaction: &mut Transaction<'_>, ddl: &Ddl, user: i64, text: Option<String>) -> Result<()> {
    let mut update = Query::update();
    update.table(ddl.table(USERS)).and_where(column("number").eq(user));
    update.value(Alias::new("preferences"), Value::from(text));
    transaction.execute(&update).await.map(drop)
}
