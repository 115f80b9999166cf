//! Tokens, routes, envelopes, time-outs, panics, headers.

use std::sync::{Arc, atomic::Ordering};

use axum::body::Body;
use edge::EdgeConfig;
use kernel::{ByteSize, Span};
use serde_json::json;

use crate::stage::{GOOD, World, app, config, get, post, request, send, usual};

#[tokio::test]
async fn home() {
    let seen = get(&usual(), "/", &[]).await;
    let expected = json!({
        "success": true, "name": "Insula", "version": env!("CARGO_PKG_VERSION"), "spec": "JsonDerulo",
        "spec_version": "2.0", "build": "abc123",
    });
    assert_eq!((seen.status, seen.json()), (200, expected));
    assert_eq!((seen.header("cache-control"), seen.header("x-content-type-options")), ("no-store", "nosniff"));
}

#[tokio::test]
async fn the_texts_of_401() {
    let app = usual();
    for target in ["/who", "/nowhere", "/auth/nowhere"] {
        let seen = get(&app, target, &[]).await;
        assert_eq!(seen.refusal(), (401, "no_token".into()), "{target}");
        let text = format!("No authorization token provided [request_id: {}]", seen.id());
        assert_eq!(seen.json()["error"], text);
        assert_eq!(seen.header("www-authenticate"), "Bearer");

        let seen = get(&app, target, &[("authorization", "Bearer wrong")]).await;
        assert_eq!(seen.refusal(), (401, "session_invalid".into()), "{target}");
        let whole = format!(
            r#"{{"success":false,"code":401,"reason":"session_invalid","error":"Session expired or invalid [request_id: {0}]","message":"Session expired or invalid [request_id: {0}]","request_id":"{0}"}}"#,
            seen.id()
        );
        assert_eq!(seen.text, whole);
    }
}

#[tokio::test]
async fn tokens_come_in_one_header_only() {
    let app = usual();
    for header in [("authorization", "bearer good"), ("runnable-token", "good"), ("Authorization", "BEARER  good")] {
        assert_eq!(get(&app, "/who", &[header]).await.status, 200, "{header:?}");
    }
    for header in [("cookie", "token=good"), ("authorization", "Basic Z29vZA=="), ("x-token", "good")] {
        assert_eq!(get(&app, "/who?token=good&access_token=good", &[header]).await.reason(), "no_token");
    }
    let long = format!("Bearer {}", "a".repeat(5_000));
    assert_eq!(get(&app, "/who", &[("authorization", &long)]).await.reason(), "session_invalid");
}

#[tokio::test]
async fn a_route_that_answers_for_itself() {
    let app = usual();
    assert_eq!(get(&app, "/auth/status", &[GOOD]).await.json(), json!({"success": true, "valid": true}));
    let seen = get(&app, "/auth/status", &[("authorization", "Bearer dead")]).await;
    let message = format!("Session expired or invalid [request_id: {}]", seen.id());
    assert_eq!((seen.status, seen.json()), (401, json!({"success": true, "valid": false, "message": message})));
    assert_eq!(get(&app, "/auth/status", &[]).await.json()["success"], false);
}

#[tokio::test]
async fn who_is_asked_once_a_request() {
    let world = Arc::new(World::default());
    let app = app(&world, config());
    let seen = get(&app, "/who", &[GOOD, ("user-agent", "test"), ("host", "API.one.example.:80")]).await;
    let expected = json!({
        "success": true, "tenant": "one", "user": 7, "client": "127.0.0.1", "secure": false, "agent": "test",
        "host": "api.one.example", "id": seen.id(),
    });
    assert_eq!(seen.json(), expected);
    assert_eq!(world.authentications.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_token_of_another_tenant() {
    let app = usual();
    let two = ("authorization", "Bearer two");
    assert_eq!(get(&app, "/who", &[two]).await.refusal(), (403, "tenant_mismatch".into()));
    assert_eq!(get(&app, "/nowhere", &[two]).await.refusal(), (403, "tenant_mismatch".into()));
    assert_eq!(get(&app, "/who", &[two, ("host", "localhost")]).await.json()["tenant"], "two");
    let gone = ("authorization", "Bearer gone");
    assert_eq!(get(&app, "/who", &[gone, ("host", "127.0.0.1")]).await.refusal(), (403, "tenant_suspended".into()));
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let app = usual();
    for target in ["/nowhere", "/query/x", "/%2e%2e/etc/passwd", "/..", "/a/../who", "/who%00", "/items"] {
        assert_eq!(get(&app, target, &[GOOD]).await.refusal(), (404, "route_not_found".into()), "{target}");
    }
    let seen = send(&app, request("DELETE /who", &[], Body::empty())).await;
    assert_eq!(seen.refusal(), (405, "method_not_allowed".into()));
    assert_eq!(seen.header("allow"), "GET,HEAD");
    let seen = send(&app, request("GET /echo", &[GOOD], Body::empty())).await;
    assert_eq!((seen.refusal().0, seen.header("allow")), (405, "POST"));
    assert_eq!(send(&app, request("OPTIONS /who", &[], Body::empty())).await.status, 405);
    assert_eq!(send(&app, request("BREW /who", &[], Body::empty())).await.status, 405);
}

#[tokio::test]
async fn head_mirrors_get() {
    let app = usual();
    for (line, get_line) in [("HEAD /", "GET /"), ("HEAD /who", "GET /who"), ("HEAD /nowhere", "GET /nowhere")] {
        let head = send(&app, request(line, &[], Body::empty())).await;
        let got = send(&app, request(get_line, &[], Body::empty())).await;
        assert_eq!((head.status, head.text.as_str()), (got.status, ""), "{line}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{line}");
        assert_eq!(head.header("content-length"), got.text.len().to_string(), "{line}");
    }
}

#[tokio::test]
async fn trailing_slashes_are_tolerated() {
    let app = usual();
    assert_eq!(get(&app, "/who/", &[GOOD]).await.status, 200);
    assert_eq!(get(&app, "/health//", &[]).await.status, 200);
    assert_eq!(get(&app, "//", &[]).await.status, 200);
    assert_eq!(get(&app, "/items/7/?page=2", &[]).await.json(), json!({"success": true, "number": 7, "page": 2}));
}

#[tokio::test]
async fn failures_tell_nothing_and_are_logged_whole() {
    let app = usual();
    for (how, status, reason) in [
        ("panic", 500, "internal"),
        ("internal", 500, "internal"),
        ("busy", 503, "busy"),
        ("else", 400, "field_invalid"),
    ] {
        let seen = get(&app, &format!("/fail/{how}"), &[]).await;
        assert_eq!(seen.refusal(), (status, reason.into()));
        for secret in ["secret", "SELECT", "home"] {
            assert!(!seen.text.contains(secret), "{}", seen.text);
        }
    }
    assert_eq!(get(&app, "/fail/busy", &[]).await.header("retry-after"), "7");
    assert_eq!(get(&app, "/fail/else", &[]).await.json()["field"], "how");
    assert_eq!(get(&app, "/who", &[GOOD]).await.status, 200, "a panic must not hurt the next request");
}

#[tokio::test]
async fn what_libraries_refuse_is_json_too() {
    let app = usual();
    assert_eq!(get(&app, "/text", &[]).await.refusal(), (400, "bad_request".into()));
    let seen = get(&app, "/items/seven?page=1", &[]).await;
    assert_eq!((seen.refusal(), seen.json()["field"].clone()), ((400, "field_invalid".into()), json!("path")));
    let seen = get(&app, "/items/7?page=x", &[]).await;
    assert_eq!((seen.refusal(), seen.json()["field"].clone()), ((400, "field_invalid".into()), json!("page")));
    assert!(seen.text.contains("expected a whole number"), "{}", seen.text);
}

#[tokio::test]
async fn other_answers() {
    let app = usual();
    let seen = get(&app, "/fail/empty", &[]).await;
    assert_eq!((seen.status, seen.text.as_str(), seen.header("content-type")), (204, "", ""));
    let seen = get(&app, "/fail/raw", &[]).await;
    assert_eq!((seen.status, seen.text.as_str()), (200, r#"{"success":true,"rows":[1.10]}"#));
    assert_eq!(seen.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_slow_handler_is_given_up() {
    let app = app(&Arc::default(), EdgeConfig { request_timeout: Span::seconds(0), ..config() });
    assert_eq!(get(&app, "/fail/slow", &[]).await.refusal(), (504, "timeout".into()));
}

#[tokio::test]
async fn heads_have_caps() {
    let app = app(&Arc::default(), EdgeConfig { max_header_size: ByteSize(4 << 10), ..config() });
    let long = "a".repeat(4 << 10);
    assert_eq!(get(&app, "/", &[("x-long", &long)]).await.refusal(), (431, "headers_too_large".into()));
    let target = format!("/who?{}", "a".repeat(9_000));
    assert_eq!(get(&app, &target, &[GOOD]).await.refusal(), (400, "bad_request".into()));
}

#[tokio::test]
async fn request_ids_are_ours() {
    let app = usual();
    let theirs = ("x-request-id", "123456789012345678901234");
    let (first, second) = (get(&app, "/", &[theirs]).await, get(&app, "/", &[theirs]).await);
    assert_ne!(first.id(), theirs.1);
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn the_client_behind_proxies() {
    let trusting = EdgeConfig { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..config() };
    let app = app(&Arc::default(), trusting);
    let forged = ("x-forwarded-for", "203.0.113.9");
    let https = ("x-forwarded-proto", "https");
    let through = get(&app, "/who", &[GOOD, forged, https, ("peer", "10.1.2.3")]).await.json();
    assert_eq!((&through["client"], &through["secure"]), (&json!("203.0.113.9"), &json!(true)));
    let forged = get(&app, "/who", &[GOOD, forged, https, ("peer", "192.0.2.1")]).await.json();
    assert_eq!((&forged["client"], &forged["secure"]), (&json!("192.0.2.1"), &json!(false)));
}

#[tokio::test]
async fn health_tells_the_truth_and_asks_once_a_second() {
    let world = Arc::new(World::default());
    let app = app(&world, config());
    for _ in 0..5 {
        let seen = get(&app, "/health", &[]).await;
        let json = seen.json();
        assert_eq!((seen.status, &json["success"], &json["status"]), (200, &json!(true), &json!("ok")));
        assert_eq!((&json["service"], &json["database"]), (&json!("ok"), &json!("connected")));
        assert!(json["latency_ms"].is_u64() && json["uptime_seconds"].is_u64());
    }
    assert_eq!(world.probes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn health_with_a_database_that_is_down_or_hangs() {
    for hangs in [false, true] {
        let world = Arc::new(World::default());
        let app = app(&world, config());
        world.database_hangs.store(hangs, Ordering::Relaxed);
        world.database_down.store(!hangs, Ordering::Relaxed);
        for host in ["api.one.example", "localhost"] {
            let seen = get(&app, "/health", &[("host", host)]).await;
            let json = seen.json();
            assert_eq!((seen.status, &json["success"], &json["status"]), (503, &json!(false), &json!("degraded")));
            assert_eq!(json["database"], "disconnected");
        }
        assert_eq!(get(&app, "/", &[]).await.status, 200);
        let other = get(&app, "/who", &[GOOD]).await;
        assert_eq!(other.status, if hangs { 200 } else { 503 });
        assert!(!other.text.contains("sock"), "{}", other.text);
    }
}

#[tokio::test]
async fn bodies_reach_handlers() {
    let seen = post(&usual(), "/echo", r#"{"text":"hé","any":{"n":1.50}}"#).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.text, r#"{"success":true,"text":"hé","any":{"n":1.50}}"#);
}
