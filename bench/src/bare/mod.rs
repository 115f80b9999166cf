//! The ceiling: what axum and rusqlite can do when nothing stands between them.

mod answer;
pub(crate) mod postgres;
mod rows;
mod writer;

use std::{
    io::Write as _,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
    serve::ListenerExt as _,
};
use serde::Deserialize;
use tokio::{net::TcpListener, runtime};

use self::{
    answer::{Answer, Failure},
    writer::{Insert, Writer},
};

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
    let routes = Router::new()
        .route("/read", post(read))
        .route("/list", post(list))
        .route("/count", post(count))
        .route("/insert", post(insert))
        .route("/ready", get(async || ()));
    listen(options.listen, options.ready_file.as_deref(), routes.with_state(Arc::new(bare))).await
}

async fn listen(address: SocketAddr, ready_file: Option<&Path>, routes: Router) -> Result<()> {
    let listener = TcpListener::bind(address).await.context("Cannot listen")?;
    let address = listener.local_addr()?;
    println!("Listening on {address}");
    std::io::stdout().flush()?;
    if let Some(file) = ready_file {
        std::fs::write(file, address.to_string()).with_context(|| format!("Cannot write {}", file.display()))?;
    }
    // Small answers must not wait for the next packet. A connection on which this fails is merely slow.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, routes).await?)
}

#[derive(Deserialize)]
struct Read {
    id: i64,
}

async fn read(State(bare): State<Arc<Bare>>, Json(Read { id }): Json<Read>) -> Answered {
    // On the worker's own thread and connection: a read of cached pages is quicker than any hand-over.
    Ok(rows::one(&bare.data, id)?)
}

/// What a list may show: here it is a word of the request, and nobody checks it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rule {
    None,
    Owner,
    Member,
}

#[derive(Deserialize)]
struct List {
    rule: Rule,
    caller: i64,
    offset: i64,
}

async fn list(State(bare): State<Arc<Bare>>, Json(List { rule, caller, offset }): Json<List>) -> Answered {
    Ok(rows::twenty(&bare.data, rule, caller, offset)?)
}

#[derive(Deserialize)]
struct Count {
    rule: Rule,
    caller: i64,
}

async fn count(State(bare): State<Arc<Bare>>, Json(Count { rule, caller }): Json<Count>) -> Answered {
    Ok(rows::count(&bare.data, rule, caller)?)
}

async fn insert(State(bare): State<Arc<Bare>>, Json(insert): Json<Insert>) -> Answered {
    Ok(Answer::inserted(bare.writer.insert(insert).await?))
}

type Answered = Result<Answer, Failure>;
