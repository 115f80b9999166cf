//! Settings of sessions take effect.

use std::time::Duration;

use insula_tests::{Backend, World, on_all_databases, until};
use kernel::Span;
use sea_query::{Alias, Query};
use serde_json::json;

use crate::stage::{PASSWORD, keep};

on_all_databases!(
    sessions_live_as_long_as_the_table_says,
    the_table_caps_sessions,
    activity_is_written_as_often_as_the_table_says,
    new_groups_have_the_access_that_the_table_says,
);

async fn sessions_live_as_long_as_the_table_says(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let uma = world.user("uma", "users").await;
    assert_eq!(uma.get("/auth/status").await.body["session"]["timeout_minutes"], 60);
    keep(&admin, "session_timeout_minutes", json!(7)).await;
    keep(&admin, "refresh_session_on_activity", json!(false)).await;
    let begun = world.at(&world.tenant).log_in("uma", PASSWORD).await;
    let first = begun.get("/auth/status").await.body["session"].clone();
    assert_eq!(first["timeout_minutes"], 7);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let later = begun.get("/auth/status").await.body["session"].clone();
    assert_eq!(first["expires_at"], later["expires_at"], "activity does not move it");
    // Sessions that were there notice when they are read anew.
    until("an older session has the new time", Duration::from_secs(10), async || {
        uma.get("/auth/status").await.body["session"]["timeout_minutes"] == 7
    })
    .await;
    keep(&admin, "refresh_session_on_activity", json!(true)).await;
    let begun = world.at(&world.tenant).log_in("uma", PASSWORD).await;
    let first = begun.get("/auth/status").await.body["session"].clone();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_ne!(first["expires_at"], begun.get("/auth/status").await.body["session"]["expires_at"]);
    world.end().await;
}

async fn the_table_caps_sessions(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let first = world.user("uma", "users").await;
    let second = world.at(&world.tenant).log_in("uma", PASSWORD).await;
    assert_eq!(first.get("/auth/status").await.status, 200);
    keep(&admin, "max_concurrent_sessions", json!(1)).await;
    let third = world.at(&world.tenant).log_in("uma", PASSWORD).await;
    for ended in [first, second] {
        assert_eq!(ended.get("/permissions").await.refusal(), (401, "session_invalid"));
    }
    assert_eq!(third.get("/permissions").await.status, 200);
    world.end().await;
}

async fn activity_is_written_as_often_as_the_table_says(backend: Backend) {
    let world = World::configured(backend, |config| {
        config.identity.session_flush_interval = Span::seconds(3_600);
    })
    .await;
    let admin = world.user("ada", "administrators").await;
    let accessed = async || {
        let open = world.open(&world.tenant).await;
        let mut select = Query::select();
        select.column(Alias::new("last_accessed")).from(open.system.ddl().table("_sessions"));
        open.system.read(&select).await.unwrap()[0].timestamp(0).unwrap()
    };
    let before = accessed().await;
    // Moments are written to five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(admin.get("/permissions").await.status, 200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(accessed().await, before, "an hour is not over");
    keep(&admin, "session_update_interval_seconds", json!(1)).await;
    until("the activity is written", Duration::from_secs(10), async || accessed().await > before).await;
    world.end().await;
}

async fn new_groups_have_the_access_that_the_table_says(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let make = async |name: &str| {
        let made = admin.post("/admin/groups", &json!({"name": name, "power": 5})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let known = admin.get(&format!("/admin/groups/{name}")).await;
        known.text.contains("\"user_settings_access\":\"read-own-only\"")
    };
    assert!(!make("before").await);
    keep(&admin, "default_user_settings_access", json!("read-own-only")).await;
    assert!(make("after").await);
    world.end().await;
}
