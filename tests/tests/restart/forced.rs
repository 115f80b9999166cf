//! Restarts at once, while many write and read.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use insula_tests::{Backend, Client, Program, Proxy, Serving, until};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    FORCED, ask, forget, has_restarted, installation, installed,
    load::{self, Told},
    restarted,
};

const CALLERS: i64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_restarts_under_load_lose_nothing() {
    restarts_under_load(Backend::Sqlite, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_lose_nothing_on_postgres() {
    restarts_under_load(Backend::Postgres, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_lose_nothing_on_mariadb() {
    restarts_under_load(Backend::Mariadb, 5).await;
}

async fn restarts_under_load(backend: Backend, restarts: usize) {
    let admin = free_address();
    let program = installation(backend).with("INSULA_SERVER__ADMIN_LISTEN", &admin);
    let serving = program.serve().await;
    let first = serving.user(&program.tenant, "ada").await;
    let told = Arc::new(Told::default());
    let mut callers = load::start(&first, CALLERS, &told);
    let knocking = tokio::spawn(load::knock(serving.address().to_owned(), Arc::clone(&told)));
    let knocking_at_admin = tokio::spawn(load::knock(admin, Arc::clone(&told)));
    let mut tokens = vec![first.token.clone().unwrap()];
    let mut times = Vec::new();
    let open = descriptors(&serving);
    for _ in 0..restarts {
        let begun = Instant::now();
        let client = serving.anonymous().at_host(format!("api.{}.test", program.tenant)).with_token(&tokens[0]);
        let answer = ask(&program, &client, FORCED).await;
        assert_eq!(answer.body["restart_wait_seconds"], 0, "{}", answer.text);
        while !has_restarted(&program) {
            assert!(begun.elapsed() < Duration::from_secs(20), "the program restarts");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(serving.anonymous().get("/").await.status, 200);
        times.push(begun.elapsed());
        // A session of between.
        tokens.push(serving.user(&program.tenant, "ada").await.token.unwrap());
        let (answered, begun) = (told.answered.load(Ordering::Relaxed), Instant::now());
        until("there is load", Duration::from_secs(20), async || told.answered.load(Ordering::Relaxed) > answered + 20)
            .await;
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    told.stop();
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    let knocks = knocking.await.unwrap() + knocking_at_admin.await.unwrap();
    times.sort_unstable();
    println!(
        "{backend:?}: {restarts} restarts, from the request to the first answer {:?} (median), {:?} (longest); {} requests \
         answered, {knocks} connections, {} requests sent again, {} writes done without an answer",
        times[times.len() / 2],
        times[times.len() - 1],
        told.answered.load(Ordering::Relaxed),
        told.repeated.load(Ordering::Relaxed),
        told.silent.load(Ordering::Relaxed),
    );
    let refused = told.refused.lock().clone();
    assert!(refused.is_empty(), "{} refused: {:?}", refused.len(), refused.first());
    for token in tokens {
        let status = first.with_token(&token).get("/auth/status").await;
        assert_eq!((status.status, &status.body["valid"]), (200, &json!(true)), "{}", status.text);
    }
    let stored = stored(&program);
    let written = told.written.lock().clone();
    let lost: Vec<_> = written.iter().filter(|write| !stored.contains_key(write)).collect();
    assert!(lost.is_empty(), "{} of {} writes are lost: {lost:?}", lost.len(), written.len());
    assert_eq!(stored.len(), written.len(), "writes that nobody was told of");
    // No process leaves descriptors to the next. Connections of the clients come and go.
    let now = descriptors(&serving);
    assert!(now <= open + 40, "{open} descriptors at first, {now} after {restarts} restarts");
    serving.terminate();
    assert_eq!(serving.ended().await.code(), Some(0));
    program.end();
}

/// How many rows each write has, of which none may be half there.
fn stored(program: &Program) -> HashMap<(i64, i64), i64> {
    let mut found = HashMap::new();
    for line in program.ok(&["export", "notes", "--format", "jsonl"]).lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let field = |name: &str| row[name].as_i64().unwrap();
        *found.entry((field("writer"), field("number"))).or_default() += 1;
    }
    let half: Vec<_> = found.iter().filter(|(_, parts)| **parts != load::PARTS).collect();
    assert!(half.is_empty(), "writes that are half there: {half:?}");
    found
}

fn descriptors(serving: &Serving) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", serving.id())).unwrap().count()
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_running_is_answered_and_what_never_ends_is_cut_off() {
    let program = installation(Backend::Sqlite).with("INSULA_SERVER__RESTART_DEADLINE", "3s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    let mut slow = Slow::begin(&serving, &client, 1).await;
    let mut stuck = Slow::begin(&serving, &client, 2).await;
    // Connected, and nothing asked: that holds up nobody.
    let _silent = TcpStream::connect(serving.address()).await.unwrap();
    let begun = Instant::now();
    ask(&program, &client, FORCED).await;
    // Who comes now waits for the new program.
    let waiting = {
        let client = serving.anonymous();
        tokio::spawn(async move { client.get("/").await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished() && !has_restarted(&program));
    let answer = slow.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    restarted(&program).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&took), "{took:?}");
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(stuck.finish().await, "");
    assert_eq!(stored_notes(&client).await, 1);
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_silent_hold_up_nobody() {
    let program = installation(Backend::Sqlite).with("INSULA_SERVER__RESTART_DEADLINE", "60s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    let mut fresh = TcpStream::connect(serving.address()).await.unwrap();
    let mut idle = TcpStream::connect(serving.address()).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    assert!(idle.read(&mut answer).await.unwrap() > 0);
    ask(&program, &client, FORCED).await;
    restarted(&program).await;
    // Both are closed, as HTTP closes idle connections, and not reset.
    assert_eq!((fresh.read(&mut answer).await.unwrap(), idle.read(&mut answer).await.unwrap()), (0, 0));
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_database_does_not_stop_it() {
    let (proxy, url) = Proxy::before(&Backend::Postgres.url()).await;
    let program = Program::new(Backend::Postgres)
        .with("INSULA_STORE__DATABASE", &url)
        .with("INSULA_SERVER__RESTART_DEADLINE", "1s")
        .with("INSULA_SERVER__RESTART_FLUSH_TIMEOUT", "2s");
    let program = installed(program);
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    // What a session did is to be written down; the request holds the door open until the database is gone.
    let _slow = Slow::begin(&serving, &client, 1).await;
    let begun = Instant::now();
    ask(&program, &client, FORCED).await;
    proxy.block(true);
    restarted(&program).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(9)).contains(&took), "{took:?}");
    let degraded = serving.anonymous().get("/").await;
    assert_eq!(degraded.status, 200, "{}", degraded.text);
    proxy.block(false);
    assert_eq!(stored_notes(&client).await, 0);
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_control_database_is_waited_for() {
    let own = insula_tests::OwnPostgres::new().await;
    let (proxy, url) = Proxy::before(&own.url).await;
    let program = Program::new(Backend::Sqlite)
        .with("INSULA_STORE__CONTROL", &url)
        .with("INSULA_SERVER__RESTART_DEADLINE", "1s")
        .with("INSULA_SERVER__RESTART_FLUSH_TIMEOUT", "1s");
    let program = installed(program);
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    let _slow = Slow::begin(&serving, &client, 1).await;
    ask(&program, &client, FORCED).await;
    proxy.block(true);
    let waiting = {
        let client = serving.anonymous().at_host(client_host(&program)).with_token(client.token.clone().unwrap());
        tokio::spawn(async move { stored_notes(&client).await })
    };
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!waiting.is_finished() && !has_restarted(&program));
    proxy.block(false);
    restarted(&program).await;
    assert_eq!(waiting.await.unwrap(), 0);
    serving.terminate();
    serving.ended().await;
    program.end();
    drop(proxy);
    own.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_restarts_too_and_a_flood_of_them_ends_nothing() {
    let program = installation(Backend::Sqlite);
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    for pause in [0, 1, 5, 20] {
        forget(&program);
        for _ in 0..20 {
            serving.signal(rustix::process::Signal::USR2);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        restarted(&program).await;
    }
    let client = serving.anonymous().at_host(client_host(&program)).with_token(client.token.unwrap());
    assert_eq!(stored_notes(&client).await, 0);
    serving.terminate();
    assert_eq!(serving.ended().await.code(), Some(0));
    program.end();
}

fn client_host(program: &Program) -> String {
    format!("api.{}.test", program.tenant)
}

async fn stored_notes(client: &Client) -> i64 {
    // The connection may be one of before.
    let body = json!({"action": "count", "table": "notes"}).to_string();
    let json = [("content-type", "application/json")];
    let answer = match client.try_send(Method::POST, "/query", &json, Some(body.clone().into())).await {
        Ok(answer) => answer,
        Err(_broken) => client.post_text("/query", &body).await,
    };
    answer.data().as_i64().unwrap()
}

/// A request whose body is still on its way.
struct Slow {
    stream: TcpStream,
    rest: String,
}

impl Slow {
    /// Sends a request but for its end, and returns once the server waits for that.
    async fn begin(serving: &Serving, client: &Client, number: i64) -> Self {
        let data = json!({"writer": 0, "number": number, "part": 0});
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

    /// Sends the end; what was answered, if anything.
    async fn finish(&mut self) -> String {
        let _ = self.stream.write_all(self.rest.as_bytes()).await;
        let mut answer = String::new();
        let _ = self.stream.read_to_string(&mut answer).await;
        answer
    }
}
