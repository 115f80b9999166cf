//! Many rows at once, for Insula's own tables.

use sea_query::{Alias, Expr, InsertStatement, OnConflict, Query, Value};

use crate::{Ddl, Error, Result, Transaction, sqlite, transaction::Connection};

/// Rows that are meant to be in one of Insula's own tables.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The table's name.
    pub table: &'static str,
    /// The columns; the first is the key.
    pub columns: &'static [&'static str],
    /// A value a column, for each row.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    fn insert(&self, ddl: &Ddl, rows: &[Vec<Value>]) -> Result<InsertStatement> {
        let mut insert = Query::insert();
        insert.into_table(ddl.table(self.table)).columns(self.columns.iter().map(|name| Alias::new(*name)));
        for row in rows {
            let values = row.iter().cloned().map(Expr::Value);
            insert.values(values).map_err(|error| Error::Driver(error.to_string().into()))?;
        }
        let key = || Alias::new(self.columns[0]);
        insert.on_conflict(OnConflict::column(key()).do_nothing_on([key()]).to_owned());
        Ok(insert)
    }
}

impl Transaction<'_> {
    /// Adds rows; those whose key is there already stay as they are.
    pub async fn add_missing(&mut self, ddl: &Ddl, rows: &Rows) -> Result<()> {
        let Some(first) = rows.rows.first() else { return Ok(()) };
        let dialect = self.dialect();
        if let Connection::Sqlite(connection) = &mut self.connection {
            // Each row by the same statement: one for many rows would have to be prepared for each number of them.
            let statement = dialect.build(&rows.insert(ddl, std::slice::from_ref(first))?);
            return sqlite::statement::execute_each(connection, &statement.sql, &rows.rows);
        }
        self.execute(&rows.insert(ddl, &rows.rows)?).await.map(drop)
    }
}
