//! Every request has an id of its own: digits, sent as text, in the header and in the envelope.

use std::{collections::HashSet, time::SystemTime};

use insula_tests::{Backend, World, on_all_databases};
use reqwest::Method;
use serde_json::json;

on_all_databases!(ids_are_digits_and_never_the_callers, no_two_requests_share_an_id);

async fn ids_are_digits_and_never_the_callers(backend: Backend) {
    let world = World::new(backend).await;
    let nobody = world.anonymous();
    let mut last = String::new();
    for path in ["/", "/health", "/permissions", "/nothing", "/openapi.json", "/docs"] {
        let before = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
        let answer = nobody.send(Method::GET, path, &[("x-request-id", "12345678")], None).await;
        let after = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
        let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0'), "{id}");
        let moment: u128 = id[..16].parse().unwrap();
        assert!((before..=after).contains(&moment), "{id} does not tell when the request came");
        assert!(id > last, "ids sort by time");
        assert!(!answer.text.contains("12345678"));
        if answer.status >= 400 {
            assert_eq!(answer.body["request_id"], json!(id), "text, for it is larger than 2^53");
            assert!(answer.body["error"].as_str().unwrap().ends_with(&format!("[request_id: {id}]")));
        }
        last = id;
    }
    assert_eq!(nobody.get("/").await.headers.get_all("x-request-id").iter().count(), 1);
    world.end().await;
}

async fn no_two_requests_share_an_id(backend: Backend) {
    let world = World::new(backend).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client = world.anonymous();
        callers.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..100 {
                ids.push(client.get("/").await.headers["x-request-id"].to_str().unwrap().to_owned());
            }
            ids
        });
    }
    let ids: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1_600);
    world.end().await;
}
