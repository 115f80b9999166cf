//! Strangers become users, each name once.

use std::collections::HashMap;

use identity::Registration;
use insula_tests::{Backend, World, on_all_databases};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

on_all_databases!(of_a_hundred_at_once_one_gets_the_name, a_closed_tenant_lets_nobody_register);

fn stranger(username: &str, email: &str) -> Json {
    json!({"username": username, "email": email, "password": "correct horse battery"})
}

async fn of_a_hundred_at_once_one_gets_the_name(backend: Backend) {
    let world = World::new(backend).await;
    let mut strangers = JoinSet::new();
    for number in 0..100 {
        // Half of them want the name, half the address, in any case.
        let body = match number % 4 {
            0 => stranger("jane", &format!("jane{number}@example.com")),
            1 => stranger("JANE", &format!("jane{number}@example.com")),
            2 => stranger(&format!("jane{number}"), "joe@example.com"),
            _ => stranger(&format!("jane{number}"), "JOE@example.com"),
        };
        let client = world.at(&world.tenant);
        strangers.spawn(async move {
            let answer = client.post("/auth/register", &body).await;
            (answer.status, answer.refusal().1.to_owned())
        });
    }
    let mut counts = HashMap::new();
    for outcome in strangers.join_all().await {
        *counts.entry(outcome).or_insert(0) += 1;
    }
    let expected = [((201, ""), 2), ((409, "username_taken"), 49), ((409, "email_taken"), 49)];
    let expected = expected.map(|((status, reason), count)| ((status, reason.to_owned()), count));
    assert_eq!(counts, HashMap::from(expected));
    let open = world.open(&world.tenant).await;
    let users = world.server.installation().features.identity.users(&open, 0, 1_000).await.unwrap();
    let numbers: Vec<_> = users.iter().map(|user| user.number).collect();
    assert_eq!(numbers, [1, 2], "a refused stranger took a number");
    world.end().await;
}

async fn a_closed_tenant_lets_nobody_register(backend: Backend) {
    let world = World::configured(backend, |config| config.identity.registration = Registration::Closed).await;
    let answer = world.at(&world.tenant).post("/auth/register", &stranger("jane", "jane@example.com")).await;
    assert_eq!(answer.refusal(), (403, "registration_closed"));
    world.user("made-by-the-operator", "users").await;
    world.end().await;
}
