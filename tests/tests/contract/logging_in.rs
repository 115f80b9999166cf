//! Who may come in, and what those hear who may not.

use identity::UserStatus;
use insula_tests::{Backend, World, on_all_databases};
use serde_json::{Value as Json, json};

on_all_databases!(every_refusal_is_the_same, what_is_missing_is_named);

fn password(username: &str, password: &str) -> Json {
    json!({"method": "password", "username": username, "password": password})
}

async fn every_refusal_is_the_same(backend: Backend) {
    let world = World::new(backend).await;
    world.user("uma", "users").await;
    world.user("gone", "users").await;
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let gone = identity.find_user(&open, "gone").await.unwrap().unwrap();
    identity.set_status(&open, gone.id, UserStatus::Suspended).await.unwrap();
    let nobody = world.at(&world.tenant);
    let wrong = nobody.post("/auth/login", &password("uma", "not the password")).await;
    assert_eq!(wrong.refusal(), (401, "credentials_invalid"));
    for login in [
        password("nobody", "correct horse battery"),
        password("gone", "correct horse battery"),
        password("uma", ""),
        password("uma", &"x".repeat(5_000)),
        password("", "correct horse battery"),
        password("uma' OR '1'='1", "correct horse battery"),
        json!({"method": "password", "email": "nobody@example.com", "password": "correct horse battery"}),
    ] {
        let answer = nobody.post("/auth/login", &login).await;
        assert_eq!(answer.whole(), wrong.whole(), "{login}");
    }
    identity.set_status(&open, gone.id, UserStatus::Active).await.unwrap();
    nobody.log_in("gone", "correct horse battery").await;
    world.end().await;
}

async fn what_is_missing_is_named(backend: Backend) {
    let world = World::new(backend).await;
    world.user("uma", "users").await;
    let nobody = world.at(&world.tenant);
    for (reason, field, login) in [
        ("field_missing", "method", json!({"username": "uma", "password": "x"})),
        ("field_missing", "username", json!({"method": "password", "password": "x"})),
        ("field_missing", "password", json!({"method": "password", "username": "uma"})),
        ("field_invalid", "method", json!({"method": "magic", "username": "uma"})),
        ("field_invalid", "password", json!({"method": "password", "username": "uma", "password": 1})),
        ("field_invalid", "email", json!({"method": "password", "username": "a", "email": "b", "password": "x"})),
        ("field_unknown", "user", json!({"method": "password", "user": "uma", "password": "x"})),
    ] {
        let answer = nobody.post("/auth/login", &login).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, reason), field), "{login}: {}", answer.text);
    }
    world.end().await;
}
