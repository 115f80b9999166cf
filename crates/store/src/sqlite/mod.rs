//! SQLite, embedded: readers on every thread, one writer that commits in groups.

mod caller;
mod clock;
mod connection;
mod error;
mod readers;
pub(crate) mod statement;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use kernel::WriteContext;

use self::{connection::File, readers::Readers, writer::Writer};
use crate::{OutputColumn, Result, Row, Schema, Statement, Transaction, transaction::Connection};

pub(crate) use error::map as map_error;

/// Bytes that are set aside for an answer before it is there.
const LARGEST_EXPECTED: usize = 64 << 10;
/// Time that one write may take, as a statement may on a server.
const WRITING: Duration = Duration::from_secs(30);
/// Time that a write gets to end where its database is about to be removed.
const CLOSING: Duration = Duration::from_secs(1);

/// How SQLite databases are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteConfig {
    /// `true`: an acknowledged write survives a loss of power (`synchronous=FULL`). `false`: it survives a killed
    /// process alone (`NORMAL`).
    pub durable: bool,
    /// Connections for reading that one open tenant may have, from 1 to 1,000; two at the least are kept.
    #[schemars(range(min = 1, max = 1_000))]
    pub readers: usize,
    /// Seconds after which a read is cancelled, from 1 to 86,400.
    #[schemars(range(min = 1, max = 86_400))]
    pub read_timeout_seconds: u64,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { durable: true, readers: 4, read_timeout_seconds: 10 }
    }
}

/// An open SQLite database.
pub(crate) struct Sqlite {
    file: Arc<File>,
    readers: Arc<Readers>,
    writer: Arc<Writer>,
}

impl Sqlite {
    /// Opens the file, and makes it where it is missing. Its catalogue is read with that.
    pub(crate) async fn open(path: &Path, config: SqliteConfig) -> Result<(Self, Arc<Schema>)> {
        let file = Arc::new(File::new(path, config));
        let open = move || -> Result<(Self, Arc<Schema>)> {
            let writer = Arc::new(Writer::new(Arc::clone(&file)));
            if !file.exists() {
                writer.open()?;
            }
            let first = |connection: &mut rusqlite::Connection| {
                if !connection::is_wal(connection).map_err(map_error)? {
                    writer.open()?;
                }
                crate::schema::sqlite::read(connection).map_err(map_error)
            };
            let (readers, schema) = Readers::open(&file, config, first)?;
            Ok((Self { file, readers: Arc::new(readers), writer }, schema))
        };
        blocking(open).await
    }

    /// Gives back what has not been used since the last time. It may block.
    pub(crate) fn rest(&self) {
        self.writer.rest();
        self.readers.rest();
    }

    /// Closes what nobody is using, for the database is about to be removed: nothing is opened again.
    pub(crate) async fn close(&self) -> Result<()> {
        self.file.close();
        let (writer, readers) = (Arc::clone(&self.writer), Arc::clone(&self.readers));
        blocking(move || {
            drop((writer.take(CLOSING), readers.take()));
            Ok(())
        })
        .await
    }

    pub(crate) async fn read_json(
        &self,
        statement: Arc<Statement>,
        columns: Arc<[OutputColumn]>,
        expected: usize,
    ) -> Result<(Vec<u8>, u64)> {
        // A little more, for numbers grow.
        let expected = (expected + expected / 8).clamp(256, LARGEST_EXPECTED);
        let read = move |connection: &mut rusqlite::Connection| {
            let mut out = Vec::with_capacity(expected);
            let rows = statement::json(connection, &statement, &columns, &mut out)?;
            Ok((out, rows))
        };
        self.readers.run(read).await
    }

    pub(crate) async fn read(&self, statement: Statement) -> Result<Vec<Row>> {
        self.readers.run(move |connection| statement::rows(connection, &statement)).await
    }

    pub(crate) async fn read_schema(&self) -> Result<Arc<Schema>> {
        self.readers.run(|connection| crate::schema::sqlite::read(connection).map_err(map_error)).await
    }

    /// Overwrites from now on what is deleted.
    pub(crate) async fn erase_what_is_deleted(&self) -> Result<()> {
        self.file.erase_what_is_deleted();
        let writer = Arc::clone(&self.writer);
        blocking(move || writer.run("PRAGMA secure_delete = ON")).await
    }

    /// Writes the log into the file and empties it, as far as nobody else reads from it just now.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let writer = Arc::clone(&self.writer);
        blocking(move || writer.run("PRAGMA wal_checkpoint(TRUNCATE)")).await
    }

    /// Runs reads that see one state of the database. They may be run twice.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let read = move |connection: &mut rusqlite::Connection| {
            connection.execute_batch("BEGIN").map_err(map_error)?;
            let context = WriteContext::system();
            let result = work(&mut Transaction::new(Connection::Sqlite(connection), &context));
            let ended = connection.execute_batch("ROLLBACK").map_err(map_error);
            result.and_then(|value| ended.map(|()| value))
        };
        self.readers.run(read).await
    }

    /// Runs work in the next group that is committed.
    pub(crate) async fn transaction<T, F>(&self, context: WriteContext, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.submit(context, WRITING, work).await
    }

    /// Runs SQL text of the operator or of the server itself, which may take as long as it needs.
    pub(crate) async fn script(&self, sql: String) -> Result<()> {
        let run = move |transaction: &mut Transaction<'_>| statement::script(transaction, &sql);
        self.writer.submit(WriteContext::system(), Duration::MAX, run).await
    }
}

impl Drop for Sqlite {
    /// Closing the last connection writes the log into the file, for which no thread shall wait that has requests to answer.
    fn drop(&mut self) {
        let idle = (self.writer.take(Duration::ZERO), self.readers.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(idle));
        }
    }
}

/// Runs work that blocks on the runtime's threads for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| crate::Error::Driver(error.into()))?
}

#[cfg(test)]
mod tests;
