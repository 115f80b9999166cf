//! PostgreSQL: one pool a server, shared by all tenants that have a schema on it.

mod decode;
mod error;

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::{TryStreamExt, future, pin_mut};
use kernel::{BoxFuture, WriteContext};
use tokio_postgres::{NoTls, RowStream};

use crate::{
    Applied, Change, Error, OutputColumn, Result, Row, Schema, Statement, Transaction, bind, cell, schema, tally,
    transaction,
};

pub(crate) use error::map as map_error;

/// A connection from the pool with its prepared statements.
pub(crate) type Client = Object;

/// Time for a new connection, from the first packet to the end of the log in.
const CONNECTING: Duration = Duration::from_secs(5);
/// Time for which a statement waits for a connection of the pool.
const WAITING: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps before it forgets them all.
const STATEMENTS: usize = 1_024;
/// What every connection agrees on: UTC, one spelling of dates, and no statement that runs for ever.
const OPTIONS: &str = "-c TimeZone=UTC -c DateStyle=ISO,YMD -c statement_timeout=30s";
const CONTEXT: &str = "SELECT set_config('app.current_user_id', $1, true), set_config('app.request_id', $2, true)";

/// Whether a schema has a list of tenants.
const LISTS: &str = "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND c.relname = '_deleted_tenants'";

/// A tenant's schema on a PostgreSQL server.
pub(crate) struct Postgres {
    pool: Pool,
    pub(crate) schema: Arc<str>,
    /// Whether text order of the database differs from the order by code points.
    foreign_collation: bool,
}

/// Makes the pool of a server. It connects when it is first used.
pub(crate) fn pool(url: &str, connections: usize) -> Result<Pool> {
    let mut config: tokio_postgres::Config = url.parse().map_err(|error| Error::Unavailable(Box::new(error)))?;
    let options = config.get_options().map_or_else(|| OPTIONS.to_owned(), |own| format!("{OPTIONS} {own}"));
    config.options(options).application_name("insula").connect_timeout(CONNECTING);
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let pool = Pool::builder(manager).max_size(connections).runtime(Runtime::Tokio1);
    let pool = pool.create_timeout(Some(CONNECTING)).wait_timeout(Some(WAITING));
    pool.build().map_err(|error| Error::Unavailable(error.into()))
}

/// A connection of a pool. Errors: [`Error::Unavailable`], also where there is none in time.
pub(crate) async fn connect(pool: &Pool) -> Result<Client> {
    pool.get().await.map_err(|error| Error::Unavailable(error.into()))
}

impl Postgres {
    /// Takes a schema of a server; makes it where that is asked for.
    pub(crate) async fn open(pool: Pool, schema: &str, create: bool) -> Result<Self> {
        let client = connect(&pool).await?;
        if create {
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
            client.batch_execute(&sql).await.map_err(map_error)?;
        }
        let foreign_collation = schema::postgres::has_foreign_collation(&client).await?;
        Ok(Self { pool, schema: schema.into(), foreign_collation })
    }

    /// Removes a schema with all that is in it, unless a list of tenants is.
    pub(crate) async fn destroy(pool: &Pool, schema: &str) -> Result<()> {
        let client = connect(pool).await?;
        let found = client.query_one(LISTS, &[&schema]).await.map_err(map_error)?;
        if found.get::<_, i64>(0) > 0 {
            return Err(Error::holds_tenants(schema));
        }
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(schema));
        client.batch_execute(&sql).await.map_err(map_error)
    }

    async fn client(&self) -> Result<Client> {
        let client = connect(&self.pool).await?;
        if client.statement_cache.size() > STATEMENTS {
            client.statement_cache.clear();
        }
        Ok(client)
    }

    pub(crate) async fn read_json(&self, statement: &Statement, columns: &[OutputColumn]) -> Result<(Vec<u8>, u64)> {
        let client = self.client().await?;
        let mut out = Vec::with_capacity(256);
        let rows = json(&client, statement, columns, &mut out).await?;
        Ok((out, rows))
    }

    pub(crate) async fn read(&self, statement: &Statement) -> Result<Vec<Row>> {
        rows(&self.client().await?, statement).await
    }

    pub(crate) async fn read_schema(&self) -> Result<Schema> {
        schema::postgres::read(&self.client().await?, &self.schema, self.foreign_collation).await
    }

    /// A change that needs no second look: begin, context, statement and commit travel together.
    pub(crate) async fn write_pipelined(&self, context: &WriteContext, change: &Change) -> Result<Applied> {
        let client = self.client().await?;
        let statement = change.statement()?;
        let inserts = matches!(change, Change::Insert(_) | Change::Row(_));
        let has_key = inserts && !change.table().key.is_empty();
        let prepared = prepare(&client, &statement.sql).await?;
        let set = prepare(&client, CONTEXT).await?;
        let write = async {
            if has_key {
                let keys: Vec<_> = fetch_prepared(&client, &prepared, &statement).await?;
                let keys: Vec<_> = keys.into_iter().map(|Row(values)| values).collect();
                return Ok(Applied { rows: keys.len() as u64, keys });
            }
            tally::add(1);
            let values: Vec<_> = statement.values.iter().map(bind::Postgres).collect();
            let rows = client.execute_raw(&prepared, values.iter()).await.map_err(map_error)?;
            Ok(Applied { rows, keys: Vec::new() })
        };
        let (begin, commit) = (control(&client, "BEGIN"), control(&client, "COMMIT"));
        // Polled in this order for the first time, and so sent in this order.
        let sent = future::join4(begin, set_context(&client, &set, context), write, commit);
        let (begun, set, written, committed) = sent.await;
        begun?;
        set?;
        let applied = written.map_err(|error: Error| error.with_columns_of(change.table()))?;
        committed?;
        Ok(applied)
    }

    /// Runs work between begin and commit; dropped or failed, it is rolled back.
    pub(crate) async fn transaction<T, F>(&self, context: &WriteContext, work: &F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>>,
    {
        let client = self.client().await?;
        let set = prepare(&client, CONTEXT).await?;
        let guard = RollbackOnDrop::new(client);
        let (begun, set) =
            future::join(control(guard.client(), "BEGIN"), set_context(guard.client(), &set, context)).await;
        begun?;
        set?;
        let connection = transaction::Connection::Postgres(guard.client());
        let value = work(&mut Transaction::new(connection, context)).await?;
        control(guard.client(), "COMMIT").await?;
        guard.finished();
        Ok(value)
    }

    /// Runs reads that see one state of the database.
    pub(crate) async fn snapshot<T, F>(&self, work: &F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Transaction<'_>) -> BoxFuture<'t, Result<T>>,
    {
        let guard = RollbackOnDrop::new(self.client().await?);
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        control(guard.client(), begin).await?;
        let (connection, context) = (transaction::Connection::Postgres(guard.client()), WriteContext::system());
        let value = work(&mut Transaction::new(connection, &context)).await?;
        control(guard.client(), "COMMIT").await?;
        guard.finished();
        Ok(value)
    }

    /// Runs SQL text as one transaction with this schema as the place of unqualified names.
    pub(crate) async fn script(&self, sql: &str) -> Result<()> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(map_error)?;
        let path = format!("SET LOCAL statement_timeout = 0; SET LOCAL search_path TO {}", quoted(&self.schema));
        transaction.batch_execute(&path).await.map_err(map_error)?;
        transaction.batch_execute(sql).await.map_err(map_error)?;
        transaction.commit().await.map_err(map_error)
    }
}

/// A connection inside a transaction. Unless the work finished, it leaves the pool, and the server rolls back.
struct RollbackOnDrop(Option<Client>);

impl RollbackOnDrop {
    fn new(client: Client) -> Self {
        Self(Some(client))
    }

    #[expect(clippy::unwrap_used, reason = "only drop and finished take the client, and both end this value")]
    fn client(&self) -> &Client {
        self.0.as_ref().unwrap()
    }

    fn finished(mut self) {
        drop(self.0.take());
    }
}

impl Drop for RollbackOnDrop {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            tokio::spawn(async move {
                if control(&client, "ROLLBACK").await.is_err() {
                    drop(Object::take(client));
                }
            });
        }
    }
}

async fn set_context(client: &Client, prepared: &tokio_postgres::Statement, context: &WriteContext) -> Result<()> {
    tally::add(1);
    let user = context.user.map(|number| number.to_string()).unwrap_or_default();
    let request = context.request.map(|id| id.to_string()).unwrap_or_default();
    client.query(prepared, &[&user, &request]).await.map(drop).map_err(map_error)
}

async fn prepare(client: &Client, sql: &str) -> Result<tokio_postgres::Statement> {
    client.prepare_cached(sql).await.map_err(map_error)
}

async fn query(client: &Client, prepared: &tokio_postgres::Statement, statement: &Statement) -> Result<RowStream> {
    tally::add(1);
    let values: Vec<_> = statement.values.iter().map(bind::Postgres).collect();
    client.query_raw(prepared, values.iter()).await.map_err(map_error)
}

async fn fetch_prepared(
    client: &Client,
    prepared: &tokio_postgres::Statement,
    statement: &Statement,
) -> Result<Vec<Row>> {
    let stream = query(client, prepared, statement).await?;
    stream.map_err(map_error).and_then(|row| future::ready(decode::row(&row))).try_collect().await
}

/// Runs statements without values and answers.
pub(crate) async fn control(client: &Client, sql: &str) -> Result<()> {
    tally::add(sql.split(';').count());
    client.batch_execute(sql).await.map_err(map_error)
}

/// Runs a statement without an answer and tells how many rows it touched.
pub(crate) async fn execute(client: &Client, statement: &Statement) -> Result<u64> {
    tally::add(1);
    if statement.values.is_empty() {
        return client.execute(&*statement.sql, &[]).await.map_err(map_error);
    }
    let prepared = prepare(client, &statement.sql).await?;
    let values: Vec<_> = statement.values.iter().map(bind::Postgres).collect();
    client.execute_raw(&prepared, values.iter()).await.map_err(map_error)
}

/// Reads rows for the server's own use.
pub(crate) async fn rows(client: &Client, statement: &Statement) -> Result<Vec<Row>> {
    let prepared = prepare(client, &statement.sql).await?;
    fetch_prepared(client, &prepared, statement).await
}

/// Writes rows as a JSON array as they arrive.
pub(crate) async fn json(
    client: &Client,
    statement: &Statement,
    columns: &[OutputColumn],
    out: &mut Vec<u8>,
) -> Result<u64> {
    let prepared = prepare(client, &statement.sql).await?;
    let stream = query(client, &prepared, statement).await?;
    pin_mut!(stream);
    let mut rows = cell::Rows::begin(out, columns);
    while let Some(row) = stream.try_next().await.map_err(map_error)? {
        rows.push(|position| decode::flag(&row, position), |out, kind, index| decode::write(out, kind, &row, index))?;
    }
    Ok(rows.end())
}

/// A name quoted for SQL text.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
