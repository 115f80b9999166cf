//! The same server on PostgreSQL: axum and tokio-postgres with nothing between them.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use axum::{Json, Router, extract::State, routing::post};
use jiff::Timestamp;
use tokio::runtime;
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::{
    Answered, Read,
    answer::{Answer, Message},
    listen,
    writer::Insert,
};

const READ: &str = "SELECT id, room, author, body, created_at FROM message WHERE id = $1";
const JOIN: &str = "SELECT message.id, message.room, message.author, message.body, message.created_at, room.name \
    FROM message JOIN room ON message.room = room.id WHERE message.id = $1";
const BULK: &str = "INSERT INTO message (room, author, body) \
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) RETURNING id";

/// What the bare server on PostgreSQL may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The URL of the database.
    #[arg(long, env = "INSULA_BENCH_POSTGRES_URL", hide_env_values = true)]
    url: String,
    /// The schema with the tables, which are there already.
    #[arg(long)]
    schema: String,
    /// Connections to the database.
    #[arg(long, default_value = "16")]
    connections: usize,
    /// Write the address to this file once connections are welcome.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// The connections take turns, and each has as many statements on the way as there are.
struct Bare {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

struct Connection {
    client: Client,
    read: Statement,
    join: Statement,
    bulk: Statement,
}

/// Serves until the process ends.
pub(crate) fn run(options: &Options) -> Result<()> {
    runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<()> {
    let mut connections = Vec::new();
    for _ in 0..options.connections {
        connections
            .push(Connection::open(&options.url, &options.schema).await.context("Cannot connect to PostgreSQL")?);
    }
    let bare = Arc::new(Bare { connections, next: AtomicUsize::new(0) });
    let routes = Router::new().route("/read", post(read)).route("/join", post(join)).route("/bulk", post(bulk));
    listen(options.listen, options.ready_file.as_deref(), routes.with_state(bare)).await
}

impl Connection {
    async fn open(url: &str, schema: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path = {schema}")).await?;
        let (read, join, bulk) =
            (client.prepare(READ).await?, client.prepare(JOIN).await?, client.prepare(BULK).await?);
        Ok(Self { client, read, join, bulk })
    }
}

impl Bare {
    fn connection(&self) -> &Connection {
        &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len()]
    }
}

async fn read(State(bare): State<Arc<Bare>>, Json(Read { id }): Json<Read>) -> Answered {
    let connection = bare.connection();
    answer(&connection.client.query(&connection.read, &[&id]).await?, false)
}

async fn join(State(bare): State<Arc<Bare>>, Json(Read { id }): Json<Read>) -> Answered {
    let connection = bare.connection();
    answer(&connection.client.query(&connection.join, &[&id]).await?, true)
}

async fn bulk(State(bare): State<Arc<Bare>>, Json(inserts): Json<Vec<Insert>>) -> Answered {
    let connection = bare.connection();
    let (mut rooms, mut authors, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for Insert { room, author, body } in inserts {
        rooms.push(room);
        authors.push(author);
        bodies.push(body);
    }
    let rows = connection.client.query(&connection.bulk, &[&rooms, &authors, &bodies]).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    Ok(Answer::batch(&ids))
}

fn answer(rows: &[Row], with_name: bool) -> Answered {
    let mut answer = Answer::rows();
    for row in rows {
        let created_at = Timestamp::try_from(row.try_get::<_, SystemTime>(4)?)?;
        answer.message(&Message {
            id: row.try_get(0)?,
            room: row.try_get(1)?,
            author: row.try_get(2)?,
            body: row.try_get(3)?,
            created_at,
            name: if with_name { Some(row.try_get(5)?) } else { None },
        })?;
    }
    Ok(answer.end())
}
