//! `_profiles`: what users tell of themselves.

use sea_query::{Alias, Expr, ExprTrait, JoinType, Query};
use store::{Database, Ddl, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{column, insert, of, users::USERS};
use crate::accounts::{Profile, Theme};

pub(super) const PROFILES: &str = "_profiles";
const SECOND_FACTORS: &str = "_second_factors";
pub(super) const COLUMNS: [&str; 7] = ["phone", "last", "avatar", "github", "instagram", "bio", "theme"];

/// Stores the empty profile of a new user.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<()> {
    transaction.execute(&insert(ddl.table(PROFILES), [("user_id", Value::from(user))])?).await.map(drop)
}

/// The profile of a user, and whether there is a second factor. Users from before there were profiles have an empty one.
pub(crate) async fn read(database: &Database, user: Uuid) -> Result<(Profile, bool)> {
    let ddl = database.ddl();
    let mut select = Query::select();
    select.columns(COLUMNS.map(|name| of(PROFILES, name))).column(of(SECOND_FACTORS, "confirmed_at"));
    select.from(ddl.table(USERS));
    for table in [PROFILES, SECOND_FACTORS] {
        let same_user = Expr::col(of(table, "user_id")).equals(of(USERS, "id"));
        select.join(JoinType::LeftJoin, ddl.table(table), same_user);
    }
    select.and_where(Expr::col(of(USERS, "id")).eq(user.to_string()));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok((Profile::default(), false)) };
    Ok((from_row(row, 0)?, !row.is_null(COLUMNS.len())))
}

/// A profile from [`COLUMNS`], which begin at an index.
pub(super) fn from_row(row: &Row, first: usize) -> Result<Profile> {
    let text = |index| -> Result<_> { Ok(row.maybe_text(first + index)?.map(str::to_owned)) };
    Ok(Profile {
        phone: text(0)?,
        last: text(1)?,
        avatar: text(2)?,
        github: text(3)?,
        instagram: text(4)?,
        bio: text(5)?,
        theme: row.maybe_text(first + 6)?.and_then(Theme::from_word),
    })
}

/// Writes columns of the profile of a user whose row is locked.
pub(crate) async fn change(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    user: Uuid,
    values: &[(&'static str, Value)],
) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let mut update = Query::update();
    update.table(ddl.table(PROFILES)).and_where(column("user_id").eq(user.to_string()));
    for (field, value) in values {
        update.value(Alias::new(*field), Expr::from(value.clone()));
    }
    if transaction.execute(&update).await? > 0 {
        return Ok(());
    }
    let row = values.iter().cloned().chain([("user_id", Value::from(user))]);
    transaction.execute(&insert(ddl.table(PROFILES), row)?).await.map(drop)
}
