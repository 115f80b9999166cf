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

use self::{readers::Readers, writer::Writer};
use crate::{OutputColumn, Result, Row, Schema, Statement, Transaction, transaction::Connection};

pub(crate) use error::map as map_error;

/// Bytes that are set aside for an answer before it is there.
const LARGEST_EXPECTED: usize = 64 << 10;
/// Time that one write may take, as a statement may on a server.
const WRITING: Duration = Duration::from_secs(30);

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
    readers: Arc<Readers>,
    writer: Arc<Writer>,
}

impl Sqlite {
    /// Opens the file and makes it where it is missing.
    pub(crate) async fn open(path: &Path, config: SqliteConfig) -> Result<Self> {
        let path = path.to_owned();
        let open = move || -> Result<Self> {
            let writer = connection::writer(&path, config).map_err(map_error)?;
            let writer = Writer::new(writer).map_err(map_error)?;
            Ok(Self { readers: Arc::new(Readers::new(path, config)), writer: Arc::new(writer) })
        };
        blocking(open).await
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

    pub(crate) async fn read_schema(&self) -> Result<Schema> {
        self.readers.run(|connection| crate::schema::sqlite::read(connection).map_err(map_error)).await
    }

    /// Overwrites from now on what is deleted.
    pub(crate) async fn erase_what_is_deleted(&self) -> Result<()> {
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

/// Runs work that blocks on the runtime's threads for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| crate::Error::Driver(error.into()))?
}
