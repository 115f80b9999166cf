//! `_settings`: a row a setting.

use std::collections::HashMap;

use kernel::{Error, Reason, WriteContext, settings::ALL};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use store::{Database, Ddl, Migration, Result, Value};

const TABLE: &str = "_settings";
/// Names of other settings that are told at most.
const MOST_UNKNOWN: u64 = 20;

/// The steps of the feature's table.
pub const MIGRATIONS: &[Migration] = &[FIRST];

const FIRST: Migration = Migration {
    feature: crate::NAME,
    number: 1,
    name: "settings",
    statements: |ddl| {
        let mut table = ddl.create(
            TABLE,
            [
                ddl.serial("id"),
                ddl.text("setting", 64).not_null().unique_key().take(),
                ddl.long_text("value").not_null().take(),
                ddl.text("description", 500),
            ],
        );
        vec![ddl.sql(table.if_not_exists())]
    },
};

/// What the table has for a setting.
pub(crate) struct Row {
    pub(crate) value: String,
    pub(crate) description: Option<String>,
}

/// The rows of known settings, by name.
pub(crate) async fn read(database: &Database) -> Result<HashMap<String, Row>> {
    let mut select = rows_of(&database.ddl(), &["setting", "value", "description"]);
    select.and_where(column("setting").is_in(names()));
    let rows = database.read(&select).await?;
    let row = |row: &store::Row| {
        let description = row.maybe_text(2)?.map(str::to_owned);
        Ok((row.text(0)?.to_owned(), Row { value: row.text(1)?.to_owned(), description }))
    };
    rows.iter().map(row).collect()
}

/// Names in the table that are none of a setting.
pub(crate) async fn unknown(database: &Database) -> Result<Vec<String>> {
    let mut select = rows_of(&database.ddl(), &["setting"]);
    select.and_where(column("setting").is_not_in(names())).limit(MOST_UNKNOWN);
    database.read(&select).await?.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

/// Keeps a value; the description stays where none is given. Errors: 409 `conflict` where another process makes the row
/// at the same moment.
#[expect(clippy::option_option, reason = "what is not given stays, and null takes it away")]
pub(crate) async fn save(
    database: &Database,
    context: &WriteContext,
    setting: &'static str,
    value: String,
    description: Option<Option<String>>,
) -> kernel::Result<()> {
    let ddl = database.ddl();
    let saved = database.transaction(context, move |transaction| {
        let (ddl, value, description) = (ddl.clone(), value.clone(), description.clone());
        Box::pin(async move {
            let known = rows_of(&ddl, &["id"]).and_where(column("setting").eq(setting)).take();
            if transaction.rows(&known).await?.is_empty() {
                let mut insert = Query::insert();
                insert.into_table(ddl.table(TABLE)).columns(["setting", "value", "description"].map(Alias::new));
                let row = [Value::from(setting), Value::from(value), Value::from(description.flatten())];
                insert.values(row.map(Expr::from)).map_err(Error::internal)?;
                return transaction.execute(&insert).await.map(drop);
            }
            let mut update = Query::update();
            update.table(ddl.table(TABLE)).and_where(column("setting").eq(setting));
            update.value(Alias::new("value"), Expr::from(Value::from(value)));
            if let Some(description) = description {
                update.value(Alias::new("description"), Expr::from(Value::from(description)));
            }
            transaction.execute(&update).await.map(drop)
        })
    });
    saved.await.map_err(|error| match error {
        store::Error::Unique(_) => Error::plain(Reason::Conflict),
        other => other.into(),
    })
}

/// Forgets a value; tells whether there was one.
pub(crate) async fn remove(database: &Database, context: &WriteContext, setting: &'static str) -> Result<bool> {
    let ddl = database.ddl();
    let removed = database.transaction(context, move |transaction| {
        let mut delete = Query::delete();
        delete.from_table(ddl.table(TABLE)).and_where(column("setting").eq(setting));
        Box::pin(async move { transaction.execute(&delete).await })
    });
    Ok(removed.await? > 0)
}

fn rows_of(ddl: &Ddl, columns: &[&'static str]) -> SelectStatement {
    let mut select = Query::select();
    select.columns(columns.iter().map(|name| Alias::new(*name))).from(ddl.table(TABLE));
    select
}

fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|setting| setting.name)
}

fn column(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}
