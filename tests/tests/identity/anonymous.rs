//! Users without a credential, and how they become registered ones.

use std::{collections::HashMap, num::NonZeroU32};

use identity::Registration;
use insula::Config;
use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use kernel::Span;
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

on_all_databases!(
    whoever_upgrades_keeps_id_data_and_session,
    of_a_hundred_upgrades_of_one_user_one_succeeds,
    of_a_hundred_users_one_gets_the_name,
    a_closed_tenant_lets_nobody_in,
    nobody_comes_back_to_those_who_are_removed,
);

fn stranger(username: &str) -> Json {
    json!({"username": username, "email": format!("{username}@example.com"), "password": "correct horse battery"})
}

async fn begin(world: &World) -> (Client, Json) {
    let nobody = world.at(&world.tenant);
    let answer = nobody.send(Method::POST, "/auth/anonymous", &[], None).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    (nobody.with_token(answer.body["token"].as_str().unwrap()), answer.body["user"].clone())
}

fn tally(answers: &[Answer]) -> HashMap<(u16, &str), usize> {
    let mut counts = HashMap::new();
    for answer in answers {
        *counts.entry(answer.refusal()).or_insert(0) += 1;
    }
    counts
}

async fn whoever_upgrades_keeps_id_data_and_session(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE notes (id SERIAL, note VARCHAR(40), pinned_to BIGINT)").await;
    for group in ["anonymous", "users"] {
        world.group(group, &["notes:rwo"], &[]).await;
    }
    let (caller, user) = begin(&world).await;
    assert_eq!((&user["role"], &user["power"], &user["email"]), (&json!("anonymous"), &json!(1), &Json::Null));
    caller.query(json!({"action": "insert", "table": "notes", "data": {"note": "mine"}})).await.data();
    let taken = world.user("taken", "users").await;
    for (body, status, reason) in [
        (stranger("taken"), 409, "username_taken"),
        (stranger("a b"), 422, "username_unfit"),
        (json!({"username": "jane", "email": "jane", "password": "correct horse battery"}), 422, "email_unfit"),
        (json!({"username": "jane", "email": "jane@example.com", "password": "password1"}), 422, "password_unfit"),
    ] {
        assert_eq!(caller.post("/auth/upgrade", &body).await.refusal(), (status, reason));
    }
    let upgraded = caller.post("/auth/upgrade", &stranger("jane")).await;
    assert_eq!(upgraded.status, 200, "{}", upgraded.text);
    let after = &upgraded.body["user"];
    assert_eq!((&after["id"], &after["uuid"]), (&user["id"], &user["uuid"]));
    assert_eq!((&after["username"], &after["role"]), (&json!("jane"), &json!("users")));
    let status = caller.get("/auth/status").await;
    assert_eq!((status.status, &status.body["user"]), (200, after), "the session is the same");
    let again = world.at(&world.tenant).log_in("jane@example.com", "correct horse battery").await;
    for client in [&caller, &again] {
        let notes = client.query(json!({"action": "select", "table": "notes"})).await;
        assert_eq!(notes.data()[0]["note"], json!("mine"));
    }
    for client in [&caller, &taken] {
        assert_eq!(client.post("/auth/upgrade", &stranger("joan")).await.refusal(), (409, "not_anonymous"));
    }
    assert_eq!(world.at(&world.tenant).post("/auth/upgrade", &stranger("joan")).await.refusal(), (401, "no_token"));
    world.end().await;
}

async fn of_a_hundred_upgrades_of_one_user_one_succeeds(backend: Backend) {
    let world = World::new(backend).await;
    let (caller, _) = begin(&world).await;
    let mut crowd = JoinSet::new();
    for number in 0..100 {
        let (caller, body) = (caller.clone(), stranger(&format!("jane{}", number % 10)));
        crowd.spawn(async move { caller.post("/auth/upgrade", &body).await });
    }
    let answers = crowd.join_all().await;
    assert_eq!(tally(&answers), HashMap::from([((200, ""), 1), ((409, "not_anonymous"), 99)]));
    world.end().await;
}

async fn of_a_hundred_users_one_gets_the_name(backend: Backend) {
    let world = World::new(backend).await;
    let mut callers = Vec::new();
    for _ in 0..100 {
        callers.push(begin(&world).await.0);
    }
    let mut crowd = JoinSet::new();
    for caller in callers {
        crowd.spawn(async move { caller.post("/auth/upgrade", &stranger("jane")).await });
    }
    let answers = crowd.join_all().await;
    assert_eq!(tally(&answers), HashMap::from([((200, ""), 1), ((409, "username_taken"), 99)]));
    world.end().await;
}

async fn a_closed_tenant_lets_nobody_in(backend: Backend) {
    let world = World::configured(backend, |config| config.identity.anonymous = Registration::Closed).await;
    let answer = world.at(&world.tenant).post("/auth/anonymous", &json!({})).await;
    assert_eq!(answer.refusal(), (403, "registration_closed"));
    world.end().await;
    let world = World::configured(backend, |config| config.identity.registration = Registration::Closed).await;
    let (caller, _) = begin(&world).await;
    assert_eq!(caller.post("/auth/upgrade", &stranger("jane")).await.refusal(), (403, "registration_closed"));
    let answer = world.at(&world.tenant).post("/auth/anonymous", &json!({"name": "x"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_unknown"), "name"));
    world.end().await;
}

async fn nobody_comes_back_to_those_who_are_removed(backend: Backend) {
    let at_once = |config: &mut Config| {
        config.identity.anonymous_lifetime = Some(Span::seconds(0));
        config.identity.max_concurrent_sessions = NonZeroU32::MIN;
    };
    let world = World::configured(backend, at_once).await;
    let identity = &world.server.installation().features.identity;
    let open = world.open(&world.tenant).await;
    let (present, _) = begin(&world).await;
    let (gone, _) = begin(&world).await;
    let (upgraded, _) = begin(&world).await;
    assert_eq!(upgraded.post("/auth/upgrade", &stranger("jane")).await.status, 200);
    for client in [&gone, &upgraded] {
        assert_eq!(client.post("/auth/logout", &json!({})).await.status, 200);
    }
    identity.sweep_anonymous().await;
    let left: Vec<_> = identity.users(&open, 0, 100).await.unwrap().iter().map(|user| user.number).collect();
    assert_eq!(left, [1, 3]);
    assert_eq!(present.get("/auth/status").await.status, 200);
    world.end().await;
    let world = World::new(backend).await;
    let (gone, _) = begin(&world).await;
    gone.post("/auth/logout", &json!({})).await;
    let identity = &world.server.installation().features.identity;
    identity.sweep_anonymous().await;
    assert_eq!(identity.users(&*world.open(&world.tenant).await, 0, 100).await.unwrap().len(), 1, "kept by default");
    world.end().await;
}
