//! Servers written by hand, which can answer anything.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use kernel::{Reason, Result, Span};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use upstream::{BodyStream, Call, Clients, HttpConfig, HttpUpstream};

/// A server that counts connections and keeps the requests that it reads.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<Mutex<usize>>,
    requests: Requests,
}

#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    /// Reads one request, or nothing where the connection ends.
    pub(crate) async fn read(&self, stream: &mut TcpStream) -> Option<String> {
        let mut text = Vec::new();
        let head = loop {
            if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut text).await.ok()? == 0 {
                return None;
            }
        };
        let lower = String::from_utf8_lossy(&text[..head]).to_lowercase();
        let length =
            lower.split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        while text.len() < head + length {
            stream.read_buf(&mut text).await.ok().filter(|length| *length > 0)?;
        }
        let text = String::from_utf8(text).unwrap();
        self.0.lock().push(text.clone());
        Some(text)
    }
}

impl Server {
    /// Serves each connection with a function of its number.
    pub(crate) async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(usize, TcpStream, Requests) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(Mutex::new(0)), Requests::default());
        let (count, kept) = (Arc::clone(&connections), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = *count.lock();
                *count.lock() += 1;
                tokio::spawn(serve(number, stream, kept.clone()));
            }
        });
        Self { address, connections, requests }
    }

    /// Answers each request with the same bytes and ends the connection.
    pub(crate) async fn saying(answer: impl Into<Bytes>) -> Self {
        let answer: Bytes = answer.into();
        Self::start(move |_, mut stream, requests| {
            let answer = answer.clone();
            async move {
                if requests.read(&mut stream).await.is_some() {
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                }
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.0.lock().clone()
    }

    pub(crate) fn config(&self, path: &str) -> HttpConfig {
        HttpConfig { url: format!("http://{}{path}", self.address), ..HttpConfig::default() }
    }

    /// A service with the default limits, except that what takes long takes half a second.
    pub(crate) fn upstream(&self) -> HttpUpstream {
        self.with(|_| {})
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut HttpConfig)) -> HttpUpstream {
        let mut config = HttpConfig { timeout: Span(Duration::from_millis(500)), ..self.config("/") };
        change(&mut config);
        upstream(&config)
    }
}

pub(crate) fn upstream(config: &HttpConfig) -> HttpUpstream {
    HttpUpstream::new(config, Path::new("/"), &Arc::new(Clients::new())).unwrap()
}

/// An answer with status 200, a length and a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

static NOTHING: LazyLock<(BTreeMap<String, String>, HeaderMap)> = LazyLock::new(Default::default);

pub(crate) fn call() -> Call<'static> {
    let (path, headers) = &*NOTHING;
    Call { path, context: Bytes::from_static(b"{}"), query: None, headers, request_id: "17" }
}

pub(crate) async fn json(upstream: &HttpUpstream) -> Result<Box<RawValue>> {
    upstream.json(call()).await
}

pub(crate) async fn pass(upstream: &HttpUpstream) -> Result<Response<BodyStream>> {
    upstream.passthrough(call()).await
}

/// The reason and message of what must fail.
pub(crate) fn told<T>(result: Result<T>) -> (Reason, String) {
    let error = result.err().expect("this must fail");
    (error.reason, error.message)
}
