//! What is stored: identity's tables and every statement on them.

pub(crate) mod anonymous;
pub(crate) mod api_keys;
pub(crate) mod directory;
pub(crate) mod groups;
pub(crate) mod imported_secrets;
pub(crate) mod keys;
pub(crate) mod letters;
pub(crate) mod link_attempts;
pub(crate) mod linked_accounts;
mod migrations;
pub(crate) mod one_time_tokens;
pub(crate) mod overrides;
pub(crate) mod preferences;
pub(crate) mod profiles;
pub(crate) mod removal;
pub(crate) mod second_factors;
pub(crate) mod sessions;
pub(crate) mod users;
pub(crate) mod webhook_tokens;

pub use letters::CONTROL_MIGRATIONS;
pub use migrations::{MIGRATIONS, SEALED};

use sea_query::{Alias, Expr, InsertStatement, Query, TableRef};
use store::{Error, Result, Value};

/// A column by its name.
pub(crate) fn column(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}

/// A column of one table of a join.
pub(crate) fn of(table: &'static str, name: &'static str) -> (Alias, Alias) {
    (Alias::new(table), Alias::new(name))
}

/// Inserts one row.
pub(crate) fn insert(table: TableRef, row: impl IntoIterator<Item = (&'static str, Value)>) -> Result<InsertStatement> {
    let (names, values): (Vec<_>, Vec<_>) =
        row.into_iter().map(|(name, value)| (Alias::new(name), Expr::from(value))).unzip();
    let mut insert = Query::insert();
    insert.into_table(table).columns(names);
    insert.values(values).map_err(|error| Error::Driver(error.to_string().into()))?;
    Ok(insert)
}
