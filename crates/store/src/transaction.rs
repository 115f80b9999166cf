//! One transaction on any of the three databases: the only way to write.

use kernel::WriteContext;
use sea_query::{QueryStatementWriter, SelectStatement};

use crate::{Dialect, Error, OutputColumn, Result, Row, Statement, cell, mariadb, postgres, sqlite};

/// An open transaction. What is done with it is committed or undone as one; in a snapshot there is nothing but reading.
///
/// On SQLite the work runs on the writer's thread inside a savepoint of the group that is being committed, so a
/// transaction must await nothing but its own statements.
pub struct Transaction<'c> {
    pub(crate) connection: Connection<'c>,
    /// Who writes and why.
    pub(crate) context: &'c WriteContext,
    /// Bytes of JSON that were read.
    told: usize,
}

/// The connection a transaction is on.
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c postgres::Client),
    Mariadb(&'c mut mysql_async::Conn),
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: Connection<'c>, context: &'c WriteContext) -> Self {
        Self { connection, context, told: 0 }
    }
}

impl Transaction<'_> {
    /// The dialect to build statements for.
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
            Connection::Mariadb(_) => Dialect::Mariadb,
        }
    }

    /// Who writes and why.
    pub fn context(&self) -> &WriteContext {
        self.context
    }

    /// Runs an insert, update or delete on Insula's own tables and tells how many rows it touched.
    ///
    /// Tables of a tenant are written by [`Self::apply`] alone.
    pub async fn execute(&mut self, statement: &impl QueryStatementWriter) -> Result<u64> {
        let statement = self.dialect().build(statement);
        self.run(&statement).await
    }

    /// Reads rows for the server's own use.
    pub async fn rows(&mut self, select: &SelectStatement) -> Result<Vec<Row>> {
        let statement = self.dialect().select(select);
        self.fetch(&statement).await
    }

    /// Reads rows as a JSON array, appended to `out`; tells how many.
    ///
    /// Errors: [`Error::TooLarge`] where all that was read so in this transaction is.
    pub async fn json(&mut self, select: &SelectStatement, columns: &[OutputColumn], out: &mut Vec<u8>) -> Result<u64> {
        let statement = self.dialect().select(select);
        let before = out.len();
        let rows = match &mut self.connection {
            Connection::Sqlite(connection) => {
                refuse_lost(connection)?;
                sqlite::statement::json(connection, &statement, columns, out)
            }
            Connection::Postgres(client) => postgres::json(client, &statement, columns, out).await,
            Connection::Mariadb(connection) => mariadb::json(connection, &statement, columns, out).await,
        }?;
        self.told += out.len() - before;
        if self.told > cell::MOST { Err(Error::TooLarge) } else { Ok(rows) }
    }

    /// Marks a point that [`Self::rollback_to_savepoint`] can return to. Savepoints here do not nest.
    pub async fn savepoint(&mut self) -> Result<()> {
        self.control(&["SAVEPOINT item"]).await
    }

    /// Undoes everything since the savepoint.
    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        self.control(&["ROLLBACK TO SAVEPOINT item", "RELEASE SAVEPOINT item"]).await
    }

    /// Keeps everything since the savepoint.
    pub async fn release_savepoint(&mut self) -> Result<()> {
        self.control(&["RELEASE SAVEPOINT item"]).await
    }

    /// Runs statements without values and answers, on servers in one trip.
    async fn control(&mut self, statements: &[&'static str]) -> Result<()> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                refuse_lost(connection)?;
                statements.iter().try_for_each(|sql| sqlite::statement::control(connection, sql))
            }
            Connection::Postgres(client) => postgres::control(client, &statements.join("; ")).await,
            Connection::Mariadb(connection) => mariadb::control(connection, &statements.join("; ")).await,
        }
    }

    pub(crate) async fn run(&mut self, statement: &Statement) -> Result<u64> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                refuse_lost(connection)?;
                sqlite::statement::execute(connection, statement)
            }
            Connection::Postgres(client) => postgres::execute(client, statement).await,
            Connection::Mariadb(connection) => mariadb::execute(connection, statement).await,
        }
    }

    /// The number of the row that was inserted last, where the database is SQLite.
    pub(crate) fn last_row_id(&self) -> Option<i64> {
        match &self.connection {
            Connection::Sqlite(connection) => Some(connection.last_insert_rowid()),
            Connection::Postgres(_) | Connection::Mariadb(_) => None,
        }
    }

    pub(crate) async fn fetch(&mut self, statement: &Statement) -> Result<Vec<Row>> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                refuse_lost(connection)?;
                sqlite::statement::rows(connection, statement)
            }
            Connection::Postgres(client) => postgres::rows(client, statement).await,
            Connection::Mariadb(connection) => mariadb::rows(connection, statement).await,
        }
    }
}

/// Nothing runs any more where the transaction was lost: it would be committed at once and alone.
fn refuse_lost(connection: &rusqlite::Connection) -> Result<()> {
    if connection.is_autocommit() { Err(Error::Timeout) } else { Ok(()) }
}
