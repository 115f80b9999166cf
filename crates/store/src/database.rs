//! A tenant's database: what every feature holds.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kernel::{BoxFuture, WriteContext};
use parking_lot::Mutex;
use sea_query::SelectStatement;

use crate::{
    Applied, Change, Ddl, Dialect, Error, OutputColumn, Result, Row, Schema, Statement, Transaction, mariadb::Mariadb,
    postgres::Postgres, sqlite::Sqlite,
};

/// How often a write is repeated that only met other writes.
const ATTEMPTS: u32 = 5;

/// A database of one tenant. Cloning is cheap; the last clone closes it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    engine: Engine,
    schema: ArcSwap<Schema>,
    /// When the catalogue was read.
    read_at: Mutex<Instant>,
}

pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
    Mariadb(Mariadb),
}

/// A JSON array of rows as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRows {
    /// `[{"id":1},…]`.
    pub bytes: Bytes,
    /// How many rows it has.
    pub rows: u64,
}

impl Database {
    /// Opens it and reads its catalogue.
    pub(crate) async fn open(engine: Engine) -> Result<Self> {
        let schema = read_schema(&engine).await?;
        Ok(Self::with(engine, schema))
    }

    /// One that is open, with its catalogue.
    pub(crate) fn with(engine: Engine, schema: Arc<Schema>) -> Self {
        Self(Arc::new(Inner { engine, schema: ArcSwap::from(schema), read_at: Mutex::new(Instant::now()) }))
    }

    /// Gives back memory and files that were not used since the last time. It may block.
    pub(crate) fn rest(&self) {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.rest(),
            // They have nothing of their own here.
            Engine::Postgres(_) | Engine::Mariadb(_) => {}
        }
    }

    /// Lets go of its files, for it is about to be removed.
    pub(crate) async fn close(&self) -> Result<()> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(_) | Engine::Mariadb(_) => Ok(()),
        }
    }

    /// Whether both are one and the same database.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The dialect to build statements for.
    pub fn dialect(&self) -> Dialect {
        match self.0.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
            Engine::Mariadb(_) => Dialect::Mariadb,
        }
    }

    /// The schema (PostgreSQL) or database (MariaDB) that qualifies this tenant's tables.
    pub fn qualifier(&self) -> Option<&Arc<str>> {
        match &self.0.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => Some(&postgres.schema),
            Engine::Mariadb(mariadb) => Some(&mariadb.database),
        }
    }

    /// Builder of table definitions and of references to Insula's own tables.
    pub fn ddl(&self) -> Ddl {
        Ddl::new(self.dialect(), self.qualifier().cloned())
    }

    /// The catalogue as it was last read.
    pub fn schema(&self) -> Arc<Schema> {
        self.0.schema.load_full()
    }

    /// Reads the catalogue anew: after a migration, on reload, when a statement failed for an unknown name.
    pub async fn refresh_schema(&self) -> Result<()> {
        *self.0.read_at.lock() = Instant::now();
        self.0.schema.store(read_schema(&self.0.engine).await?);
        Ok(())
    }

    /// Reads the catalogue anew unless that was done a moment ago; tells whether it was read.
    pub async fn refresh_schema_older_than(&self, age: Duration) -> Result<bool> {
        if self.0.read_at.lock().elapsed() < age {
            return Ok(false);
        }
        self.refresh_schema().await.map(|()| true)
    }

    /// Reads rows as JSON bytes, straight from the driver.
    pub async fn read_json(&self, select: &SelectStatement, columns: &Arc<[OutputColumn]>) -> Result<JsonRows> {
        self.run_json(self.dialect().select(select), columns, 0).await
    }

    /// The same with a statement that is built for this database already, where about so many bytes are expected.
    pub async fn run_json(
        &self,
        statement: Statement,
        columns: &Arc<[OutputColumn]>,
        expected: usize,
    ) -> Result<JsonRows> {
        let statement = Arc::new(statement);
        let watch = Stopwatch::start();
        let read = match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.read_json(Arc::clone(&statement), Arc::clone(columns), expected).await,
            // Boxed, so that a request on SQLite need not be as large as one on a server.
            Engine::Postgres(postgres) => Box::pin(postgres.read_json(&statement, columns)).await,
            Engine::Mariadb(mariadb) => Box::pin(mariadb.read_json(&statement, columns)).await,
        };
        watch.stop(|| statement.sql.to_string());
        let (bytes, rows) = read?;
        Ok(JsonRows { bytes: bytes.into(), rows })
    }

    /// Reads rows for the server's own use.
    pub async fn read(&self, select: &SelectStatement) -> Result<Vec<Row>> {
        self.run(self.dialect().select(select)).await
    }

    /// The same with a statement that is built for this database already.
    pub async fn run(&self, statement: Statement) -> Result<Vec<Row>> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.read(statement).await,
            Engine::Postgres(postgres) => Box::pin(postgres.read(&statement)).await,
            Engine::Mariadb(mariadb) => Box::pin(mariadb.read(&statement)).await,
        }
    }

    /// Does one change durably; it is committed with whatever other writes wait at that moment.
    pub async fn write(&self, context: &WriteContext, change: Change) -> Result<Applied> {
        if let (Engine::Postgres(postgres), false) = (&self.0.engine, change.is_guarded()) {
            return Box::pin(postgres.write_pipelined(context, &change)).await;
        }
        let change = Arc::new(change);
        let watch = Stopwatch::start();
        let work = Arc::clone(&change);
        let written = self
            .transaction(context, move |transaction| {
                let change = Arc::clone(&work);
                Box::pin(async move { transaction.apply(&change).await })
            })
            .await;
        watch.stop(|| change.shape().unwrap_or_default());
        written
    }

    /// Runs work that must look before it leaps, as one transaction. An error undoes everything.
    ///
    /// The work may be run again, up to five times, where the database says that concurrent writes collided; it
    /// must await nothing but its transaction.
    pub async fn transaction<T, F>(&self, context: &WriteContext, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        for _ in 1..ATTEMPTS {
            match self.attempt(context, &work).await {
                Err(error) if error.is_transient() => tracing::debug!(%error, "a write is repeated"),
                other => return other,
            }
        }
        self.attempt(context, &work).await
    }

    /// Runs reads that all see the database as it is at the first of them. Nobody waits for them, and they wait for no
    /// writes. A write fails.
    ///
    /// The work may be run twice; it must await nothing but its transaction.
    pub async fn snapshot<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.snapshot(move |transaction| at_once(work(transaction))).await,
            Engine::Postgres(postgres) => postgres.snapshot(&work).await,
            Engine::Mariadb(mariadb) => mariadb.snapshot(&work).await,
        }
    }

    async fn attempt<T, F>(&self, context: &WriteContext, work: &Arc<F>) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => {
                let work = Arc::clone(work);
                sqlite.transaction(context.clone(), move |transaction| at_once(work(transaction))).await
            }
            Engine::Postgres(postgres) => Box::pin(postgres.transaction(context, work.as_ref())).await,
            Engine::Mariadb(mariadb) => Box::pin(mariadb.transaction(context, work.as_ref())).await,
        }
    }

    /// The smallest sign of life.
    pub async fn probe(&self) -> Result<()> {
        self.fixed(crate::Statement::fixed("SELECT 1")).await.map(drop)
    }

    /// Runs SQL text of the operator or of the server itself, several statements at once, in this tenant's schema.
    /// Atomic where the database can undo definitions: not on MariaDB.
    pub(crate) async fn script(&self, sql: String) -> Result<()> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.script(sql).await,
            Engine::Postgres(postgres) => postgres.script(&sql).await,
            Engine::Mariadb(mariadb) => mariadb.script(&sql).await,
        }
    }

    /// From now on, what is deleted or replaced is overwritten in the file. Servers clean up in their own time.
    pub(crate) async fn erase_what_is_deleted(&self) -> Result<()> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.erase_what_is_deleted().await,
            Engine::Postgres(_) | Engine::Mariadb(_) => Ok(()),
        }
    }

    /// Writes what was committed into the file itself and empties its log, where the database is a file.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.checkpoint().await,
            Engine::Postgres(_) | Engine::Mariadb(_) => Ok(()),
        }
    }

    /// Reads rows by a statement of the store itself.
    pub(crate) async fn fixed(&self, statement: crate::Statement) -> Result<Vec<Row>> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.read(statement).await,
            Engine::Postgres(postgres) => Box::pin(postgres.read(&statement)).await,
            Engine::Mariadb(mariadb) => Box::pin(mariadb.read(&statement)).await,
        }
    }
}

/// Statements that take longer are logged, with their shape and without their values.
const SLOW: Duration = Duration::from_millis(500);

struct Stopwatch(Instant);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn stop(self, shape: impl FnOnce() -> String) {
        let elapsed = self.0.elapsed();
        if elapsed > SLOW {
            tracing::warn!(milliseconds = elapsed.as_millis() as u64, statement = shape(), "a slow statement");
        }
    }
}

/// The outcome of work that awaits nothing but SQLite, which never keeps anybody waiting.
pub(crate) fn at_once<T>(mut work: BoxFuture<'_, Result<T>>) -> Result<T> {
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(Error::Driver("the work of a transaction awaited something else".into())),
    }
}

async fn read_schema(engine: &Engine) -> Result<Arc<Schema>> {
    Ok(match engine {
        Engine::Sqlite(sqlite) => sqlite.read_schema().await?,
        Engine::Postgres(postgres) => Arc::new(postgres.read_schema().await?),
        Engine::Mariadb(mariadb) => Arc::new(mariadb.read_schema().await?),
    })
}
