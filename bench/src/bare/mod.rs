//! The ceiling: what axum and rusqlite can do when nothing stands between them.

mod rows;
mod writer;

use std::{io::Write as _, net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt as _,
};
use serde::Deserialize;
use tokio::{net::TcpListener, runtime};

use self::writer::{Insert, Writer};

/// What the bare server may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The SQLite file; made, with 100,000 rows, when it is not there.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Worker threads; one a core when not said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Commit every insert by itself instead of all that wait together.
    #[arg(long)]
    autocommit: bool,
    /// Write the address to this file once connections are welcome.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

struct Bare {
    data: PathBuf,
    writer: Writer,
}

/// Serves until the process ends.
pub(crate) fn run(options: &Options) -> Result<()> {
    rows::create(&options.data)?;
    let bare = Bare { data: options.data.clone(), writer: Writer::start(&options.data, options.autocommit)? };
    let mut builder = runtime::Builder::new_multi_thread();
    if let Some(threads) = options.threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().build()?.block_on(serve(options, bare))
}

async fn serve(options: &Options, bare: Bare) -> Result<()> {
    let listener = TcpListener::bind(options.listen).await.context("Cannot listen")?;
    let address = listener.local_addr()?;
    println!("Listening on {address}");
    std::io::stdout().flush()?;
    if let Some(file) = &options.ready_file {
        std::fs::write(file, address.to_string()).with_context(|| format!("Cannot write {}", file.display()))?;
    }
    let routes = Router::new().route("/read", post(read)).route("/list", post(list)).route("/insert", post(insert));
    // Small answers must not wait for the next packet. A connection on which this fails is merely slow.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, routes.with_state(Arc::new(bare))).await?)
}

#[derive(Deserialize)]
struct Read {
    id: i64,
}

async fn read(State(bare): State<Arc<Bare>>, Json(Read { id }): Json<Read>) -> Answer {
    // On the worker's own thread and connection: a read of cached pages is quicker than any hand-over.
    Ok(Body(rows::one(&bare.data, id)?))
}

#[derive(Deserialize)]
struct List {
    offset: i64,
}

async fn list(State(bare): State<Arc<Bare>>, Json(List { offset }): Json<List>) -> Answer {
    Ok(Body(rows::twenty(&bare.data, offset)?))
}

async fn insert(State(bare): State<Arc<Bare>>, Json(insert): Json<Insert>) -> Answer {
    let id = bare.writer.insert(insert).await?;
    Ok(Body(format!(r#"{{"success":true,"data":{id},"rows_affected":1}}"#).into_bytes()))
}

type Answer = Result<Body, Failure>;

/// An answer's JSON.
struct Body(Vec<u8>);

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Whatever went wrong, for the server's own output.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("A request failed: {:#}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
