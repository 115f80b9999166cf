//! Ending the sessions of others: from which power, and whose.

use insula_tests::{Backend, World, on_all_databases};
use serde_json::{Value as Json, json};

use crate::stage::{PASSWORD, keep};

on_all_databases!(the_power_comes_from_the_table, higher_power_is_in_reach_where_that_is_wished);

fn clear(id: u32) -> Json {
    json!({"user_id": id})
}

async fn the_power_comes_from_the_table(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let refused = uma.post("/auth/clear-sessions", &clear(3)).await;
    assert_eq!(refused.refusal(), (403, "power_too_low"));
    assert!(refused.text.contains("70"), "{}", refused.text);
    keep(&admin, "min_clear_sessions_power", json!(10)).await;
    let cleared = uma.post("/auth/clear-sessions", &clear(3)).await;
    assert_eq!((cleared.status, &cleared.body["sessions_cleared"]), (200, &json!(1)), "{}", cleared.text);
    assert_eq!(otto.get("/permissions").await.refusal(), (401, "session_invalid"));
    assert_eq!(uma.post("/auth/clear-sessions", &clear(1)).await.refusal(), (403, "power_too_low"));
    // One's own other sessions, but not the calling one.
    let other = world.at(&world.tenant).log_in("uma", PASSWORD).await;
    assert_eq!(uma.post("/auth/clear-sessions", &clear(2)).await.body["sessions_cleared"], 1);
    assert_eq!((uma.get("/permissions").await.status, other.get("/permissions").await.status), (200, 401));
    let nobody = uma.post("/auth/clear-sessions", &clear(4_711)).await;
    assert_eq!((nobody.status, &nobody.body["sessions_cleared"]), (200, &json!(0)));
    keep(&admin, "min_clear_sessions_power", json!(101)).await;
    assert_eq!(
        admin.post("/auth/clear-sessions", &clear(2)).await.refusal(),
        (403, "power_too_low"),
        "nobody any more"
    );
    world.end().await;
}

async fn higher_power_is_in_reach_where_that_is_wished(backend: Backend) {
    let world = World::configured(backend, |config| config.identity.clear_sessions_any_power = true).await;
    let admin = world.user("ada", "administrators").await;
    let moderator = world.user("mona", "moderators").await;
    let cleared = moderator.post("/auth/clear-sessions", &clear(1)).await;
    assert_eq!((cleared.status, &cleared.body["sessions_cleared"]), (200, &json!(1)), "{}", cleared.text);
    assert_eq!(admin.get("/permissions").await.status, 401);
    for bad in [json!({}), json!({"user_id": "1"}), json!({"user_id": 1.5}), json!({"user_id": null})] {
        let answer = moderator.post("/auth/clear-sessions", &bad).await;
        assert_eq!((answer.status, answer.field()), (400, "user_id"), "{}", answer.text);
    }
    world.end().await;
}
