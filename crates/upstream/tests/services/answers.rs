//! Answers that must be JSON.

use std::time::{Duration, Instant};

use kernel::{ByteSize, Reason, Span};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};

use crate::world::{Requests, Server, json, ok, pass, told, upstream};

#[tokio::test]
async fn json_is_handed_on_as_the_text_that_it_is() {
    let text = r#"{"b": 1.50, "a":[123456789012345678901234567890, "ä"] , "b":2}"#;
    let server = Server::saying(ok(text)).await;
    assert_eq!(json(&server.upstream()).await.unwrap().get(), text);
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    let words = "The service behind the endpoint did not answer with valid JSON";
    for body in ["", "<html>", "{", "{} {}", "\u{feff}{}", "NaN"] {
        let server = Server::saying(ok(body)).await;
        assert_eq!(told(json(&server.upstream()).await), (Reason::UpstreamInvalid, words.to_owned()), "{body:?}");
    }
    let server = Server::saying(&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\"\xff\xfe\""[..]).await;
    assert_eq!(told(json(&server.upstream()).await).1, words);
    let server = Server::saying(ok(&deep)).await;
    assert!(told(json(&server.upstream()).await).1.ends_with("JSON of more than 128 levels"));
}

#[tokio::test]
async fn no_content_is_null() {
    let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(json(&server.upstream()).await.unwrap().get(), "null");
}

#[tokio::test]
async fn a_status_that_is_no_success_is_refused_with_its_number() {
    for status in ["500 Oops", "404 Not Found", "401 No", "304 Not Modified", "302 Found", "101 Switching Protocols"] {
        let server = Server::saying(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
        let (reason, message) = told(json(&server.upstream()).await);
        assert_eq!(reason, Reason::UpstreamInvalid);
        assert!(message.contains(&status[..3]), "{message}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn redirects_are_never_followed() {
    let trap = Server::saying(ok("{}")).await;
    for target in [format!("http://{}/x", trap.address), "http://169.254.169.254/latest/meta-data".to_owned()] {
        for status in [301, 302, 303, 307, 308] {
            let answer = format!("HTTP/1.1 {status} Go\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            let server = Server::saying(answer).await;
            let refusal = format!("The service behind the endpoint answered with status {status}");
            let (reason, message) = told(json(&server.upstream()).await);
            assert!(reason == Reason::UpstreamInvalid && message.starts_with(&refusal), "{message}");
            let (reason, message) = told(pass(&server.upstream()).await);
            assert!(reason == Reason::UpstreamInvalid && message.starts_with(&refusal), "{message}");
        }
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_given_up() {
    let small = |server: &Server| server.with(|config| config.max_response_size = ByteSize(100));
    let exact = format!("\"{}\"", "x".repeat(98));
    assert!(json(&small(&Server::saying(ok(&exact)).await)).await.is_ok());
    let claims = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    let endless = Server::start(|_, mut stream, requests| async move {
        requests.read(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"4\r\nxxxx\r\n").await.is_ok() {}
    })
    .await;
    for server in [claims, endless] {
        let refusal = "The service behind the endpoint answered with more than 100B";
        assert_eq!(told(json(&small(&server)).await), (Reason::UpstreamInvalid, refusal.to_owned()));
    }
}

async fn forever() {
    sleep(Duration::from_secs(1000)).await;
}

#[tokio::test]
async fn a_slow_service_is_given_up_in_time() {
    type Serve = fn(usize, TcpStream, Requests) -> kernel::BoxFuture<'static, ()>;
    let silent: Serve = |_, stream, _| Box::pin(async move { drop((forever().await, stream)) });
    let slow_head: Serve = |_, mut stream, requests| {
        Box::pin(async move {
            requests.read(&mut stream).await;
            for byte in b"HTTP/1.1 200 OK\r\nX: ".iter().chain([b'x'; 1000].iter()) {
                let _ = stream.write_all(&[*byte]).await;
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let slow_body: Serve = |_, mut stream, requests| {
        Box::pin(async move {
            requests.read(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
            while stream.write_all(b"1").await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    for (name, serve) in [("silent", silent), ("slow head", slow_head), ("slow body", slow_body)] {
        let server = Server::start(serve).await;
        for method in ["POST", "GET"] {
            let begin = Instant::now();
            let refusal = "The service behind the endpoint did not answer within 500ms".to_owned();
            let answer = json(&server.with(|config| config.method = Some(method.to_owned()))).await;
            assert_eq!(told(answer), (Reason::UpstreamTimeout, refusal), "{name}");
            assert!(begin.elapsed() < Duration::from_secs(2), "{name}");
        }
        assert_eq!(server.connections(), 2, "{name}: a call that took too long is not repeated");
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\0\u{1}\u{2}\r\n\r\n",
        "HTTP/9.9 999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA B\r\n\r\n",
    ] {
        let server = Server::saying(garbage).await;
        let (reason, message) = told(json(&server.upstream()).await);
        assert_eq!(
            (reason, &*message),
            (Reason::UpstreamInvalid, "The service behind the endpoint does not answer with valid HTTP"),
            "{garbage:?}"
        );
    }
    let endless = Server::start(|_, mut stream, requests| async move {
        requests.read(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(told(json(&endless.with(|config| config.timeout = Span::seconds(20))).await).0, Reason::UpstreamInvalid);
    let bad_chunk = Server::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n").await;
    assert_eq!(told(json(&bad_chunk.upstream()).await).0, Reason::UpstreamInvalid);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let server = Server::saying(broken).await;
        let (reason, message) = told(json(&server.upstream()).await);
        assert_eq!(
            (reason, &*message),
            (Reason::UpstreamUnavailable, "The service behind the endpoint broke off"),
            "{broken:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn more_than_was_announced_never_becomes_the_next_answer() {
    let server = Server::start(|_, mut stream, requests| async move {
        while requests.read(&mut stream).await.is_some() {
            let _ = stream.write_all((ok("\"right\"") + &ok("\"wrong\"")).as_bytes()).await;
        }
    })
    .await;
    let upstream = server.upstream();
    for _ in 0..200 {
        assert_eq!(json(&upstream).await.unwrap().get(), "\"right\"");
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let server = Server::start(|_, mut stream, requests| async move {
        while requests.read(&mut stream).await.is_some() {
            let _ = stream.write_all(ok("1").as_bytes()).await;
        }
    })
    .await;
    let upstream = server.upstream();
    for _ in 0..50 {
        json(&upstream).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_told_so() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}/"), format!("https://{closed}/"), "http://no-such-host.invalid/".to_owned()] {
        let config = upstream::HttpConfig { url, ..Default::default() };
        let error = json(&upstream(&config)).await.unwrap_err();
        assert_eq!(
            (error.reason, &*error.message),
            (Reason::UpstreamUnavailable, "The service behind the endpoint cannot be reached")
        );
        let host = config.url.split('/').nth(2).unwrap();
        assert!(error.to_string().contains(host), "the log is told which: {error}");
    }
    let plain =
        Server::start(|_, mut stream, _| async move { drop(stream.write_all(ok("{}").as_bytes()).await) }).await;
    let config = upstream::HttpConfig { url: format!("https://{}/", plain.address), ..Default::default() };
    assert_eq!(told(json(&upstream(&config)).await).0, Reason::UpstreamUnavailable);
}

#[tokio::test]
async fn connecting_has_a_time_of_its_own() {
    // A listener whose queue is full answers nothing.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        kept.push(stream.unwrap());
    }
    let config = upstream::HttpConfig {
        url: format!("http://{address}/"),
        connect_timeout: Span(Duration::from_millis(100)),
        ..Default::default()
    };
    let begin = Instant::now();
    let refusal = "The service behind the endpoint cannot be reached within 100ms".to_owned();
    assert_eq!(told(json(&upstream(&config)).await), (Reason::UpstreamTimeout, refusal));
    assert!((300..3000).contains(&begin.elapsed().as_millis()), "three attempts: {:?}", begin.elapsed());
}
