//! Users as administrators see them: with what they can log in by, and when they were last seen.

use kernel::time::Timestamp;
use sea_query::{Expr, ExprTrait, Func, JoinType, LikeExpr, Query, SelectStatement};
use store::{
    Database, Ddl, Result, Row,
    paging::{self, Found, Page, Sort},
};

use super::{column, groups::GROUPS, of, profiles, profiles::PROFILES, sessions::SESSIONS, users, users::USERS};
use crate::{
    UserRecord, UserStatus,
    admin::users::{UserFilter, UserSort},
    tables::users::Lookup,
};

fn select(ddl: &Ddl, profile: bool) -> SelectStatement {
    let mut select = users::select(ddl);
    let mut factor = Query::select();
    factor.expr(Expr::val(1)).from(ddl.table("_second_factors")).and_where(column("confirmed_at").is_not_null());
    factor.and_where(Expr::col(of("_second_factors", "user_id")).equals(of(USERS, "id")));
    select.expr(Expr::exists(factor));
    let mut seen = Query::select();
    seen.expr(Func::max(column("last_accessed"))).from(ddl.table(SESSIONS));
    seen.and_where(Expr::col(of(SESSIONS, "user_id")).equals(of(USERS, "id")));
    select.expr(seen);
    if profile {
        let same_user = Expr::col(of(PROFILES, "user_id")).equals(of(USERS, "id"));
        select.join(JoinType::LeftJoin, ddl.table(PROFILES), same_user);
        select.columns(profiles::COLUMNS.map(|name| of(PROFILES, name)));
    }
    select
}

/// Columns of a [`UserRecord`] without the profile.
const WIDTH: usize = users::WIDTH + 2;

fn from_row(row: &Row, profile: bool) -> Result<UserRecord> {
    let stored = users::from_row(row)?;
    let [factor, seen] = std::array::from_fn(|offset| users::WIDTH + offset);
    let profile = profile.then(|| profiles::from_row(row, WIDTH));
    Ok(UserRecord {
        user: stored.user,
        has_password: stored.password.is_some(),
        has_pin: stored.pin.is_some(),
        has_card: stored.login_string.is_some(),
        second_factor: row.flag(factor)?,
        last_seen: row.maybe_timestamp(seen)?,
        profile: profile.transpose()?,
    })
}

/// One user.
pub(crate) async fn find(database: &Database, lookup: &Lookup, profile: bool) -> Result<Option<UserRecord>> {
    let mut select = select(&database.ddl(), profile);
    select.and_where(users::is(lookup));
    database.read(&select).await?.first().map(|row| from_row(row, profile)).transpose()
}

/// One page of the users that a filter lets through.
pub(crate) async fn page(
    database: &Database,
    filter: &UserFilter,
    page: &Page<UserSort>,
    profile: bool,
) -> Result<Found<UserRecord>> {
    let mut select = select(&database.ddl(), profile);
    let key = sort_key(database, page.sort);
    select.expr(key.clone());
    filtered(&mut select, filter);
    paging::apply(&mut select, page, &key, &Expr::col(of(USERS, "number")));
    let position = WIDTH + if profile { profiles::COLUMNS.len() } else { 0 };
    let rows = database.read(&select).await?;
    let rows = rows.iter().map(|row| {
        let record = from_row(row, profile)?;
        let number = record.user.number;
        Ok((record, paging::key(row, position, page.sort.kind())?, number))
    });
    Ok(page.found(rows.collect::<Result<_>>()?))
}

/// How many users a filter lets through.
pub(crate) async fn count(database: &Database, filter: &UserFilter) -> Result<i64> {
    let ddl = database.ddl();
    let mut select = Query::select();
    select.expr(Func::count(Expr::col(of(USERS, "id")))).from(ddl.table(USERS));
    let same_group = Expr::col(of(USERS, "group_id")).equals(of(GROUPS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(GROUPS), same_group);
    filtered(&mut select, filter);
    database.read(&select).await?.first().map_or(Ok(0), |row| row.int(0))
}

fn sort_key(database: &Database, sort: UserSort) -> Expr {
    let column = |name| Expr::col(of(USERS, name));
    match sort {
        UserSort::Number => column("number"),
        UserSort::CreatedAt => column("created_at"),
        UserSort::Username => paging::by_code_points(database, column("username_key")),
        // Where NULL comes is for each database to say, so it is none.
        UserSort::Email => {
            paging::by_code_points(database, Func::coalesce([column("email_key"), Expr::val("")]).into())
        }
        UserSort::Name => paging::by_code_points(database, Func::lower(column("name")).into()),
    }
}

fn filtered(select: &mut SelectStatement, filter: &UserFilter) {
    let column = |name| Expr::col(of(USERS, name));
    if let Some(text) = &filter.text {
        let like = || LikeExpr::new(paging::containing(&text.to_lowercase())).escape('\\');
        let name = Expr::from(Func::lower(column("name"))).like(like());
        select.and_where(column("username_key").like(like()).or(column("email_key").like(like())).or(name));
    }
    if let Some(group) = &filter.group {
        select.and_where(Expr::col(of(GROUPS, "name")).eq(group));
    }
    if let Some(status) = filter.status {
        let active = UserStatus::Active.word();
        select.and_where(match status {
            UserStatus::Active => column("status").eq(active),
            UserStatus::Suspended => column("status").ne(active),
        });
    }
    let moment = |moment: Timestamp| Expr::from(store::Value::from(moment));
    if let Some(after) = filter.created_after {
        select.and_where(column("created_at").gt(moment(after)));
    }
    if let Some(before) = filter.created_before {
        select.and_where(column("created_at").lt(moment(before)));
    }
}
