//! Coming in, staying in, going out.

use std::{num::NonZeroU32, time::Duration};

use insula_tests::{Backend, World, on_all_databases};
use serde_json::{Value as Json, json};

on_all_databases!(the_bodies_are_exact, the_oldest_session_gives_way, activity_keeps_a_session_alive);

fn account(id: i64, name: &str, email: &str, group: &str, power: u8) -> Json {
    json!({"id": id, "uuid": "…", "username": name, "email": email, "name": name, "role": group, "power": power})
}

async fn the_bodies_are_exact(backend: Backend) {
    let world = World::new(backend).await;
    let nobody = world.at(&world.tenant);
    let register = json!({"username": "uma", "email": "uma@example.com", "password": "correct horse battery"});
    let begun = nobody.post("/auth/register", &register).await;
    let uma = account(1, "uma", "uma@example.com", "users", 10);
    let pair = |status: u16| {
        json!({"status": status, "body": {"success": true, "token": "…", "expires_at": "a moment",
        "refresh_token": "…", "refresh_expires_at": "a moment", "user": uma}})
    };
    assert_eq!(begun.whole(), pair(201));
    let login = json!({"method": "password", "username": "UMA", "password": "correct horse battery"});
    let entered = nobody.post("/auth/login", &login).await;
    assert_eq!(entered.whole(), pair(200));
    assert_eq!(begun.body["user"]["uuid"], entered.body["user"]["uuid"]);
    let caller = nobody.with_token(entered.body["token"].as_str().unwrap());
    let session = json!({"created_at": "a moment", "last_accessed": "a moment", "timeout_minutes": 60,
        "remaining_seconds": 3600, "expires_at": "a moment"});
    let alive = json!({"status": 200, "body": {"success": true, "valid": true, "user": uma, "session": session}});
    assert_eq!(caller.get("/auth/status").await.whole(), alive);
    let no_token =
        json!({"success": false, "valid": false, "error": "No authorization token provided [request_id: …]"});
    assert_eq!(nobody.get("/auth/status").await.whole(), json!({"status": 401, "body": no_token}));

    let admin = world.user("ada", "administrators").await;
    let clear = |id: Json| json!({"user_id": id});
    let cleared = |count: u64, id: i64| json!({"status": 200, "body": {"success": true, "sessions_cleared": count, "user_id": id}});
    assert_eq!(admin.post("/auth/clear-sessions", &clear(json!(1))).await.whole(), cleared(2, 1));
    assert_eq!(admin.post("/auth/clear-sessions", &clear(json!(1))).await.whole(), cleared(0, 1));
    assert_eq!(admin.post("/auth/clear-sessions", &clear(json!(2))).await.whole(), cleared(0, 2), "not one's own");
    assert_eq!(admin.post("/auth/clear-sessions", &clear(json!(77))).await.whole(), cleared(0, 77));
    for bad in [json!("1"), json!(1.5), Json::Null] {
        let answer = admin.post("/auth/clear-sessions", &clear(bad)).await;
        assert_eq!((answer.status, answer.field()), (400, "user_id"), "{}", answer.text);
    }
    let dead = json!({"success": true, "valid": false, "message": "Session expired or invalid [request_id: …]"});
    assert_eq!(caller.get("/auth/status").await.whole(), json!({"status": 401, "body": dead}));
    let uma = nobody.log_in("uma", "correct horse battery").await;
    assert_eq!(uma.post("/auth/clear-sessions", &clear(json!(2))).await.refusal(), (403, "power_too_low"));
    let out = json!({"status": 200, "body": {"success": true, "message": "Logged out"}});
    assert_eq!(uma.post("/auth/logout", &json!({})).await.whole(), out);
    assert_eq!(uma.post("/auth/logout", &json!({})).await.refusal(), (401, "session_invalid"));
    world.end().await;
}

async fn the_oldest_session_gives_way(backend: Backend) {
    let world = World::configured(backend, |config| {
        config.identity.max_concurrent_sessions = NonZeroU32::new(2).unwrap();
    })
    .await;
    let first = world.user("uma", "users").await;
    let nobody = world.at(&world.tenant);
    let second = nobody.log_in("uma", "correct horse battery").await;
    // Being used does not make the first one younger.
    assert_eq!(first.get("/auth/status").await.status, 200);
    let third = nobody.log_in("uma", "correct horse battery").await;
    let statuses = [&first, &second, &third].map(|caller| caller.get("/auth/status"));
    let mut valid = Vec::new();
    for status in statuses {
        valid.push(status.await.body["valid"].clone());
    }
    assert_eq!(valid, [false, true, true]);
    let other = world.user("otto", "users").await;
    assert_eq!((other.get("/auth/status").await.status, second.get("/auth/status").await.status), (200, 200));
    world.end().await;
}

async fn activity_keeps_a_session_alive(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let moment = |answer: &insula_tests::Answer, name: &str| answer.body["session"][name].as_str().unwrap().to_owned();
    let before = uma.get("/auth/status").await;
    // Any request counts, also one that is refused.
    assert_eq!(uma.query(json!({"action": "count", "table": "nothing"})).await.refusal().0, 400);
    let after = uma.get("/auth/status").await;
    assert_eq!(moment(&before, "created_at"), moment(&after, "created_at"));
    assert!(moment(&before, "last_accessed") < moment(&after, "last_accessed"));
    assert!(moment(&before, "expires_at") < moment(&after, "expires_at"), "it slides");
    world.end().await;

    let world = World::configured(backend, |config| config.identity.refresh_session_on_activity = false).await;
    let uma = world.user("uma", "users").await;
    let (before, after) = (uma.get("/auth/status").await, uma.get("/auth/status").await);
    assert_eq!(moment(&before, "expires_at"), moment(&after, "expires_at"), "it does not slide");
    world.end().await;

    let world =
        World::configured(backend, |config| config.identity.session_max_lifetime = kernel::Span::seconds(2)).await;
    let uma = world.user("uma", "users").await;
    assert_eq!(uma.get("/auth/status").await.status, 200);
    insula_tests::until("the longest life of a session is over", Duration::from_secs(10), async || {
        uma.get("/auth/status").await.status == 401
    })
    .await;
    world.end().await;
}
