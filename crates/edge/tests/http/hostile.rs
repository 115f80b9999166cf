//! Whatever a stranger sends is answered with JSON and never blamed on the server.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request};
use proptest::prelude::*;

use crate::stage::{send, usual};

fn headers() -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let names = prop::sample::select(vec![
        "host",
        "authorization",
        "content-type",
        "content-length",
        "content-encoding",
        "origin",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
        "user-agent",
        "runnable-token",
        "x-real-ip",
        "access-control-request-method",
        "expect",
        "connection",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "api.one.example",
            "localhost",
            "Bearer good",
            "application/json",
            "https://app.example",
            "0",
            "POST",
            "18446744073709551616",
            "for=\"[::1",
            "close",
        ])
        .prop_map(HeaderValue::from_static),
        prop::collection::vec(0x20_u8..0x7f, 0..40).prop_filter_map("value", |v| HeaderValue::from_bytes(&v).ok()),
        prop::collection::vec(0x80_u8..=0xff, 0..40).prop_filter_map("value", |v| HeaderValue::from_bytes(&v).ok()),
    ];
    prop::collection::vec((names.prop_map(HeaderName::from_static), values), 0..8)
}

fn request() -> impl Strategy<Value = Request<Body>> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "TRACE", "CONNECT", "X"]);
    let target = prop_oneof![
        prop::sample::select(vec![
            "/",
            "/who",
            "/echo",
            "/optional",
            "/items/1",
            "/auth/status",
            "/openapi.json",
            "/docs",
            "*",
            "//",
            "/site",
            "http://api.one.example/who",
            "/api/insula/init",
        ])
        .prop_map(str::to_owned),
        "/[ -~]{0,40}",
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[\\[\\]{}\":,a0 \\\\]{0,40}".prop_map(String::into_bytes),
        Just(br#"{"text":"x"}"#.to_vec()),
    ];
    (method, target, headers(), any::<bool>(), body).prop_filter_map(
        "target",
        |(method, target, headers, host, body)| {
            let method = Method::from_bytes(method.as_bytes()).ok()?;
            let mut request = Request::builder().method(method).uri(target).body(Body::from(body)).ok()?;
            if host {
                request.headers_mut().append("host", HeaderValue::from_static("api.one.example"));
            }
            for (name, value) in headers {
                request.headers_mut().append(name, value);
            }
            Some(request)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_a_failure_of_the_server(request in request()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let docs = request.uri().path().starts_with("/docs");
        let seen = runtime.block_on(send(&usual(), request));
        prop_assert!(seen.status < 500, "{:?}", seen);
        prop_assert!(docs || seen.status == 204 || seen.header("content-type") == "application/json", "{:?}", seen);
        if seen.status >= 400 && !seen.text.is_empty() && seen.json()["code"].is_number() {
            seen.refusal();
        }
    }
}
