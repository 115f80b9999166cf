//! The least HTTP/1.1 client that measures a server instead of itself: one connection, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEADERS: usize = 32;
const BUFFER: usize = 16 << 10;

/// A connection that is kept alive.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back; the body is valid until the next request.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// The seconds of the header `Retry-After`.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// Whether the server did what it was asked to do.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.body.starts_with(br#"{"success":true"#)
    }
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("Cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Sends the bytes of a request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "The server closed the connection in the middle of an answer");
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        let end = head.length + head.body;
        while self.buffer.len() < end {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "The server closed the connection in a body");
        }
        ensure!(self.buffer.len() == end, "The server sent more than it declared");
        Ok(Answer { status: head.status, retry_after: head.retry_after, body: &self.buffer[head.length..end] })
    }
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    retry_after: Option<u64>,
    /// Its own length in bytes.
    length: usize,
    /// The body's length in bytes.
    body: usize,
}

impl Head {
    /// Reads a head, or gives none when it is not all there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).context("This is no HTTP answer")? else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(std::str::from_utf8(header.value).unwrap_or_default().trim())
        };
        let Some(declared) = value("content-length") else {
            bail!("An answer with status {status} does not declare its length")
        };
        let body = declared.parse().context("A length is no number")?;
        let retry_after = value("retry-after").and_then(|seconds| seconds.parse().ok());
        Ok(Some(Self { status, retry_after, length, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Head};

    #[test]
    fn heads_are_read_when_they_are_complete() -> anyhow::Result<()> {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabc";
        assert_eq!(Head::parse(whole)?, Some(Head { status: 200, retry_after: None, length: 38, body: 3 }));
        assert_eq!(Head::parse(&whole[..37])?, None);
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(Head::parse(busy)?.and_then(|head| head.retry_after), Some(7));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(Head::parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        Ok(())
    }

    #[test]
    fn a_refusal_is_no_success_whatever_its_status() {
        let answer =
            |status, body: &'static str| Answer { status, retry_after: None, body: body.as_bytes() }.is_success();
        assert!(answer(200, r#"{"success":true,"data":[]}"#));
        assert!(!answer(200, r#"{"success":false}"#));
        assert!(!answer(401, r#"{"success":true,"valid":false}"#));
    }
}
