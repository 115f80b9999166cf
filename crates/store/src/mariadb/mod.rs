//! MariaDB: one pool a server, shared by all tenants that have a database on it.

mod decode;
mod error;

use std::{sync::Arc, time::Duration};

use kernel::{BoxFuture, WriteContext};
use mysql_async::{Conn, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, prelude::Queryable};
use tokio::time::timeout;

use crate::{Error, OutputColumn, Result, Row, Schema, Statement, Transaction, bind, cell, schema, tally, transaction};

pub(crate) use error::map as map_error;

/// Time for a new connection, from the first packet to the end of the log in.
const CONNECTING: Duration = Duration::from_secs(5);
/// Time for which a statement waits for a connection of the pool, a new one included.
const WAITING: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;
/// What every connection agrees on: UTC, no silent cutting of values, and the isolation PostgreSQL has.
const SETUP: [&str; 4] = [
    "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
    "SET NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    // No statement runs for ever.
    "SET SESSION max_statement_time = 30",
];

/// Whether a database has a list of tenants.
const LISTS: &str =
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = '_deleted_tenants'";

/// A tenant's database on a MariaDB server.
pub(crate) struct Mariadb {
    pool: Pool,
    pub(crate) database: Arc<str>,
}

/// Makes the pool of a server. It connects when it is first used.
pub(crate) fn pool(url: &str, connections: usize) -> Result<Pool> {
    let opts = Opts::from_url(url).map_err(|error| Error::Unavailable(error.into()))?;
    let constraints = PoolConstraints::new(0, connections).unwrap_or_default();
    let opts = OptsBuilder::from_opts(opts)
        .stmt_cache_size(STATEMENTS)
        .client_found_rows(true)
        .setup(SETUP.to_vec())
        .pool_opts(PoolOpts::default().with_constraints(constraints).with_reset_connection(false));
    Ok(Pool::new(opts))
}

/// A connection of a pool. Errors: [`Error::Unavailable`], also where there is none in time.
pub(crate) async fn connect(pool: &Pool) -> Result<Conn> {
    in_time(WAITING, pool.get_conn()).await
}

/// A connection that no pool ever has, for what is a state of it.
pub(crate) async fn connect_alone(pool: &Pool) -> Result<Conn> {
    let options = connect(pool).await?.opts().clone();
    in_time(CONNECTING, Conn::new(options)).await
}

async fn in_time<T>(time: Duration, work: impl Future<Output = mysql_async::Result<T>>) -> Result<T> {
    match timeout(time, work).await {
        Ok(done) => done.map_err(map_error),
        Err(elapsed) => Err(Error::Unavailable(elapsed.into())),
    }
}

impl Mariadb {
    /// Takes a database of a server; makes it where that is asked for, with text compared by code points.
    pub(crate) async fn open(pool: Pool, database: &str, create: bool) -> Result<Self> {
        let mut connection = connect(&pool).await?;
        if create {
            let sql = format!(
                "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
                quoted(database)
            );
            connection.query_drop(sql).await.map_err(map_error)?;
        }
        Ok(Self { pool, database: database.into() })
    }

    /// Removes a database with all that is in it, unless a list of tenants is.
    pub(crate) async fn destroy(pool: &Pool, database: &str) -> Result<()> {
        let mut connection = connect(pool).await?;
        let found: Option<u64> = connection.exec_first(LISTS, (database,)).await.map_err(map_error)?;
        if found != Some(0) {
            return Err(Error::holds_tenants(database));
        }
        connection.query_drop(format!("DROP DATABASE IF EXISTS {}", quoted(database))).await.map_err(map_error)
    }

    async fn connection(&self) -> Result<Conn> {
        connect(&self.pool).await
    }

    pub(crate) async fn read_json(&self, statement: &Statement, columns: &[OutputColumn]) -> Result<(Vec<u8>, u64)> {
        let mut out = Vec::with_capacity(256);
        let rows = json(&mut self.connection().await?, statement, columns, &mut out).await?;
        Ok((out, rows))
    }

    pub(crate) async fn read(&self, statement: &Statement) -> Result<Vec<Row>> {
        rows(&mut self.connection().await?, statement).await
    }

    pub(crate) async fn read_schema(&self) -> Result<Schema> {
        schema::mariadb::read(&mut self.connection().await?, &self.database).await
    }

    /// Runs work between begin and commit; dropped or failed, it is rolled back.
    pub(crate) async fn transaction<T, F>(&self, context: &WriteContext, work: &F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>>,
    {
        let mut guard = RollbackOnDrop(Some(self.connection().await?));
        let connection = guard.connection();
        control(connection, &begin(context)).await?;
        let value = {
            let connection = transaction::Connection::Mariadb(connection);
            work(&mut Transaction::new(connection, context)).await?
        };
        control(guard.connection(), "COMMIT").await?;
        guard.0.take();
        Ok(value)
    }

    /// Runs reads that see one state of the database.
    pub(crate) async fn snapshot<T, F>(&self, work: &F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>>,
    {
        let mut guard = RollbackOnDrop(Some(self.connection().await?));
        // The level is for the next transaction alone.
        let begin =
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        control(guard.connection(), begin).await?;
        let context = WriteContext::system();
        let value = {
            let connection = transaction::Connection::Mariadb(guard.connection());
            work(&mut Transaction::new(connection, &context)).await?
        };
        control(guard.connection(), "COMMIT").await?;
        guard.0.take();
        Ok(value)
    }

    /// Runs SQL text with this database as the place of unqualified names. Definitions commit one by one here, with the
    /// changes before them; the changes behind the last definition are done together or not at all.
    pub(crate) async fn script(&self, sql: &str) -> Result<()> {
        // The chosen database is a state of the connection, so that it must not return to the pool.
        let mut connection = connect_alone(&self.pool).await?;
        let begin = format!("SET SESSION max_statement_time = 0, autocommit = 0; USE {}", quoted(&self.database));
        connection.query_drop(begin).await.map_err(map_error)?;
        let outcome = match connection.query_drop(sql).await {
            Ok(()) => connection.query_drop("COMMIT").await,
            failed => failed,
        };
        let outcome = outcome.map_err(map_error);
        connection.disconnect().await.map_err(map_error)?;
        outcome
    }
}

/// Says who writes and begins, in one trip. Both values are digits of this program's own making.
fn begin(context: &WriteContext) -> String {
    let user = context.user.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
    let request = context.request.map_or_else(|| "NULL".to_owned(), |id| format!("'{id}'"));
    format!("SET @current_user_id = {user}, @request_id = {request}; START TRANSACTION")
}

/// A connection inside a transaction. Unless the work finished, it is rolled back before the pool has it again.
struct RollbackOnDrop(Option<Conn>);

impl RollbackOnDrop {
    #[expect(clippy::unwrap_used, reason = "only drop and the commit take the connection, and both end this value")]
    fn connection(&mut self) -> &mut Conn {
        self.0.as_mut().unwrap()
    }
}

impl Drop for RollbackOnDrop {
    fn drop(&mut self) {
        if let Some(mut connection) = self.0.take() {
            tokio::spawn(async move {
                if control(&mut connection, "ROLLBACK").await.is_err() {
                    let _ = connection.disconnect().await;
                }
            });
        }
    }
}

fn parameters(statement: &Statement) -> Params {
    match statement.values.as_slice() {
        [] => Params::Empty,
        values => Params::Positional(values.iter().map(bind::mariadb).collect()),
    }
}

/// Runs statements without values and answers.
pub(crate) async fn control(connection: &mut Conn, sql: &str) -> Result<()> {
    tally::add(sql.split(';').count());
    connection.query_drop(sql).await.map_err(map_error)
}

/// Runs a statement without an answer and tells how many rows it touched.
pub(crate) async fn execute(connection: &mut Conn, statement: &Statement) -> Result<u64> {
    tally::add(1);
    if statement.values.is_empty() {
        connection.query_drop(&*statement.sql).await.map_err(map_error)?;
    } else {
        connection.exec_drop(&*statement.sql, parameters(statement)).await.map_err(map_error)?;
    }
    Ok(connection.affected_rows())
}

/// Reads rows for the server's own use.
pub(crate) async fn rows(connection: &mut Conn, statement: &Statement) -> Result<Vec<Row>> {
    tally::add(1);
    let mut result = connection.exec_iter(&*statement.sql, parameters(statement)).await.map_err(map_error)?;
    let mut found = Vec::new();
    while let Some(row) = result.next().await.map_err(map_error)? {
        found.push(decode::row(row));
    }
    Ok(found)
}

/// Writes rows as a JSON array as they arrive.
pub(crate) async fn json(
    connection: &mut Conn,
    statement: &Statement,
    columns: &[OutputColumn],
    out: &mut Vec<u8>,
) -> Result<u64> {
    tally::add(1);
    let mut result = connection.exec_iter(&*statement.sql, parameters(statement)).await.map_err(map_error)?;
    let mut rows = cell::Rows::begin(out, columns);
    while let Some(row) = result.next().await.map_err(map_error)? {
        rows.push(
            |position| Ok(matches!(row.as_ref(position), Some(mysql_async::Value::Int(1..)))),
            |out, kind, index| {
                decode::write(out, kind, row.as_ref(index));
                Ok(())
            },
        )?;
    }
    Ok(rows.end())
}

/// A name quoted for SQL text.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
