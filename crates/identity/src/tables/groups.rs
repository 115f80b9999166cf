//! `_groups`: roles with their power, rules and limits.

use kernel::{Group, WriteContext};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde::de::DeserializeOwned;
use store::{Database, Error, Result, Row, Transaction, Value};

use super::{column, insert, of};

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

/// What a group's row shall say, by column.
pub(crate) type Values = Vec<(&'static str, Value)>;

/// Changes a group, or makes it where there is none of the name; `defaults` are for what the change leaves out then.
pub(crate) async fn save(database: &Database, name: String, change: Values, defaults: Values) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, name, change, defaults) = (ddl.table(GROUPS), name.clone(), change.clone(), defaults.clone());
            Box::pin(async move {
                let mut known = Query::select();
                known.column(Alias::new("id")).from(table.clone()).and_where(column("name").eq(&*name));
                if transaction.rows(&known).await?.is_empty() {
                    return add(transaction, table, name, change, defaults).await;
                }
                if change.is_empty() {
                    return Ok(());
                }
                let mut update = Query::update();
                update.table(table).and_where(column("name").eq(&*name));
                for (field, value) in change {
                    update.value(Alias::new(field), Expr::from(value));
                }
                transaction.execute(&update).await.map(drop)
            })
        })
        .await
}

async fn add(
    transaction: &mut Transaction<'_>,
    table: sea_query::TableRef,
    name: String,
    change: Values,
    defaults: Values,
) -> Result<()> {
    let given = |field: &str| change.iter().any(|(known, _)| *known == field);
    let rest: Values = defaults.into_iter().filter(|(field, _)| !given(field)).collect();
    let row = std::iter::once(("name", Value::from(name))).chain(rest).chain(change);
    transaction.execute(&insert(table, row)?).await.map(drop)
}

/// Removes a group and tells whether there was one. Errors: [`Error::ForeignKey`] where it has users.
pub(crate) async fn remove(database: &Database, name: String) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(GROUPS)).and_where(column("name").eq(&*name));
            Box::pin(async move { Ok(transaction.execute(&delete).await? > 0) })
        })
        .await
}
