//! One download, by a client that reads as a program would that does something with what it gets.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const BUFFER: usize = 256 << 10;
const MAX_HEAD: usize = 16 << 10;

/// Whether the client looks at what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Client {
    /// It takes the checksum of every byte.
    Checks,
    /// It throws every byte away.
    Discards,
}

/// What was downloaded.
pub(super) struct Downloaded {
    pub(super) bytes: u64,
    pub(super) time: Duration,
    /// Where the client takes it.
    pub(super) checksum: Option<[u8; 32]>,
}

/// Downloads what is at a path over a connection of its own.
pub(super) async fn download(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    client: Client,
) -> Result<Downloaded> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("Cannot connect to {address}"))?;
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let begun = Instant::now();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{token}\r\n").as_bytes()).await?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let (head, length) = loop {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "The server closed the connection in the head");
        if let Some(head) = head(&buffer)? {
            break head;
        }
        ensure!(buffer.len() < MAX_HEAD, "The head is too long");
    };
    let mut hash = Sha256::new();
    let mut look = |bytes: &[u8]| {
        if client == Client::Checks {
            hash.update(bytes);
        }
        bytes.len() as u64
    };
    let mut bytes = look(&buffer[head..]);
    while bytes < length {
        buffer.clear();
        ensure!(stream.read_buf(&mut buffer).await? > 0, "The body ended after {bytes} of {length} bytes");
        bytes += look(&buffer);
    }
    let time = begun.elapsed();
    let checksum = (client == Client::Checks).then(|| hash.finalize().into());
    Ok(Downloaded { bytes, time, checksum })
}

/// The length of an answer's head and of its body; none while the head is not all there.
fn head(bytes: &[u8]) -> Result<Option<(usize, u64)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(bytes).context("This is no HTTP answer")? else {
        return Ok(None);
    };
    if response.code != Some(200) {
        bail!("The server refuses: {}", String::from_utf8_lossy(bytes));
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("The answer does not declare its length")?;
    Ok(Some((end, std::str::from_utf8(length.value)?.parse()?)))
}
