//! Calls from web pages of other origins.

use axum::body::Body;

use crate::stage::{GOOD, Seen, get, request, send, usual};

const ALLOWED: (&str, &str) = ("origin", "https://app.example");
const ASK: (&str, &str) = ("access-control-request-method", "POST");

async fn preflight(headers: &[(&str, &str)]) -> Seen {
    send(&usual(), request("OPTIONS /echo", headers, Body::empty())).await
}

#[tokio::test]
async fn a_listed_origin_may_call() {
    let seen = get(&usual(), "/who", &[GOOD, ALLOWED]).await;
    assert_eq!(seen.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(seen.header("access-control-expose-headers"), "X-Request-Id, Retry-After");
    assert_eq!(seen.header("access-control-allow-credentials"), "");
    assert_eq!(seen.header("vary"), "Origin");
    let refused = get(&usual(), "/who", &[ALLOWED]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "https://app.example"));
}

#[tokio::test]
async fn others_may_not() {
    for origin in ["https://evil.example", "https://app.example.evil.com", "https://APP.example", "null", ""] {
        let seen = get(&usual(), "/who", &[GOOD, ("origin", origin)]).await;
        assert_eq!((seen.status, seen.header("access-control-allow-origin")), (200, ""), "{origin}");
        assert_eq!(seen.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn a_star_means_everyone() {
    let two = ("host", "api.two.localhost");
    let seen = get(&usual(), "/site", &[two, ("origin", "https://evil.example")]).await;
    assert_eq!((seen.header("access-control-allow-origin"), seen.header("vary")), ("*", ""));
    let seen = get(&usual(), "/site", &[two]).await;
    assert_eq!(seen.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn preflights_need_no_token() {
    let seen = preflight(&[ALLOWED, ASK]).await;
    assert_eq!((seen.status, seen.text.as_str()), (204, ""));
    assert_eq!(seen.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(seen.header("access-control-allow-methods"), "GET, HEAD, POST, PUT, PATCH, DELETE");
    assert_eq!(seen.header("access-control-allow-headers"), "Authorization, Content-Type");
    assert_eq!(seen.header("access-control-max-age"), "600");
    let seen = preflight(&[("origin", "https://evil.example"), ASK]).await;
    assert_eq!((seen.status, seen.header("access-control-allow-origin")), (204, ""));
    assert_eq!(preflight(&[ALLOWED]).await.status, 405, "no preflight without the asked method");
}

#[tokio::test]
async fn a_tenant_without_origins_says_nothing() {
    let closed = ("host", "api.closed.example");
    let seen = preflight(&[closed, ALLOWED, ASK]).await;
    assert_eq!(seen.refusal(), (405, "method_not_allowed".into()));
    let got = get(&usual(), "/site", &[closed, ALLOWED]).await;
    for seen in [seen, got] {
        assert!(seen.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{seen:?}");
    }
}
