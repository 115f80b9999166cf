//! Bodies that are refused.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use edge::EdgeConfig;
use futures_util::stream;
use kernel::ByteSize;
use serde_json::json;

use crate::stage::{GOOD, app, config, post, request, send, usual};

#[tokio::test]
async fn bad_bodies_name_the_reason_and_the_field() {
    let app = usual();
    let deep = format!(r#"{{"text":"x","any":{}1{}}}"#, "[".repeat(64), "]".repeat(64));
    for (body, reason, field) in [
        ("", "malformed_json", ""),
        ("{", "malformed_json", ""),
        ("nonsense", "malformed_json", ""),
        (r#"{"text":"x",}"#, "malformed_json", ""),
        (r#"{"text":"x"}{"text":"y"}"#, "malformed_json", ""),
        (r#"{"text":"\ud800"}"#, "malformed_json", ""),
        ("[]", "body_not_object", ""),
        ("null", "body_not_object", ""),
        ("\"text\"", "body_not_object", ""),
        (r#"{"text":"a","text":"b"}"#, "duplicate_key", "text"),
        (r#"{"text":"a","any":[{"b":{"c":1,"\u0063":2}}]}"#, "duplicate_key", "any[0].b.c"),
        (
            r#"{"text":"a","any":{"$serde_json::private::Number":"1"}}"#,
            "field_unknown",
            "any.$serde_json::private::Number",
        ),
        (&deep, "too_deep", ""),
        ("{}", "field_missing", "text"),
        (r#"{"text":7}"#, "field_invalid", "text"),
        (r#"{"text":null}"#, "field_invalid", "text"),
        (r#"{"text":"a","txet":1}"#, "field_unknown", "txet"),
    ] {
        let seen = post(&app, "/echo", body.to_owned()).await;
        assert_eq!(seen.refusal(), (400, reason.into()), "{body}");
        assert_eq!(seen.json()["field"].as_str().unwrap_or_default(), field, "{body}");
    }
    assert_eq!(post(&app, "/echo", vec![b'{', b'"', 0xff, b'"', b'}']).await.reason(), "malformed_json");
}

#[tokio::test]
async fn only_json_is_a_body() {
    let app = usual();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""] {
        let headers = [GOOD, ("content-type", kind)];
        let seen = send(&app, request("POST /echo", &headers, r#"{"text":"x"}"#)).await;
        assert_eq!(seen.refusal(), (400, "unsupported_media_type".into()), "{kind}");
    }
    let zipped = [GOOD, ("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(send(&app, request("POST /echo", &zipped, "{}")).await.reason(), "unsupported_media_type");
    let seen = send(&app, request("POST /echo", &[GOOD], r#"{"text":"x"}"#)).await;
    assert_eq!(seen.refusal(), (400, "unsupported_media_type".into()));
}

#[tokio::test]
async fn optional_bodies() {
    let app = usual();
    let none = json!({"success": true, "text": null});
    assert_eq!(send(&app, request("POST /optional", &[], Body::empty())).await.json(), none);
    assert_eq!(post(&app, "/optional", "").await.json(), none);
    assert_eq!(post(&app, "/optional", r#"{"text":"x"}"#).await.json()["text"], "x");
    assert_eq!(post(&app, "/optional", "nonsense").await.reason(), "malformed_json");
    assert_eq!(post(&app, "/optional", "null").await.reason(), "body_not_object");
}

#[tokio::test]
async fn who_may_not_come_in_is_not_listened_to() {
    let seen = send(&usual(), request("POST /echo", &[("content-type", "text/plain")], "x".repeat(9_000_000))).await;
    assert_eq!(seen.refusal(), (401, "no_token".into()));
}

/// A body in pieces, without a length.
fn pieces(count: usize, size: usize) -> Body {
    Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(Bytes::from(vec![b' '; size])))))
}

#[tokio::test]
async fn the_cap_on_bodies() {
    let app = app(&Arc::default(), EdgeConfig { max_body_size: ByteSize(1 << 10), ..config() });
    let sized = |size: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(size - 11));
    assert_eq!(post(&app, "/echo", sized(1 << 10)).await.status, 201);
    for body in [Body::from(sized((1 << 10) + 1)), pieces(1_000_000, 1_000), pieces(2, 600)] {
        let seen = post(&app, "/echo", body).await;
        assert_eq!(seen.refusal(), (413, "body_too_large".into()));
        assert_eq!(seen.header("connection"), "close");
    }
    // A length that is declared is believed before anything is read.
    let headers = [GOOD, ("content-type", "application/json"), ("content-length", "1025")];
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(send(&app, request("POST /echo", &headers, never)).await.status, 413);
    assert_eq!(post(&app, "/echo", pieces(3, 300)).await.reason(), "malformed_json");
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let text = r#"{"text":"in pieces","any":[1,2,3]}"#;
    let body = stream::iter(text.as_bytes().chunks(3).map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece))));
    let seen = post(&usual(), "/echo", Body::from_stream(body)).await;
    assert_eq!(seen.json(), json!({"success": true, "text": "in pieces", "any": [1, 2, 3]}));
}

#[tokio::test]
async fn hostile_bodies_are_refused_fast() {
    let app = app(&Arc::default(), EdgeConfig { max_body_size: ByteSize(32 << 20), ..config() });
    let started = std::time::Instant::now();
    assert_eq!(post(&app, "/echo", "[".repeat(10_000_000)).await.reason(), "too_deep");
    assert_eq!(post(&app, "/echo", r#"{"any":"#.repeat(1_000_000)).await.reason(), "too_deep");
    assert_eq!(post(&app, "/echo", format!("{{\"{}\":1}}", "k".repeat(5_000_000))).await.reason(), "field_unknown");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
