//! Repeats, the breaker, and how many calls may run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kernel::{Reason, Span};
use tokio::{io::AsyncWriteExt, time::sleep};

use crate::world::{Server, json, ok, pass, told, upstream};

/// Ends the first connections after it has read a request, and then answers well.
async fn failing(times: usize) -> Server {
    Server::start(move |number, mut stream, requests| async move {
        while requests.read(&mut stream).await.is_some() && number >= times {
            let _ = stream.write_all(ok("1").as_bytes()).await;
        }
    })
    .await
}

#[tokio::test]
async fn only_what_is_safe_is_repeated() {
    for (method, retries, failures, seen, well) in [
        ("GET", 2, 2, 3, true),
        ("GET", 2, 9, 3, false),
        ("GET", 0, 1, 1, false),
        ("HEAD", 2, 9, 3, false),
        ("POST", 2, 1, 1, false),
        ("PUT", 2, 1, 1, false),
        ("DELETE", 2, 1, 1, false),
    ] {
        let server = failing(failures).await;
        let upstream = server.with(|config| {
            config.method = Some(method.to_owned());
            config.retries = retries;
        });
        assert_eq!(pass(&upstream).await.is_ok(), well, "{method}");
        assert_eq!(server.requests().len(), seen, "{method}");
    }
}

#[tokio::test]
async fn nothing_is_repeated_once_an_answer_has_begun() {
    let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}").await;
    let upstream = server.with(|config| config.method = Some("GET".to_owned()));
    assert_eq!(told(json(&upstream).await).0, Reason::UpstreamUnavailable);
    let server = Server::saying("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(
        told(json(&server.with(|config| config.method = Some("GET".to_owned()))).await).0,
        Reason::UpstreamInvalid
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_that_was_never_made_is_tried_again() {
    let reserved = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let config = upstream::HttpConfig { url: format!("http://{address}/"), retries: 6, ..Default::default() };
    let upstream = upstream(&config);
    let late = async {
        sleep(Duration::from_millis(200)).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = crate::world::Requests::default().read(&mut stream).await.unwrap();
        stream.write_all(ok("1").as_bytes()).await.unwrap();
        seen
    };
    let (answer, seen) = tokio::join!(json(&upstream), late);
    assert_eq!(answer.unwrap().get(), "1");
    assert!(seen.starts_with("POST / "), "{seen}");
}

#[tokio::test]
async fn the_breaker_opens_and_closes_again() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let server = Server::start(move |_, mut stream, requests| {
        let is_well = Arc::clone(&is_well);
        async move {
            requests.read(&mut stream).await;
            if is_well.load(Ordering::Relaxed) {
                let _ = stream.write_all(ok("1").as_bytes()).await;
            }
        }
    })
    .await;
    let upstream = server.with(|config| {
        config.breaker_failures = 3;
        config.breaker_pause = Span(Duration::from_millis(300));
    });
    for _ in 0..3 {
        assert_eq!(told(json(&upstream).await).0, Reason::UpstreamUnavailable);
    }
    for _ in 0..5 {
        let error = json(&upstream).await.unwrap_err();
        assert_eq!((error.reason, error.retry_after), (Reason::Busy, Some(1)));
        assert_eq!(pass(&upstream).await.err().unwrap().reason, Reason::Busy);
    }
    assert_eq!(server.connections(), 3, "an open breaker asks nothing");
    sleep(Duration::from_millis(350)).await;
    assert_eq!(told(json(&upstream).await).0, Reason::UpstreamUnavailable);
    assert_eq!(told(json(&upstream).await).0, Reason::Busy, "one more failure opens it again");
    well.store(true, Ordering::Relaxed);
    sleep(Duration::from_millis(350)).await;
    for _ in 0..5 {
        assert_eq!(json(&upstream).await.unwrap().get(), "1");
    }
}

#[tokio::test]
async fn answers_that_are_wrong_do_not_open_the_breaker() {
    let server = Server::saying("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").await;
    let upstream = server.with(|config| config.breaker_failures = 1);
    for _ in 0..10 {
        assert_eq!(told(json(&upstream).await).0, Reason::UpstreamInvalid);
    }
    assert_eq!(server.requests().len(), 10);
}

#[tokio::test]
async fn calls_that_are_given_up_do_not_open_the_breaker() {
    let server =
        Server::start(|_, stream, _| async move { drop((sleep(Duration::from_secs(1000)).await, stream)) }).await;
    let upstream = server.with(|config| config.breaker_failures = 1);
    for _ in 0..5 {
        assert!(tokio::time::timeout(Duration::from_millis(50), json(&upstream)).await.is_err());
    }
    assert_eq!(told(json(&upstream).await).0, Reason::UpstreamTimeout);
    assert_eq!(told(json(&upstream).await).0, Reason::Busy);
}

#[tokio::test]
async fn no_more_calls_run_than_are_allowed() {
    let server = Server::start(|_, mut stream, requests| async move {
        requests.read(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}").await;
        sleep(Duration::from_secs(1000)).await;
    })
    .await;
    let upstream = server.with(|config| {
        config.max_concurrent = 2;
        config.timeout = Span::seconds(5);
    });
    let first = pass(&upstream).await.unwrap();
    let _second = pass(&upstream).await.unwrap();
    let error = pass(&upstream).await.err().unwrap();
    assert_eq!((error.reason, error.retry_after), (Reason::Busy, Some(1)), "a body that is still read counts");
    drop(first);
    assert!(pass(&upstream).await.is_ok());
}
