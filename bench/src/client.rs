//! The least HTTP/1.1 client that measures a server instead of itself: one connection, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
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
    /// Whether its status says that all went well.
    pub(crate) fn is_fine(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether Insula, or a server that answers as it does, did what it was asked to do.
    pub(crate) fn is_success(&self) -> bool {
        self.is_fine() && self.body.starts_with(br#"{"success":true"#)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(self.body).with_context(|| format!("This is no JSON: {}", self.text()))
    }

    /// The body as text, for people.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
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
        let end = match head.body {
            Body::Length(length) => {
                let end = head.length + length;
                while self.buffer.len() < end {
                    self.more().await?;
                }
                end
            }
            Body::Chunked => self.unchunk(head.length).await?,
        };
        ensure!(self.buffer.len() == end, "The server sent more than it declared");
        Ok(Answer { status: head.status, retry_after: head.retry_after, body: &self.buffer[head.length..end] })
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "The server closed the connection in a body");
        Ok(())
    }

    /// Reads a body that comes in pieces, each after its length, and leaves the pieces alone. Gives its end.
    async fn unchunk(&mut self, begin: usize) -> Result<usize> {
        let mut end = begin;
        loop {
            let (length, size) = loop {
                let parsed = httparse::parse_chunk_size(&self.buffer[end..]);
                match parsed.map_err(|_| anyhow!("A piece of a body does not begin with its length"))? {
                    httparse::Status::Complete((length, size)) => break (length, usize::try_from(size)?),
                    httparse::Status::Partial => self.more().await?,
                }
            };
            self.buffer.drain(end..end + length);
            while self.buffer.len() < end + size + 2 {
                self.more().await?;
            }
            end += size;
            self.buffer.drain(end..end + 2);
            if size == 0 {
                return Ok(end);
            }
        }
    }
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    retry_after: Option<u64>,
    /// Its own length in bytes.
    length: usize,
    body: Body,
}

/// How a body's end is found.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// By its length in bytes.
    Length(usize),
    /// By an empty piece at the end.
    Chunked,
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
        let body = match value("content-length") {
            Some(declared) => Body::Length(declared.parse().context("A length is no number")?),
            None if status == 204 => Body::Length(0),
            None if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) => {
                Body::Chunked
            }
            None => bail!("An answer with status {status} does not declare its length"),
        };
        let retry_after = value("retry-after").and_then(|seconds| seconds.parse().ok());
        Ok(Some(Self { status, retry_after, length, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Body, Client, Head};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    #[test]
    fn heads_are_read_when_they_are_complete() -> anyhow::Result<()> {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabc";
        assert_eq!(
            Head::parse(whole)?,
            Some(Head { status: 200, retry_after: None, length: 38, body: Body::Length(3) })
        );
        assert_eq!(Head::parse(&whole[..37])?, None);
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(Head::parse(busy)?.and_then(|head| head.retry_after), Some(7));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        Ok(())
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_read_to_its_end() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let answer =
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nb\r\n, \r\n\r\nworld\r\n0\r\n\r\n";
            for _ in 0..2 {
                stream.read(&mut [0; 64]).await?;
                // Byte by byte, so that every state of being incomplete is gone through.
                for byte in answer {
                    stream.write_all(&[*byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
            std::io::Result::Ok(())
        });
        let mut client = Client::connect(address).await?;
        for _ in 0..2 {
            assert_eq!(client.send(b"GET / HTTP/1.1\r\n\r\n").await?.body, b"hello, \r\n\r\nworld");
        }
        Ok(server.await??)
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
