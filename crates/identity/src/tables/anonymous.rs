//! Users without a credential: who they are, and which of them nobody can come back to.

use kernel::time::Timestamp;
use sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement};
use store::{Ddl, Result, Transaction, Value};
use uuid::Uuid;

use super::{column, linked_accounts::LINKED, of, sessions::SESSIONS, users::USERS};

/// Users that one sweep removes at the most.
const BATCH: u64 = 500;
/// What lets software act as a user.
const API_KEYS: &str = "_api_keys";

/// In the group, with nothing to log in with.
fn without_credential(ddl: &Ddl, group: i64) -> Condition {
    let own = |name| Expr::col(of(USERS, name));
    Condition::all()
        .add(own("group_id").eq(group))
        .add(own("password").is_null())
        .add(own("pin_code").is_null())
        .add(own("login_string").is_null())
        .add(Expr::exists(of_user(ddl, LINKED)).not())
}

/// The rows of a table that belong to the user of the outer statement.
fn of_user(ddl: &Ddl, table: &'static str) -> SelectStatement {
    let mut select = Query::select();
    select.expr(Expr::val(1)).from(ddl.table(table));
    select.and_where(Expr::col(of(table, "user_id")).equals(of(USERS, "id"))).take()
}

/// Whether a user whose row is locked is in the group and has nothing to log in with.
pub(crate) async fn is(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, group: i64) -> Result<bool> {
    let mut select = Query::select();
    select.column(of(USERS, "id")).from(ddl.table(USERS)).cond_where(without_credential(ddl, group));
    select.and_where(Expr::col(of(USERS, "id")).eq(user.to_string()));
    Ok(!transaction.rows(&select).await?.is_empty())
}

/// Removes users of the group who have nothing to log in with, were made before a moment, and have no session and no key
/// left; answers how many. The others who were found stay.
pub(crate) async fn sweep(transaction: &mut Transaction<'_>, ddl: &Ddl, group: i64, before: Timestamp) -> Result<u64> {
    let mut select = Query::select();
    select.column(of(USERS, "id")).from(ddl.table(USERS)).cond_where(without_credential(ddl, group));
    select.and_where(Expr::col(of(USERS, "created_at")).lt(Expr::from(Value::from(before))));
    for table in [SESSIONS, API_KEYS] {
        select.and_where(Expr::exists(of_user(ddl, table)).not());
    }
    select.limit(BATCH).lock_exclusive();
    let rows = transaction.rows(&select).await?;
    let ids = rows.iter().map(|row| Ok(row.uuid(0)?.to_string())).collect::<Result<Vec<_>>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let mut delete = Query::delete();
    delete.from_table(ddl.table(USERS)).and_where(column("id").is_in(ids));
    transaction.execute(&delete).await
}
