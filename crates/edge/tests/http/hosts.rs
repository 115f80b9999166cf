//! Which host leads where.

use std::sync::Arc;

use axum::body::Body;
use edge::EdgeConfig;
use http::{Request, Version};
use serde_json::json;

use crate::stage::{GOOD, Seen, World, app, config, get, request, send, usual};

async fn at(host: &str, target: &str) -> Seen {
    get(&usual(), target, &[("host", host)]).await
}

#[tokio::test]
async fn hosts_lead_to_tenants() {
    for (host, name, explicit) in [
        ("api.one.example", "one", true),
        ("API.One.Example.:5777", "one", true),
        ("api.two.localhost", "two", true),
        ("localhost", "one", false),
        ("localhost:5777", "one", false),
        ("api.localhost", "one", false),
        ("two.localhost", "one", false),
        ("api.nobody.localhost", "one", false),
        ("127.0.0.1:5777", "one", false),
        ("[::1]:5777", "one", false),
        ("192.0.2.7", "one", false),
    ] {
        let seen = at(host, "/site").await;
        assert_eq!(seen.json(), json!({"success": true, "tenant": name, "explicit": explicit}), "{host}");
    }
}

#[tokio::test]
async fn strangers_hosts_are_refused() {
    for host in ["one.example", "www.one.example", "api.nobody.example", "evil.com", "api.www.one.example", "x"] {
        for target in ["/", "/health", "/site", "/nowhere"] {
            assert_eq!(at(host, target).await.refusal(), (421, "host_unknown".into()), "{host} {target}");
        }
    }
    for host in ["", "a b", "a..b", "api.one.example:x", "user@api.one.example", "[::1", "api.one.example,evil.com"] {
        assert_eq!(at(host, "/").await.refusal(), (400, "bad_request".into()), "{host:?}");
    }
}

#[tokio::test]
async fn a_host_header_is_needed_once() {
    let app = usual();
    let bare = |version| Request::builder().version(version).uri("/site").body(Body::empty()).unwrap();
    assert_eq!(send(&app, bare(Version::HTTP_11)).await.refusal(), (400, "bad_request".into()));
    assert_eq!(send(&app, bare(Version::HTTP_10)).await.json()["explicit"], false);
    let twice = request("GET /site", &[("host", "api.one.example"), ("host", "api.two.localhost")], Body::empty());
    assert_eq!(send(&app, twice).await.refusal(), (400, "bad_request".into()));
}

#[tokio::test]
async fn an_absolute_target_beats_the_host_header() {
    let seen = get(&usual(), "http://api.two.localhost/site", &[("host", "api.one.example")]).await;
    assert_eq!(seen.json()["tenant"], "two");
}

#[tokio::test]
async fn other_rooms_have_nothing_of_the_api() {
    for (host, good) in [
        ("assets.one.example", ("cookie", "__Host-insula=biscuit")),
        ("webhooks.one.example", GOOD),
        ("assets.two.localhost", ("cookie", "__Host-insula=biscuit")),
    ] {
        for target in ["/health", "/site", "/who", "/openapi.json", "/docs", "/auth/status"] {
            let seen = get(&usual(), &format!("{target}?token=hook"), &[("host", host), good]).await;
            assert_eq!(seen.refusal(), (404, "route_not_found".into()), "{host}{target}");
            let seen = get(&usual(), target, &[("host", host), GOOD]).await;
            assert_eq!(seen.refusal(), (401, "no_token".into()), "{host}{target}");
        }
    }
    assert_eq!(at("assets.nobody.example", "/").await.status, 421);
}

#[tokio::test]
async fn suspended_tenants() {
    for target in ["/", "/who", "/nowhere", "/site"] {
        for room in ["assets", "webhooks"] {
            let seen = at(&format!("{room}.gone.example"), target).await;
            assert_eq!(seen.refusal(), (403, "tenant_suspended".into()), "{room} {target}");
        }
        assert_eq!(at("api.gone.example", target).await.refusal(), (403, "tenant_suspended".into()), "{target}");
    }
    let world = Arc::new(World { first_suspended: true, ..Default::default() });
    let app = app(&world, config());
    let local = ("host", "localhost");
    assert_eq!(get(&app, "/health", &[local]).await.status, 200, "the server itself is well");
    assert_eq!(get(&app, "/site", &[local]).await.refusal(), (403, "tenant_suspended".into()));
    assert_eq!(get(&app, "/who", &[local, GOOD]).await.refusal(), (403, "tenant_suspended".into()));
    assert_eq!(get(&app, "/who", &[local, ("authorization", "Bearer two")]).await.json()["tenant"], "two");
}

#[tokio::test]
async fn before_the_installation_is_initialised() {
    let app = app(&Arc::new(World { empty: true, ..Default::default() }), config());
    for host in ["api.localhost", "api.localhost.daplie.me", "anything.example", "127.0.0.1"] {
        let host = ("host", host);
        for target in ["/", "/health", "/openapi.json", "/docs", "/docs/"] {
            assert_eq!(get(&app, target, &[host]).await.status, 200, "{host:?} {target}");
        }
        for target in ["/who", "/nowhere", "/site", "/auth/status", "/api/insula/init"] {
            let seen = get(&app, target, &[host, GOOD]).await;
            assert_eq!(seen.refusal(), (503, "not_initialised".into()), "{host:?} {target}");
        }
        let seen = send(&app, request("POST /api/insula/init", &[host], Body::empty())).await;
        assert_eq!(seen.json(), json!({"success": true, "initialised": true}));
        let seen = send(&app, request("POST /", &[host], Body::empty())).await;
        assert_eq!(seen.refusal(), (503, "not_initialised".into()));
        // The other name of the same route has no handler here: it is let through to the router.
        let seen = send(&app, request("POST /api/walnut@daplie.com/init", &[host], Body::empty())).await;
        assert_eq!(seen.status, 503);
    }
    assert_eq!(get(&app, "/", &[("host", "a b")]).await.status, 400);
}

#[tokio::test]
async fn who_initialises_second_reaches_the_handler() {
    let config = EdgeConfig { bootstrap_hosts: vec!["Setup.example".into()], ..config() };
    let app = app(&Arc::default(), config);
    for (host, status) in
        [("api.localhost", 200), ("api.localhost.daplie.me:5777", 200), ("setup.example", 200), ("evil.example", 421)]
    {
        let seen = send(&app, request("POST /api/insula/init", &[("host", host)], Body::empty())).await;
        assert_eq!(seen.status, status, "{host}");
        let seen = get(&app, "/site", &[("host", host)]).await;
        assert_eq!(seen.status, if host == "api.localhost" { 200 } else { 421 }, "{host}");
    }
}
