//! The process is asked to end while many write.

use std::time::Duration;

use insula_tests::{Backend, Client, Program, Proxy, Serving, until};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    installation,
    writers::{self, Acknowledged},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_answers_what_was_accepted() {
    let program = installation();
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    let acknowledged = Acknowledged::default();
    let writers = writers::start(&client, 0, 32, &acknowledged);
    let mut slow = Slow::begin(&serving, &client).await;
    until("there is load", Duration::from_secs(20), async || acknowledged.lock().len() > 200).await;

    serving.terminate();
    let address = serving.address().to_owned();
    until("nobody is let in any more", Duration::from_secs(5), async || TcpStream::connect(&address).await.is_err())
        .await;
    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(serving.ended().await.code(), Some(0));
    writers.join_all().await;

    // A write that is there without an answer was accepted and then dropped.
    let mut told = acknowledged.lock().clone();
    told.insert((1, 0, 0), 1);
    let stored = writers::stored(&program);
    let silent: Vec<_> = stored.keys().filter(|write| !told.contains_key(write)).collect();
    assert!(silent.is_empty(), "{} of {} writes were done without an answer", silent.len(), stored.len());
    assert_eq!(stored, told);
    println!("{} writes, each answered", told.len());
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_although_a_postgresql_does_not_answer() {
    ends_although_the_database_does_not_answer(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_although_a_mariadb_does_not_answer() {
    ends_although_the_database_does_not_answer(Backend::Mariadb).await;
}

async fn ends_although_the_database_does_not_answer(backend: Backend) {
    let (proxy, url) = Proxy::before(&backend.url()).await;
    let program = Program::new(backend)
        .with("INSULA_STORE__DATABASE", &url)
        .with("INSULA_SERVER__SHUTDOWN_DEADLINE", "1s")
        .with("INSULA_SERVER__RESTART_FLUSH_TIMEOUT", "1s");
    program.ok(&["init", "--name", &program.tenant, "--domain", &format!("{}.test", program.tenant)]);
    program.user(&program.tenant, "ada", "administrators");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    // What the session did is still to be written down.
    assert_eq!(client.get("/auth/status").await.status, 200);
    proxy.block(true);
    serving.terminate();
    assert_eq!(serving.ended().await.code(), Some(0));
    proxy.block(false);
    program.end();
}

/// A request whose body is still on its way.
struct Slow {
    stream: TcpStream,
    rest: String,
}

impl Slow {
    /// Sends a request but for its end, and returns once the server waits for that.
    async fn begin(serving: &Serving, client: &Client) -> Self {
        let data = json!({"round": 1, "writer": 0, "number": 0, "part": 0, "parts": 1, "note": "slow"});
        let body = json!({"action": "insert", "table": "notes", "data": data}).to_string();
        let (first, rest) = body.split_at(20);
        let head = format!(
            "POST /query HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            serving.address(),
            client.token.as_deref().unwrap(),
            body.len(),
        );
        let mut stream = TcpStream::connect(serving.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut told = [0; 64];
        let length = stream.read(&mut told).await.unwrap();
        assert!(told[..length].starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&told[..length]));
        stream.write_all(first.as_bytes()).await.unwrap();
        Self { stream, rest: rest.to_owned() }
    }

    /// Sends the end; what was answered.
    async fn finish(&mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
