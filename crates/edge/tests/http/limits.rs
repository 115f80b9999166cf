//! Rate limits over whole requests.

use std::{num::NonZeroU32, sync::Arc};

use axum::body::Body;
use edge::{App, EdgeConfig, RateLimitConfig};

use crate::stage::{GOOD, Seen, app, config, get, request, send};

fn limited(auth: u32, api: u32) -> App {
    let [auth_per_second, api_per_second] = [auth, api].map(|count| NonZeroU32::MIN.saturating_add(count - 1));
    let rate_limit = RateLimitConfig { enabled: true, auth_per_second, api_per_second, ..Default::default() };
    let trusted_proxies = "10.0.0.0/8".parse().into_iter().collect();
    app(&Arc::default(), EdgeConfig { rate_limit, trusted_proxies, ..config() })
}

async fn from(app: &App, peer: &str, target: &str) -> Seen {
    get(app, target, &[GOOD, ("peer", peer)]).await
}

#[tokio::test]
async fn the_body_of_429_is_exact() {
    let app = limited(2, 2);
    for target in ["/auth/status", "/who"] {
        for _ in 0..2 {
            assert_eq!(from(&app, "192.0.2.1", target).await.status, 200);
        }
        let seen = from(&app, "192.0.2.1", target).await;
        let text = r#"{"success":false,"error":"Too many requests. Naughty! Go sit in a corner for 1 Seconds!","retry_after":1}"#;
        assert_eq!((seen.status, seen.text.as_str()), (429, text));
        assert_eq!((seen.header("retry-after"), seen.header("content-type")), ("1", "application/json"));
        assert_eq!(from(&app, "192.0.2.2", target).await.status, 200, "another address");
        let page = get(&app, target, &[("peer", "192.0.2.1"), ("origin", "https://app.example")]).await;
        assert_eq!((page.status, page.header("access-control-allow-origin")), (429, "https://app.example"));
    }
}

#[tokio::test]
async fn the_minute_is_told_in_seconds() {
    let rate_limit =
        RateLimitConfig { enabled: true, auth_per_minute: NonZeroU32::new(1).unwrap(), ..Default::default() };
    let app = app(&Arc::default(), EdgeConfig { rate_limit, ..config() });
    assert_eq!(from(&app, "192.0.2.1", "/auth/status").await.status, 200);
    let seen = from(&app, "192.0.2.1", "/auth/status").await;
    assert_eq!(seen.json()["retry_after"], 60);
    assert_eq!(seen.json()["error"], "Too many requests. Naughty! Go sit in a corner for 60 Seconds!");
}

#[tokio::test]
async fn two_limiters_and_everything_counts() {
    let app = limited(1, 3);
    assert_eq!(from(&app, "192.0.2.1", "/auth/status").await.status, 200);
    assert_eq!(from(&app, "192.0.2.1", "/auth/nowhere").await.status, 429);
    assert_eq!(from(&app, "192.0.2.1", "/who").await.status, 200);
    assert_eq!(from(&app, "192.0.2.1", "/nowhere").await.status, 404);
    assert_eq!(get(&app, "/", &[("peer", "192.0.2.1"), ("host", "evil.example")]).await.status, 421);
    assert_eq!(get(&app, "/", &[("peer", "192.0.2.1"), ("host", "evil.example")]).await.status, 429);
}

#[tokio::test]
async fn forged_addresses_do_not_help_and_proxies_clients_are_told_apart() {
    let app = limited(1, 1);
    for (peer, forged, status) in [
        ("192.0.2.1", "1.1.1.1", 200),
        ("192.0.2.1", "2.2.2.2", 429),
        ("10.0.0.1", "3.3.3.3", 200),
        ("10.0.0.2", "3.3.3.3", 429),
        ("10.0.0.1", "6.6.6.6, 3.3.3.3, 10.0.0.9", 429),
        ("10.0.0.1", "4.4.4.4", 200),
    ] {
        let seen = get(&app, "/", &[("peer", peer), ("x-forwarded-for", forged)]).await;
        assert_eq!(seen.status, status, "{peer} {forged}");
    }
}

#[tokio::test]
async fn bodies_and_tokens_are_not_looked_at_beyond_the_limit() {
    let app = limited(1, 1);
    let flood = || request("POST /echo", &[("peer", "192.0.2.1")], Body::from("x".repeat(9_000_000)));
    assert_eq!(send(&app, flood()).await.status, 401);
    assert_eq!(send(&app, flood()).await.status, 429);
}
