//! Columns that hold sealed values alone, and the look whether they do.

use kernel::{Reason, seal};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::{Database, Migration, Result, migration::Steps};

/// A column that holds sealed values alone, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table, one of Insula's own.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

/// What features keep in a database: the steps of their tables, and which columns of those are sealed.
#[derive(Debug, Clone, Default)]
pub struct FeatureTables {
    /// The steps.
    pub migrations: Vec<Migration>,
    /// Columns that hold sealed values alone. A database in which another value lies there is refused.
    pub sealed: Vec<SealedColumn>,
}

impl From<Vec<Migration>> for FeatureTables {
    fn from(migrations: Vec<Migration>) -> Self {
        Self { migrations, sealed: Vec::new() }
    }
}

/// The same, ready for the databases that are opened.
pub(super) struct Tables {
    pub(super) steps: Steps,
    pub(super) sealed: Vec<SealedColumn>,
}

impl From<FeatureTables> for Tables {
    fn from(tables: FeatureTables) -> Self {
        Self { steps: tables.migrations.into(), sealed: tables.sealed }
    }
}

impl Tables {
    /// Makes the tables what they shall be, and refuses a database with a secret in the clear.
    pub(super) async fn prepare(&self, database: &Database) -> Result<()> {
        self.steps.apply(database).await?;
        refuse_unsealed(database, &self.sealed).await
    }
}

/// Refuses with 503 `secrets_unreadable` if one of the columns holds a value that is not sealed.
pub(super) async fn refuse_unsealed(database: &Database, columns: &[SealedColumn]) -> Result<()> {
    let Some(select) = unsealed(database, columns) else { return Ok(()) };
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let place = row.text(0)?;
    tracing::error!(column = place, "a column for sealed values holds one that is not sealed");
    let message = format!("{place} holds a value that is not sealed; seal it or remove it, then try again");
    Err(kernel::Error::new(Reason::SecretsUnreadable, message).into())
}

/// One statement for all columns: the name of the first that holds an unsealed value.
fn unsealed(database: &Database, columns: &[SealedColumn]) -> Option<SelectStatement> {
    let ddl = database.ddl();
    let look = |SealedColumn { table, column }: &SealedColumn| {
        let value = || Expr::col(Alias::new(*column));
        let sealed = value().like(format!("{}%", seal::HEADER)).or(value().like(format!("{}%", seal::OLD_HEADER)));
        let mut select = Query::select();
        select.expr_as(Expr::cust(format!("'{table}.{column}'")), Alias::new("place")).from(ddl.table(table));
        select.and_where(value().is_not_null()).and_where(sealed.not()).take()
    };
    let mut looks = columns.iter().map(look);
    let mut all = looks.next()?;
    for look in looks {
        all.union(UnionType::All, look);
    }
    Some(all.limit(1).take())
}
