//! Whose request it is: the peer's, unless a trusted proxy says otherwise.

use std::num::NonZeroU32;

use insula_tests::{Backend, Client, World, on_all_databases};
use reqwest::Method;

on_all_databases!(a_strangers_word_for_his_address_counts_nothing, a_trusted_proxys_clients_are_told_apart);

/// A server that lets an address ask four times a minute.
async fn world(backend: Backend, proxies: &[&str]) -> World {
    World::configured(backend, |config| {
        config.server.rate_limit.enabled = true;
        config.server.rate_limit.api_per_minute = NonZeroU32::new(4).unwrap();
        config.server.trusted_proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    })
    .await
}

/// How many of ten requests with a header get through.
async fn through(client: &Client, name: &str, value: impl Fn(usize) -> String) -> usize {
    let mut through = 0;
    for number in 0..10 {
        let answer = client.send(Method::GET, "/", &[(name, &value(number))], None).await;
        through += usize::from(answer.status == 200);
    }
    through
}

async fn a_strangers_word_for_his_address_counts_nothing(backend: Backend) {
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.{}"),
        ("forwarded", "for=203.0.113.{}"),
        ("x-real-ip", "203.0.113.{}"),
        ("client-ip", "203.0.113.{}"),
    ] {
        let world = world(backend, &[]).await;
        let through = through(&world.anonymous(), name, |number| value.replace("{}", &number.to_string())).await;
        assert_eq!(through, 4, "{name} gives a caller a new address for each request");
        world.end().await;
    }
}

async fn a_trusted_proxys_clients_are_told_apart(backend: Backend) {
    let world = world(backend, &["127.0.0.1/32"]).await;
    let client = world.anonymous();
    assert_eq!(through(&client, "x-forwarded-for", |number| format!("203.0.113.{number}")).await, 10);
    assert_eq!(through(&client, "x-forwarded-for", |_| "198.51.100.1".to_owned()).await, 4);
    // What the client itself wrote stands on the left of what the proxy added.
    let forged = |number| format!("203.0.113.{number}, 198.51.100.2");
    assert_eq!(through(&client, "x-forwarded-for", forged).await, 4);
    assert_eq!(through(&client, "x-forwarded-for", |number| format!("2001:db8::{number}")).await, 4, "one network");
    world.end().await;
}
