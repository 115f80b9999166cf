//! An upstream with one large file whose bytes anybody can work out, and with them its checksum.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, runtime};

/// Bytes that are sent at once. Each piece begins with its number, so that none can take another's place.
const PIECE: usize = 256 << 10;

/// What the upstream may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The file's length in MiB.
    #[arg(long, default_value = "1024")]
    mebibytes: u64,
    /// Write the address to this file once connections are welcome.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Serves until the process ends.
pub(crate) fn run(options: &Options) -> Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(options.listen).await.context("Cannot listen")?;
        if let Some(file) = &options.ready_file {
            std::fs::write(file, listener.local_addr()?.to_string())?;
        }
        let routes = Router::new().route("/blob", get(blob)).with_state(options.mebibytes);
        Ok(axum::serve(listener, routes).await?)
    })
}

async fn blob(State(mebibytes): State<u64>) -> impl IntoResponse {
    let pieces = stream::iter((0..pieces(mebibytes)).map(|number| Ok::<_, std::io::Error>(Bytes::from(piece(number)))));
    let length = (mebibytes << 20).to_string();
    ([(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, length)], Body::from_stream(pieces))
}

const fn pieces(mebibytes: u64) -> u64 {
    (mebibytes << 20) / PIECE as u64
}

fn piece(number: u64) -> Vec<u8> {
    let mut piece = vec![number as u8; PIECE];
    piece[..8].copy_from_slice(&number.to_le_bytes());
    piece
}

/// The checksum of a file of this length.
pub(super) fn checksum(mebibytes: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    (0..pieces(mebibytes)).for_each(|number| hash.update(piece(number)));
    hash.finalize().into()
}
