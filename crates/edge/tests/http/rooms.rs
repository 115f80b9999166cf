//! Each room takes its own credential from its own place, and no other.

use axum::body::Body;
use serde_json::json;

use crate::stage::{GOOD, Seen, app, config, get, request, send, usual};

const API: (&str, &str) = ("host", "api.one.example");
const ASSETS: (&str, &str) = ("host", "assets.one.example");
const WEBHOOKS: (&str, &str) = ("host", "webhooks.one.example");
const BISCUIT: (&str, &str) = ("cookie", "__Host-insula=biscuit");

async fn sent(line: &str, headers: &[(&str, &str)]) -> Seen {
    send(&usual(), request(line, headers, Body::empty())).await
}

#[tokio::test]
async fn a_cookie_reads_on_assets_hosts_and_nowhere_else() {
    for line in ["GET /file", "HEAD /file"] {
        assert_eq!(sent(line, &[ASSETS, BISCUIT]).await.status, 200, "{line}");
    }
    // It writes nothing, and a bearer token is none of this room's.
    assert_eq!(sent("POST /file", &[ASSETS, BISCUIT]).await.refusal(), (401, "no_token".into()));
    assert_eq!(sent("GET /file", &[ASSETS, GOOD]).await.refusal(), (401, "no_token".into()));
    assert_eq!(sent("GET /file?access_token=hook", &[ASSETS]).await.refusal(), (401, "no_token".into()));
    // On other hosts it is nothing, beside a token or alone.
    assert_eq!(sent("GET /who", &[API, BISCUIT]).await.refusal(), (401, "no_token".into()));
    assert_eq!(sent("GET /who", &[API, GOOD, ("cookie", "__Host-insula=wrong")]).await.status, 200);
    assert_eq!(sent("GET /", &[WEBHOOKS, BISCUIT]).await.refusal(), (401, "no_token".into()));
    // A token for one door opens no other.
    assert_eq!(sent("GET /file", &[ASSETS, ("cookie", "__Host-insula=good")]).await.reason(), "session_invalid");
    assert_eq!(sent("GET /who", &[API, ("authorization", "Bearer biscuit")]).await.reason(), "session_invalid");
}

#[tokio::test]
async fn hostile_cookies() {
    let many = "another=value; ".repeat(100);
    let seen = sent("GET /file", &[ASSETS, ("cookie", &format!("{many}__Host-insula=biscuit"))]).await;
    assert_eq!(seen.status, 200);
    for (cookie, status, reason) in [
        ("__Host-insula=biscuit; __Host-insula=biscuit".to_owned(), 401, "session_invalid"),
        (format!("__Host-insula={}", "a".repeat(5_000)), 401, "session_invalid"),
        (format!("{many}x={}", "a".repeat(20_000)), 431, "headers_too_large"),
        ("__Host-insula=bis cuit".to_owned(), 401, "session_invalid"),
        ("__Host-insula=\"biscuit\"".to_owned(), 401, "session_invalid"),
        ("insula=biscuit".to_owned(), 401, "no_token"),
    ] {
        assert_eq!(sent("GET /file", &[ASSETS, ("cookie", &cookie)]).await.refusal(), (status, reason.into()));
    }
    let twice = [ASSETS, BISCUIT, ("cookie", "__Host-insula=other")];
    assert_eq!(sent("GET /file", &twice).await.refusal(), (401, "session_invalid".into()));
}

#[tokio::test]
async fn a_bearer_token_sets_the_cookie() {
    let seen = sent("POST /session", &[ASSETS, GOOD]).await;
    assert_eq!((seen.status, seen.json()), (200, json!({"success": true, "user": 7})));
    let cookie = "__Host-insula=biscuit; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax";
    assert_eq!(seen.header("set-cookie"), cookie);
    assert_eq!(sent("POST /session", &[ASSETS, BISCUIT]).await.refusal(), (401, "no_token".into()));
    assert_eq!(sent("POST /session", &[API, GOOD]).await.refusal(), (404, "route_not_found".into()));
    let foreign = [("host", "assets.two.localhost"), ("authorization", "Bearer one")];
    assert_eq!(sent("POST /session", &foreign).await.refusal(), (403, "tenant_mismatch".into()));
}

#[tokio::test]
async fn only_own_and_listed_pages_set_the_cookie() {
    for good in ["https://app.example", "http://localhost:3000", "https://one.example", "https://assets.one.example"] {
        assert_eq!(sent("POST /session", &[ASSETS, GOOD, ("origin", good)]).await.status, 200, "{good}");
    }
    for bad in ["https://evil.example", "https://app.example.evil.com", "https://evil.one.example", "null", ""] {
        let seen = sent("POST /session", &[ASSETS, GOOD, ("origin", bad)]).await;
        assert_eq!(seen.refusal(), (403, "origin_not_allowed".into()), "{bad}");
        assert_eq!(seen.header("access-control-allow-origin"), "");
    }
    let two = [ASSETS, GOOD, ("origin", "https://app.example"), ("origin", "https://evil.example")];
    assert_eq!(sent("POST /session", &two).await.status, 403);
    // A star lets all pages read what needs no cookie, on the API's host alone.
    let everyone = [("host", "assets.two.localhost"), GOOD, ("origin", "https://evil.example")];
    assert_eq!(sent("POST /session", &everyone).await.refusal(), (403, "origin_not_allowed".into()));
}

#[tokio::test]
async fn pages_may_send_the_cookie_along_from_listed_origins() {
    let app_page = ("origin", "https://app.example");
    let ask = ("access-control-request-method", "POST");
    for seen in [
        sent("POST /session", &[ASSETS, GOOD, app_page]).await,
        sent("OPTIONS /session", &[ASSETS, app_page, ask]).await,
        sent("GET /file", &[ASSETS, BISCUIT, app_page]).await,
    ] {
        assert_eq!(seen.header("access-control-allow-origin"), "https://app.example");
        assert_eq!(seen.header("access-control-allow-credentials"), "true");
        assert_eq!(seen.header("vary"), "Origin");
    }
    for (host, origin) in
        [("assets.one.example", "https://evil.example"), ("assets.two.localhost", "https://a.example")]
    {
        let seen = sent("OPTIONS /session", &[("host", host), ("origin", origin), ask]).await;
        assert_eq!((seen.status, seen.header("access-control-allow-origin")), (204, ""));
        assert_eq!(seen.header("access-control-allow-credentials"), "");
    }
    let api = sent("GET /who", &[API, GOOD, app_page]).await;
    assert_eq!(api.header("access-control-allow-credentials"), "");
    let hook = sent("GET /?access_token=hook", &[WEBHOOKS, app_page]).await;
    assert_eq!((hook.status, hook.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn a_parameter_on_webhooks_hosts_and_nowhere_else() {
    for line in ["GET /?access_token=hook", "POST /?token=hook", "POST /?a=b&access_token=hook&c=d"] {
        assert_eq!(sent(line, &[WEBHOOKS]).await.status, 200, "{line}");
    }
    for (line, reason) in [
        ("GET /", "no_token"),
        ("GET /?access_token=", "no_token"),
        ("GET /?access_token=good", "session_invalid"),
        ("GET /?access_token=biscuit", "session_invalid"),
        ("GET /?access_token=hook&access_token=hook", "session_invalid"),
        ("GET /?access_token=hook&token=hook", "session_invalid"),
        ("GET /?access_token=ho%6Fk", "session_invalid"),
    ] {
        assert_eq!(sent(line, &[WEBHOOKS]).await.refusal(), (401, reason.into()), "{line}");
    }
    assert_eq!(sent("GET /", &[WEBHOOKS, GOOD]).await.refusal(), (401, "no_token".into()));
    assert_eq!(sent("GET /who?access_token=hook", &[API]).await.refusal(), (401, "no_token".into()));
}

#[tokio::test]
async fn two_credentials_are_none() {
    let who = |headers: &'static [(&str, &str)]| sent("GET /who", headers);
    assert_eq!(who(&[GOOD, ("runnable-token", "good")]).await.status, 200);
    assert_eq!(who(&[GOOD, ("runnable-token", "two")]).await.refusal(), (400, "bad_request".into()));
    assert_eq!(who(&[GOOD, GOOD]).await.refusal(), (401, "session_invalid".into()));
    assert_eq!(who(&[("runnable-token", "good"), ("runnable-token", "good")]).await.status, 401);
    assert_eq!(who(&[("authorization", "Bearer good, Bearer two")]).await.refusal().0, 401);
}

#[tokio::test]
async fn a_key_names_the_tenant_where_the_host_does_not() {
    let key = ("authorization", "Bearer ins_two");
    let local = ("host", "localhost");
    let seen = sent("GET /site", &[local, key]).await;
    assert_eq!(seen.json(), json!({"success": true, "tenant": "two", "explicit": true}));
    assert_eq!(sent("GET /site", &[local]).await.json()["tenant"], "one");
    assert_eq!(sent("GET /site", &[API, key]).await.refusal(), (403, "tenant_mismatch".into()));
    assert_eq!(sent("GET /site", &[local, ("runnable-token", "ins_two")]).await.json()["tenant"], "two");
    let bad = [local, ("authorization", "Bearer ins_bad")];
    let refused = sent("GET /site", &bad).await;
    assert_eq!(refused.refusal(), (401, "key_invalid".into()));
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    // A dead session must not keep anybody from logging in.
    assert_eq!(sent("GET /site", &[local, ("authorization", "Bearer dead")]).await.json()["tenant"], "one");
    let two = [local, key, ("runnable-token", "ins_bad")];
    assert_eq!(sent("GET /site", &two).await.refusal(), (400, "bad_request".into()));
}

#[tokio::test]
async fn the_document_names_the_host_of_assets() {
    let document = get(&app(&std::sync::Arc::default(), config()), "/openapi.json", &[]).await.json();
    let operation = &document["paths"]["/session"]["post"];
    assert_eq!(operation["servers"][0]["url"], "https://assets.{domain}");
    assert_eq!(document["paths"]["/"]["get"]["operationId"], "home");
}
