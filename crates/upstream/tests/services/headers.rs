//! What goes to services and what comes back.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use kernel::Reason;
use upstream::{Call, Clients, HttpConfig, HttpUpstream};

use crate::world::{Server, call, ok, pass, upstream};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

/// The request's headers as they went over the line, without `host`, sorted.
fn sent(request: &str) -> Vec<String> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut lines: Vec<String> =
        head.lines().skip(1).filter(|line| !line.starts_with("host: ")).map(str::to_owned).collect();
    lines.sort();
    lines
}

const FROM_CALLER: [(&str, &str); 10] = [
    ("range", "bytes=0-1"),
    ("if-none-match", "\"a\""),
    ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("if-range", "\"b\""),
    ("accept", "image/png"),
    ("accept-language", "de"),
    ("authorization", "Bearer secret"),
    ("cookie", "session=secret"),
    ("x-forwarded-for", "1.2.3.4"),
    ("host", "other.example"),
];

#[tokio::test]
async fn the_context_goes_along_and_nothing_of_the_caller() {
    let server = Server::saying(ok("{}")).await;
    let caller = headers(&FROM_CALLER);
    server
        .upstream()
        .json(Call { headers: &caller, context: Bytes::from_static(b"{\"a\":1}"), ..call() })
        .await
        .unwrap();
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST / HTTP/1.1\r\n") && request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
    let version = env!("CARGO_PKG_VERSION");
    let agent = format!("user-agent: insula/{version}");
    let expected =
        ["accept: application/json", "content-length: 7", "content-type: application/json", &agent, "x-request-id: 17"];
    assert_eq!(sent(&request), expected);
}

#[tokio::test]
async fn passthrough_hands_on_ranges_and_conditions_alone() {
    let server = Server::saying(ok("{}")).await;
    let upstream = server.with(|config| config.method = Some("GET".to_owned()));
    let caller = headers(&FROM_CALLER);
    pass_with(&upstream, Call { headers: &caller, query: Some("a=1&b=%20"), ..call() }).await;
    let request = server.requests().remove(0);
    assert!(request.starts_with("GET /?a=1&b=+ HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
    let mut expected: Vec<String> = FROM_CALLER[..6].iter().map(|(name, value)| format!("{name}: {value}")).collect();
    expected.extend([format!("user-agent: insula/{}", env!("CARGO_PKG_VERSION")), "x-request-id: 17".to_owned()]);
    expected.sort();
    assert_eq!(sent(&request), expected);
}

async fn pass_with(upstream: &HttpUpstream, call: Call<'_>) {
    upstream.passthrough(call).await.unwrap();
}

#[tokio::test]
async fn values_in_the_path_cannot_lead_elsewhere() {
    let server = Server::saying(ok("{}")).await;
    let upstream = upstream(&server.config("/in/{a}/{b}"));
    let hostile = [
        "@evil.example",
        "//evil.example",
        ":99",
        "?x=1",
        "#x",
        "a b",
        "%2e%2e",
        "http://evil.example/",
        "\u{2025}",
        "x HTTP/1.1",
    ];
    for value in hostile {
        let path = BTreeMap::from([("a".to_owned(), value.to_owned()), ("b".to_owned(), "ok".to_owned())]);
        upstream.json(Call { path: &path, ..call() }).await.unwrap();
        let request = server.requests().pop().unwrap();
        let line = request.lines().next().unwrap();
        assert!(
            line.starts_with("POST /in/") && line.ends_with("/ok HTTP/1.1") && line.split(' ').count() == 3,
            "{line}"
        );
        assert_eq!(line.matches('/').count(), 4, "{line}");
        assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
    }
    let seen = server.requests().len();
    for value in ["..", ".", "", "../../admin", "a\r\nX: y", "a\0"] {
        let path = BTreeMap::from([("a".to_owned(), value.to_owned()), ("b".to_owned(), "ok".to_owned())]);
        let error = upstream.json(Call { path: &path, ..call() }).await.unwrap_err();
        assert_eq!((error.reason, error.field.as_deref()), (Reason::FieldInvalid, Some("_path.a")), "{value:?}");
    }
    assert_eq!(server.requests().len(), seen);
}

#[tokio::test]
async fn only_what_describes_the_answer_comes_back() {
    let kept = "content-type: image/png\r\ncontent-encoding: gzip\r\ncontent-disposition: inline\r\netag: \"a\"\r\n\
        last-modified: x\r\naccept-ranges: bytes\r\ncontent-range: bytes 0-1/2\r\ncache-control: no-store\r\n";
    let dropped = "Set-Cookie: a=b\r\nConnection: X-Own\r\nX-Own: 1\r\nServer: x\r\nKeep-Alive: 1\r\nWWW-Authenticate: Basic\r\n\
        Proxy-Authenticate: Basic\r\nLocation: /x\r\nAccess-Control-Allow-Origin: *\r\nX-Content-Type-Options: no\r\nTrailer: X\r\nUpgrade: x\r\n";
    let server = Server::saying(format!("HTTP/1.1 206 Part\r\n{kept}{dropped}Content-Length: 2\r\n\r\nxy")).await;
    let answer = pass(&server.upstream()).await.unwrap();
    assert_eq!(answer.status(), 206);
    let lines = answer.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    let mut expected: Vec<String> = kept.split_inclusive('\n').map(str::to_owned).collect();
    expected.extend(["content-length: 2\r\n".to_owned(), "x-content-type-options: nosniff\r\n".to_owned()]);
    expected.sort();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_length_is_only_told_where_it_is_true() {
    let length = |answer: &http::Response<upstream::BodyStream>| {
        answer.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned())
    };
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = pass(&Server::saying(both).await.upstream()).await.unwrap();
    assert_eq!(length(&answer), None);
    let head = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 777\r\n\r\n").await;
    let answer = pass(&head.with(|config| config.method = Some("HEAD".to_owned()))).await.unwrap();
    assert_eq!(length(&answer).as_deref(), Some("777"));
    let unchanged = Server::saying("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n").await;
    let answer = pass(&unchanged.upstream()).await.unwrap();
    assert_eq!((answer.status().as_u16(), length(&answer)), (304, None));
    assert_eq!(answer.headers()["etag"], "\"a\"");
}

#[tokio::test]
async fn headers_of_the_operator_go_along_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, " s3cret-file\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::saying(ok("{}")).await;
    let toml =
        "url = 'http://x/'\n[headers]\nAuthorization = 's3cret-text'\nAccept = 'text/x'\nX-Key = { file = 'key' }";
    let mut config: HttpConfig = toml::from_str(toml).unwrap();
    config.url = format!("http://{}/", server.address);
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");

    let upstream = HttpUpstream::new(&config, folder.path(), &Arc::new(Clients::new())).unwrap();
    let caller = headers(&[("accept", "image/png")]);
    pass_with(&upstream, Call { headers: &caller, ..call() }).await;
    let request = server.requests().remove(0);
    for line in ["authorization: s3cret-text\r\n", "x-key: s3cret-file\r\n", "accept: text/x\r\n"] {
        assert!(request.contains(line), "{request}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (field, problem) = HttpUpstream::new(&config, folder.path(), &Arc::new(Clients::new())).err().unwrap();
    assert!(field == "headers.X-Key" && problem.contains("chmod 600"), "{problem}");
    fs::remove_file(&file).unwrap();
    assert_eq!(HttpUpstream::new(&config, folder.path(), &Arc::new(Clients::new())).err().unwrap().0, "headers.X-Key");
}

#[test]
fn no_file_from_elsewhere_goes_along() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "of somebody else").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("link")).unwrap();
    let climbing = format!("../{}/secret", elsewhere.path().file_name().unwrap().display());
    for name in ["link", &*climbing, secret.to_str().unwrap()] {
        let toml = format!("url = 'http://x/'\n[headers]\nX-Key = {{ file = '{name}' }}");
        let config: HttpConfig = toml::from_str(&toml).unwrap();
        let refused = HttpUpstream::new(&config, folder.path(), &Arc::new(Clients::new())).err().unwrap();
        assert!(refused.0 == "headers.X-Key" && refused.1.contains("is not in the toolkit's folder"), "{refused:?}");
    }
}

#[test]
fn what_cannot_be_called_is_refused_with_its_field() {
    for (toml, field) in [
        ("", "url"),
        ("url = 'ftp://a/'", "url"),
        ("url = 'http://{host}/'", "url"),
        ("url = 'http://a/'\nmethod = 'GE T'", "method"),
        ("url = 'http://a/'\nmethod = 'CONNECT'", "method"),
        ("url = 'http://a/'\ntimeout = '0s'", "timeout"),
        ("url = 'http://a/'\nconnect_timeout = '0s'", "connect_timeout"),
        ("url = 'http://a/'\nretries = 11", "retries"),
        ("url = 'http://a/'\nmax_concurrent = 0", "max_concurrent"),
        ("url = 'http://a/'\nheaders = { 'A B' = 'x' }", "headers.A B"),
        ("url = 'http://a/'\nheaders = { Content-Length = '1' }", "headers.Content-Length"),
        ("url = 'http://a/'\nheaders = { A = \"a\\nb\" }", "headers.A"),
    ] {
        let config: HttpConfig = toml::from_str(toml).unwrap();
        let refusal = HttpUpstream::new(&config, Path::new("/"), &Arc::new(Clients::new()));
        assert_eq!(refusal.err().map(|(field, _)| field).as_deref(), Some(field), "{toml}");
    }
    for unknown in ["url = 'http://a/'\nfollow = true", "url = 'http://a/'\nheaders = { A = { env = 'x' } }"] {
        assert!(toml::from_str::<HttpConfig>(unknown).is_err());
    }
}
