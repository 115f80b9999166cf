//! Too many requests: two limiters, each with a second and a minute.

use std::{num::NonZeroU32, time::Duration};

use insula::Config;
use insula_tests::{Answer, Backend, Client, World, on_all_databases, until};
use serde_json::json;

on_all_databases!(
    the_second_is_short_and_passes,
    the_minute_is_long,
    the_two_limiters_do_not_know_of_each_other,
    switched_off_there_is_none
);

/// Limits in the order: auth a second, auth a minute, API a second, API a minute.
fn limits(numbers: [u32; 4]) -> impl FnOnce(&mut Config) {
    move |config| {
        let [a, b, c, d] = numbers.map(|number| NonZeroU32::new(number).unwrap());
        let limit = &mut config.server.rate_limit;
        limit.enabled = true;
        (limit.auth_per_second, limit.auth_per_minute) = (a, b);
        (limit.api_per_second, limit.api_per_minute) = (c, d);
    }
}

/// Asks until it is too often; how many got through, and the refusal.
async fn exhaust(client: &Client, path: &str) -> (usize, Answer) {
    for through in 0..1_000 {
        let answer = client.get(path).await;
        if answer.status == 429 {
            return (through, answer);
        }
    }
    panic!("a thousand requests to {path} got through");
}

fn check(refusal: &Answer, seconds: std::ops::RangeInclusive<u64>) {
    let wait = refusal.body["retry_after"].as_u64().unwrap();
    assert!(seconds.contains(&wait), "{}", refusal.text);
    let exact = format!(
        "{{\"success\":false,\"error\":\"Too many requests. Naughty! Go sit in a corner for {wait} Seconds!\",\"retry_after\":{wait}}}"
    );
    assert_eq!(refusal.text, exact);
    assert_eq!(refusal.headers["retry-after"], wait.to_string().as_str());
    assert_eq!(refusal.headers["content-type"], "application/json");
    assert_eq!(refusal.headers["x-request-id"].len(), 24);
}

async fn the_second_is_short_and_passes(backend: Backend) {
    let world = World::configured(backend, limits([2, 1_000, 2, 1_000])).await;
    let client = world.anonymous();
    let (through, refusal) = exhaust(&client, "/").await;
    assert!(through >= 2, "{through}");
    check(&refusal, 1..=1);
    until("the second is over", Duration::from_secs(3), async || client.get("/").await.status == 200).await;
    world.end().await;
}

async fn the_minute_is_long(backend: Backend) {
    let world = World::configured(backend, limits([1_000, 10, 1_000, 20])).await;
    let client = world.anonymous();
    let (through, refusal) = exhaust(&client, "/permissions").await;
    // A minute's limit of 20 gives one more every three seconds.
    assert!((20..=24).contains(&through), "{through}");
    check(&refusal, 1..=3);
    // Hammering on does not make it longer.
    for _ in 0..50 {
        check(&client.get("/permissions").await, 1..=3);
    }
    world.end().await;
}

async fn the_two_limiters_do_not_know_of_each_other(backend: Backend) {
    let world = World::configured(backend, limits([1_000, 5, 1_000, 30])).await;
    let client = world.anonymous();
    let (through, refusal) = exhaust(&client, "/auth/status").await;
    assert!((5..=6).contains(&through), "{through}");
    check(&refusal, 1..=12);
    let login = json!({"method": "password", "username": "x", "password": "x"});
    assert_eq!(client.post("/auth/login", &login).await.status, 429, "all of /auth/ counts together");
    let (through, refusal) = exhaust(&client, "/").await;
    assert!((30..=33).contains(&through), "the other limiter has been used: {through}");
    check(&refusal, 1..=2);
    assert_eq!(client.get("/auth/status").await.status, 429);
    // Neither tokens nor bodies are looked at any more, and other host names are no way round.
    assert_eq!(client.with_token("x").post_text("/query", "{").await.status, 429);
    assert_eq!(client.at_host("api.nobody.test").get("/").await.status, 429);
    world.end().await;
}

async fn switched_off_there_is_none(backend: Backend) {
    let world = World::configured(backend, |config| {
        limits([1, 1, 1, 1])(config);
        config.server.rate_limit.enabled = false;
    })
    .await;
    for _ in 0..20 {
        assert_eq!(world.anonymous().get("/").await.status, 200);
    }
    world.end().await;
}
