//! Real connections: what only a socket shows.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use edge::{App, EdgeConfig};
use kernel::{ByteSize, Span};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::stage::{app, config};

struct Running {
    address: SocketAddr,
    admin: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn run(app: App, deadline: Span) -> Running {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let (Ok(listener), Ok(admin)) = (listen().await, listen().await) else { panic!("no free port") };
    let (Ok(address), Ok(admin_address)) = (listener.local_addr(), admin.local_addr()) else { panic!("no address") };
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(edge::serve(app, listener, Some(admin), async move {
        let _ = stopped.await;
        deadline.0
    }));
    Running { address, admin: admin_address, stop, server }
}

async fn running(config: EdgeConfig) -> Running {
    let deadline = config.shutdown_deadline;
    run(app(&Arc::default(), config), deadline).await
}

/// Sends bytes and reads until the server closes.
async fn talk(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { panic!("refused") };
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref()).await;
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const CLOSE: &str = "Host: api.one.example\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn one_request_and_two_on_one_connection() {
    let running = running(config()).await;
    let answer = talk(running.address, format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/json\r\n") && answer.contains("x-request-id: "), "{answer}");
    let two = format!("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\n{CLOSE}");
    let answer = talk(running.address, two).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 401 Unauthorized").count(), 1, "{answer}");
}

#[tokio::test]
async fn hosts_and_old_protocols() {
    let running = running(config()).await;
    let none = talk(running.address, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(none.starts_with("HTTP/1.1 400") && none.contains("bad_request"), "{none}");
    let old = talk(running.address, "GET /site HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200") && old.contains(r#""explicit":false"#), "{old}");
    let absolute = talk(running.address, format!("GET http://api.two.localhost/site HTTP/1.1\r\n{CLOSE}")).await;
    assert!(absolute.contains(r#""tenant":"two""#), "{absolute}");
    for odd in ["OPTIONS * HTTP/1.1", "CONNECT api.one.example:80 HTTP/1.1", "GET /a%zz HTTP/1.1"] {
        let answer = talk(running.address, format!("{odd}\r\n{CLOSE}")).await;
        assert!(answer.starts_with("HTTP/1.1 40") && answer.contains(r#""success":false"#), "{odd}: {answer}");
    }
    let garbage = talk(running.address, "\u{1}\u{2}\u{3} nonsense\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400"), "{garbage}");
}

#[tokio::test]
async fn large_heads_and_bodies_end_the_connection() {
    let running = running(EdgeConfig { max_body_size: ByteSize(64 << 10), ..config() }).await;
    let head = format!("GET / HTTP/1.1\r\nX-Long: {}\r\n", "a".repeat(20 << 10));
    let answer = talk(running.address, format!("{head}Host: localhost\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431") && answer.contains("headers_too_large"), "{answer}");
    let flood = format!("GET / HTTP/1.1\r\nX-Long: {}", "a".repeat(500 << 10));
    let answer = talk(running.address, flood).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");

    let post =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n";
    let answer = talk(running.address, format!("{post}Content-Length: 99999999\r\n\r\n{{")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close"), "{answer}");
    let chunk = format!("2000\r\n{}\r\n", "a".repeat(0x2000));
    let answer = talk(running.address, format!("{post}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(100))).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    let waiting =
        talk(running.address, format!("{post}Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")).await;
    assert!(waiting.starts_with("HTTP/1.1 413"), "no 100 for what is refused anyway: {waiting}");
}

/// What two servers could read as two different requests (RFC 9112, sections 6.1 and 6.3) never leads to a second one.
#[tokio::test]
async fn nothing_is_smuggled_behind_lengths_that_contradict() {
    let running = running(config()).await;
    let post =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n";
    let hidden = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunked = format!("c\r\n{{\"text\":\"x\"}}\r\n0\r\n\r\n{hidden}");
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = talk(running.address, format!("{post}{lengths}\r\n{chunked}")).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
    }
    for lengths in [
        "Content-Length: 12\r\nContent-Length: 13\r\n",
        "Content-Length: 12, 13\r\n",
        "Content-Length: +12\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 12\r\n",
    ] {
        let answer = talk(running.address, format!("{post}{lengths}\r\n{{\"text\":\"x\"}}{hidden}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_dawdles_is_cut_off() {
    let running = running(EdgeConfig { header_timeout: Span(Duration::from_millis(300)), ..config() }).await;
    let started = Instant::now();
    let answer = talk(running.address, "GET / HTTP/1.1\r\nHost: local").await;
    assert_eq!(answer, "");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let running = running(EdgeConfig { request_timeout: Span(Duration::from_millis(300)), ..config() }).await;
    let head =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n";
    let answer = talk(running.address, format!("{head}Content-Length: 100\r\n\r\n{{")).await;
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains(r#""reason":"timeout""#), "{answer}");
}

/// Asks for an answer that is larger than what the sockets hold.
async fn ask_for_much(write_timeout: Duration) -> (Running, TcpStream, usize) {
    let much = 32 << 20;
    let config = EdgeConfig { write_timeout: Span(write_timeout), max_body_size: ByteSize(64 << 20), ..config() };
    let running = running(config).await;
    let Ok(mut stream) = TcpStream::connect(running.address).await else { panic!("refused") };
    let body = format!(r#"{{"text":"{}"}}"#, "a".repeat(much));
    let head =
        format!("Authorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    let request = format!("POST /echo HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n{head}\r\n\r\n{body}");
    assert!(stream.write_all(request.as_bytes()).await.is_ok(), "the request was not read");
    (running, stream, much)
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let (_running, mut stream, much) = ask_for_much(Duration::from_millis(300)).await;
    sleep(Duration::from_secs(2)).await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201") && answer.len() < much, "{} bytes", answer.len());
}

#[tokio::test]
async fn a_client_that_takes_little_at_a_time_gets_all() {
    let (_running, mut stream, much) = ask_for_much(Duration::from_millis(500)).await;
    let (mut piece, mut taken) = (vec![0; 2 << 20], 0);
    loop {
        sleep(Duration::from_millis(100)).await;
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            length => taken += length,
        }
    }
    assert!(taken > much, "{taken} bytes");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait() {
    let one = std::num::NonZeroUsize::MIN;
    let running = running(EdgeConfig { max_connections: one, ..config() }).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    let address = running.address;
    let second = tokio::spawn(async move { talk(address, format!("GET / HTTP/1.1\r\n{CLOSE}")).await });
    sleep(Duration::from_millis(200)).await;
    assert!(!second.is_finished());
    drop(first);
    assert!(second.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn stopping_lets_running_requests_finish() {
    let Running { address, stop, server, .. } = running(config()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let busy = tokio::spawn(async move { talk(address, "GET /fail/slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await });
    sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(!server.is_finished(), "a request is still running");
    let refused = match TcpStream::connect(address).await {
        Ok(mut stream) => {
            let _ = stream.write_all(format!("GET / HTTP/1.1\r\n{CLOSE}").as_bytes()).await;
            read(&mut stream).await.is_empty()
        }
        Err(_) => true,
    };
    assert!(refused, "nothing new is accepted");
    let answer = busy.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#"{"success":true}"#), "{answer}");
    timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
    assert_eq!(read(&mut idle).await, "");
}

#[tokio::test]
async fn stopping_is_told_in_an_answer_and_waits_for_nobody_who_is_silent() {
    let Running { address, stop, server, .. } =
        running(EdgeConfig { shutdown_deadline: Span::seconds(60), ..config() }).await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    busy.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = busy.read(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer[..length]).contains("connection: close"));
    stop.send(()).unwrap();
    busy.write_all(request).await.unwrap();
    let answer = read(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
    assert_eq!(read(&mut silent).await, "");
}

#[tokio::test]
async fn stopping_has_a_deadline() {
    let soon = Span(Duration::from_millis(100));
    let Running { address, stop, server, .. } = running(EdgeConfig { shutdown_deadline: soon, ..config() }).await;
    let busy = tokio::spawn(async move { talk(address, "GET /fail/stuck HTTP/1.1\r\nHost: localhost\r\n\r\n").await });
    sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    timeout(Duration::from_secs(20), server).await.unwrap().unwrap().unwrap();
    assert_eq!(busy.await.unwrap(), "");
}

#[tokio::test]
async fn metrics_are_on_the_admin_listener_alone() {
    let running = running(config()).await;
    talk(running.address, format!("HEAD /items/7?page=1 HTTP/1.1\r\n{CLOSE}")).await;
    talk(running.address, format!("HEAD /items/8?page=1 HTTP/1.1\r\n{CLOSE}")).await;
    let numbers = talk(running.admin, format!("GET /metrics HTTP/1.1\r\n{CLOSE}")).await;
    let label = r#"method="HEAD",route="/items/{number}",status="200""#;
    let line = numbers.lines().find(|line| line.starts_with("insula_http_requests_total") && line.contains(label));
    assert!(line.is_some_and(|line| line.ends_with(" 2")), "{numbers}");
    assert!(numbers.contains("insula_http_request_duration_seconds_bucket{"), "{numbers}");
    assert!(numbers.contains("insula_http_requests_in_flight "), "{numbers}");
    assert!(numbers.contains("\ninsula_database_statements_total 7\n"), "{numbers}");
    let other = talk(running.admin, format!("GET / HTTP/1.1\r\n{CLOSE}")).await;
    assert!(other.starts_with("HTTP/1.1 404") && other.contains("route_not_found"), "{other}");
    let public = talk(running.address, format!("GET /metrics HTTP/1.1\r\n{CLOSE}")).await;
    assert!(public.starts_with("HTTP/1.1 401"), "{public}");
}
