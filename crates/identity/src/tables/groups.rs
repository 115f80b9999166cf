//! `_groups`: roles with their power, rules and limits.

use kernel::Group;
use sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr, Order, Query, SelectStatement};
use serde::de::DeserializeOwned;
use store::{
    Database, Ddl, Error, Result, Row, Transaction, Value,
    paging::{self, Found, Page, Sort},
};

use super::{column, insert, of};
use crate::{GroupRecord, groups::GroupSort};

pub(crate) const GROUPS: &str = "_groups";

/// The columns that make a [`Group`], in the order of [`from_row`].
const COLUMNS: [&str; 12] = [
    "id",
    "name",
    "power",
    "permissions",
    "advanced_rules",
    "abilities",
    "max_limit",
    "max_where_conditions",
    "session_timeout_minutes",
    "max_concurrent_sessions",
    "allow_batch_operations",
    "user_settings_access",
];

/// How many columns [`add_columns`] adds.
pub(super) const WIDTH: usize = COLUMNS.len();

/// Adds a group's columns to a select that has the table.
pub(crate) fn add_columns(select: &mut SelectStatement) {
    select.columns(COLUMNS.map(|name| of(GROUPS, name)));
}

/// A group from the columns of [`add_columns`], which begin at an index.
pub(crate) fn from_row(row: &Row, first: usize) -> Result<Group> {
    let at = |offset: usize| first + offset;
    let limit = |offset| -> Result<_> { Ok(row.maybe_int(at(offset))?.and_then(|number| u64::try_from(number).ok())) };
    Ok(Group {
        id: row.int(at(0))?,
        name: row.text(at(1))?.to_owned(),
        power: u8::try_from(row.int(at(2))?.clamp(1, 100)).unwrap_or(1),
        basic_rules: words(row, at(3))?,
        advanced_rules: words(row, at(4))?,
        abilities: words(row, at(5))?,
        max_limit: limit(6)?,
        max_where_conditions: limit(7)?,
        session_timeout_minutes: limit(8)?,
        max_concurrent_sessions: limit(9)?,
        allow_batch_operations: row.flag(at(10))?,
        user_settings_access: row.text(at(11))?.to_owned(),
        toolkits: std::sync::Arc::default(),
    })
}

fn words<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T> {
    serde_json::from_str(row.text(index)?).map_err(|error| Error::Driver(error.into()))
}

fn select(database: &Database) -> SelectStatement {
    let mut select = Query::select();
    add_columns(&mut select);
    select.from(database.ddl().table(GROUPS));
    select
}

/// All groups, the weakest first.
pub(crate) async fn list(database: &Database) -> Result<Vec<Group>> {
    let mut select = select(database);
    select.order_by(Alias::new("power"), Order::Asc).order_by(Alias::new("name"), Order::Asc);
    database.read(&select).await?.iter().map(|row| from_row(row, 0)).collect()
}

/// A group by its name.
pub(crate) async fn find(database: &Database, name: &str) -> Result<Option<Group>> {
    let mut select = select(database);
    select.and_where(column("name").eq(name));
    database.read(&select).await?.first().map(|row| from_row(row, 0)).transpose()
}

/// What a group can be found by.
#[derive(Debug, Clone)]
pub(crate) enum GroupLookup {
    Id(i64),
    Name(String),
}

fn is(lookup: &GroupLookup) -> Expr {
    match lookup {
        GroupLookup::Id(id) => column("id").eq(*id),
        GroupLookup::Name(name) => column("name").eq(name),
    }
}

/// A group as a transaction sees it.
pub(crate) async fn find_in(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    lookup: &GroupLookup,
) -> Result<Option<Group>> {
    let mut select = Query::select();
    add_columns(&mut select);
    select.from(ddl.table(GROUPS)).and_where(is(lookup));
    transaction.rows(&select).await?.first().map(|row| from_row(row, 0)).transpose()
}

/// A group with its description.
pub(crate) async fn record(database: &Database, lookup: &GroupLookup) -> Result<Option<GroupRecord>> {
    let mut select = select(database);
    select.column(of(GROUPS, "description")).and_where(is(lookup));
    database.read(&select).await?.first().map(record_from_row).transpose()
}

/// One page of groups, of those with a text in their names or descriptions where one is given.
pub(crate) async fn page(
    database: &Database,
    text: Option<&str>,
    page: &Page<GroupSort>,
) -> Result<Found<GroupRecord>> {
    let mut select = select(database);
    select.column(of(GROUPS, "description"));
    let key = match page.sort {
        GroupSort::Power => column("power"),
        GroupSort::Name => paging::by_code_points(database, column("name")),
    };
    select.expr(key.clone());
    if let Some(text) = text {
        let like = || LikeExpr::new(paging::containing(&text.to_lowercase())).escape('\\');
        select.and_where(column("name").like(like()).or(Expr::from(Func::lower(column("description"))).like(like())));
    }
    paging::apply(&mut select, page, &key, &column("id"));
    let rows = database.read(&select).await?;
    let rows = rows.iter().map(|row| {
        let record = record_from_row(row)?;
        let id = record.group.id;
        Ok((record, paging::key(row, WIDTH + 1, page.sort.kind())?, id))
    });
    Ok(page.found(rows.collect::<Result<_>>()?))
}

fn record_from_row(row: &Row) -> Result<GroupRecord> {
    Ok(GroupRecord { group: from_row(row, 0)?, description: row.maybe_text(WIDTH)?.map(str::to_owned) })
}

/// What a group's row shall say, by column.
pub(crate) type Values = Vec<(&'static str, Value)>;

/// Changes a group.
pub(crate) async fn set(transaction: &mut Transaction<'_>, ddl: &Ddl, id: i64, change: Values) -> Result<()> {
    if change.is_empty() {
        return Ok(());
    }
    let mut update = Query::update();
    update.table(ddl.table(GROUPS)).and_where(column("id").eq(id));
    for (field, value) in change {
        update.value(Alias::new(field), Expr::from(value));
    }
    transaction.execute(&update).await.map(drop)
}

/// Makes a group. Errors: [`Error::Unique`] where the name is taken.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, row: Values) -> Result<()> {
    transaction.execute(&insert(ddl.table(GROUPS), row)?).await.map(drop)
}

/// Removes a group. Errors: [`Error::ForeignKey`] where it has users or keys.
pub(crate) async fn remove(transaction: &mut Transaction<'_>, ddl: &Ddl, id: i64) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(GROUPS)).and_where(column("id").eq(id));
    transaction.execute(&delete).await.map(drop)
}
