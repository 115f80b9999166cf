//! What is stored.

pub(crate) mod associations;
pub(crate) mod groups;
pub(crate) mod schedules;

use sea_query::{Alias, Expr, InsertStatement, Query, TableRef};
use store::{Error, Migration, Result, Value};

/// The steps of the feature's tables.
pub const MIGRATIONS: &[Migration] = &[associations::MIGRATION];

/// The steps of its tables in the control database.
pub const CONTROL_MIGRATIONS: &[Migration] = &[schedules::MIGRATION];

/// A column by its name.
fn column(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}

/// Inserts one row.
fn insert(table: TableRef, row: impl IntoIterator<Item = (&'static str, Value)>) -> Result<InsertStatement> {
    let (names, values): (Vec<_>, Vec<_>) =
        row.into_iter().map(|(name, value)| (Alias::new(name), Expr::from(value))).unzip();
    let mut insert = Query::insert();
    insert.into_table(table).columns(names);
    insert.values(values).map_err(|error| Error::Driver(error.to_string().into()))?;
    Ok(insert)
}
