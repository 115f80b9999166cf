//! Answers that are handed on as they come.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use kernel::{ByteSize, Error, Reason};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use upstream::{BodyStream, HttpUpstream};

use crate::world::{Server, ok, pass, told};

/// Reads a body to its end or its error.
async fn read(mut body: BodyStream) -> (Vec<u8>, Option<Error>) {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

/// What a client gets to see on the line when an HTTP server hands the answer on.
async fn seen_by_client(upstream: HttpUpstream) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let upstream = Arc::new(upstream);
    let service = hyper::service::service_fn(move |_| {
        let upstream = Arc::clone(&upstream);
        async move { Ok::<_, Infallible>(pass(&upstream).await.unwrap()) }
    });
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = client.read_to_end(&mut bytes).await;
    bytes
}

const PIECE: usize = 1 << 16;
const PIECES: usize = 1 << 10;

fn piece(number: usize) -> Vec<u8> {
    (0..PIECE).map(|place| ((place * 31 + number * 17) ^ (place >> 8)) as u8).collect()
}

#[tokio::test]
async fn every_byte_comes_through() {
    for chunked in [false, true] {
        let server = Server::start(move |_, mut stream, requests| async move {
            requests.read(&mut stream).await;
            let framing = if chunked {
                "Transfer-Encoding: chunked".to_owned()
            } else {
                format!("Content-Length: {}", PIECE * PIECES)
            };
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
            for number in 0..PIECES {
                if chunked {
                    stream.write_all(format!("{PIECE:x}\r\n").as_bytes()).await.unwrap();
                }
                stream.write_all(&piece(number)).await.unwrap();
                if chunked {
                    stream.write_all(b"\r\n").await.unwrap();
                }
            }
            if chunked {
                stream.write_all(b"0\r\n\r\n").await.unwrap();
            }
        })
        .await;
        let mut expected = Sha256::new();
        (0..PIECES).for_each(|number| expected.update(piece(number)));
        let answer = pass(&server.upstream()).await.unwrap();
        assert_eq!(answer.headers().contains_key("content-length"), !chunked);
        let (mut body, mut sum, mut length) = (answer.into_body(), Sha256::new(), 0);
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            length += data.len();
            sum.update(&data);
        }
        assert_eq!(length, PIECE * PIECES);
        assert_eq!(sum.finalize(), expected.finalize());
    }
}

#[tokio::test]
async fn any_status_but_a_redirect_is_handed_on() {
    for status in [200, 201, 206, 400, 404, 416, 500, 503] {
        let server = Server::saying(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nno")).await;
        let answer = pass(&server.upstream()).await.unwrap();
        assert_eq!((answer.status().as_u16(), read(answer.into_body()).await.0), (status, b"no".to_vec()));
    }
    let switching =
        Server::saying("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").await;
    assert_eq!(told(pass(&switching.upstream()).await).0, Reason::UpstreamInvalid);
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    for (broken, begin) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n9\r\nwor", "hellowor"),
    ] {
        let server = Server::saying(broken).await;
        let (bytes, error) = read(pass(&server.upstream()).await.unwrap().into_body()).await;
        assert_eq!(
            (bytes, error.map(|error| error.reason)),
            (begin.into(), Some(Reason::UpstreamUnavailable)),
            "{broken}"
        );
        let seen = String::from_utf8(seen_by_client(server.upstream()).await).unwrap();
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        if head.contains("content-length: 100") {
            assert_eq!(body, "hello");
        } else {
            assert!(head.contains("chunked") && body.contains("hello") && !body.contains("\r\n0\r\n"), "{seen}");
        }
    }
    let nonsense = Server::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzzz\r\n").await;
    let (_, error) = read(pass(&nonsense.upstream()).await.unwrap().into_body()).await;
    assert_eq!(error.unwrap().reason, Reason::UpstreamInvalid);
}

#[tokio::test]
async fn more_than_was_announced_is_cut_off() {
    let server = Server::saying(ok("hello").replace("hello", "hello and more")).await;
    let whole = seen_by_client(server.upstream()).await;
    assert!(whole.ends_with(b"\r\n\r\nhello"), "{}", String::from_utf8_lossy(&whole));
}

#[tokio::test]
async fn silence_ends_a_stream_but_slowness_does_not() {
    let server = Server::start(|_, mut stream, requests| async move {
        requests.read(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").await.unwrap();
        for _ in 0..12 {
            sleep(Duration::from_millis(100)).await;
            stream.write_all(b"x").await.unwrap();
        }
        sleep(Duration::from_secs(1000)).await;
    })
    .await;
    let (bytes, error) = read(pass(&server.upstream()).await.unwrap().into_body()).await;
    let error = error.unwrap();
    assert_eq!(bytes.len(), 12, "more than a second of it, though half a second is the limit");
    assert_eq!(
        (error.reason, &*error.message),
        (Reason::UpstreamTimeout, "The service behind the endpoint fell silent for 500ms")
    );
}

#[tokio::test]
async fn a_slow_reader_is_no_silence_and_the_service_must_wait_for_it() {
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let server = Server::start(move |_, mut stream, requests| {
        let count = Arc::clone(&count);
        async move {
            requests.read(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while let Ok(length) = stream.write(&[b'x'; 1 << 13]).await {
                count.fetch_add(length as u64, Ordering::Relaxed);
            }
        }
    })
    .await;
    let mut body = pass(&server.upstream()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    sleep(Duration::from_millis(800)).await;
    let (first, room) = (written.load(Ordering::Relaxed), 16 << 20);
    assert!(first < room, "{first} bytes are under way");
    for _ in 0..100 {
        body.frame().await.unwrap().unwrap();
    }
    sleep(Duration::from_millis(800)).await;
    body.frame().await.unwrap().unwrap();
    assert!(written.load(Ordering::Relaxed) < room + (100 << 18));
}

#[tokio::test]
async fn dropping_the_answer_ends_the_call() {
    let ended = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&ended);
    let server = Server::start(move |_, mut stream, requests| {
        let tell = Arc::clone(&tell);
        async move {
            requests.read(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx").await.unwrap();
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
            tell.notify_one();
        }
    })
    .await;
    let upstream = server.upstream();
    let answer = pass(&upstream).await.unwrap();
    drop(answer);
    tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_before_its_answer_ends_too() {
    let ended = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&ended);
    let server = Server::start(move |_, mut stream, requests| {
        let tell = Arc::clone(&tell);
        async move {
            requests.read(&mut stream).await;
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
            tell.notify_one();
        }
    })
    .await;
    let upstream = server.upstream();
    assert!(tokio::time::timeout(Duration::from_millis(100), pass(&upstream)).await.is_err());
    tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.unwrap();
}

#[tokio::test]
async fn a_largest_size_is_kept_to_where_it_is_set() {
    let limited = |server: &Server| server.with(|config| config.max_passthrough_size = Some(ByteSize(10)));
    let exact = Server::saying(ok("0123456789")).await;
    assert_eq!(read(pass(&limited(&exact)).await.unwrap().into_body()).await.0.len(), 10);
    let refusal = (Reason::UpstreamInvalid, "The service behind the endpoint answered with more than 10B".to_owned());
    assert_eq!(told(pass(&limited(&Server::saying(ok("0123456789x")).await)).await), refusal);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n";
    let server = Server::saying(chunked).await;
    let (bytes, error) = read(pass(&limited(&server)).await.unwrap().into_body()).await;
    assert!(bytes.len() <= 10);
    assert_eq!(error.map(|error| (error.reason, error.message)), Some(refusal));
}

#[tokio::test]
async fn trailers_and_interim_answers_are_left_out() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n\
        2\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n";
    let server = Server::saying(answer).await;
    let seen = String::from_utf8(seen_by_client(server.upstream()).await).unwrap();
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.ends_with("2\r\nok\r\n0\r\n\r\n"), "{seen}");
    assert!(!seen.contains("Cookie") && !seen.contains("Link"), "{seen}");
}
