//! Values that others wrote into the table: they count after a reload, all of them or none.

use insula_tests::{Backend, World, on_all_databases};
use serde_json::json;

use crate::stage::{in_force, shown, write};

on_all_databases!(
    a_broken_value_is_passed_over_at_first,
    a_reload_takes_all_or_nothing,
    a_rule_may_open_the_table,
    broken_files_are_refused_without_their_contents
);

async fn a_broken_value_is_passed_over_at_first(backend: Backend) {
    let world = World::new(backend).await;
    write(&world, "session_timeout_minutes", "soon").await;
    write(&world, "max_concurrent_sessions", "4").await;
    let admin = world.user("ada", "administrators").await;
    assert_eq!(in_force(&admin, "session_timeout_minutes").await, (json!(60), json!("default")));
    assert_eq!(shown(&admin, "session_timeout_minutes").await["table"], "soon");
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(4), json!("table")));
    world.end().await;
}

async fn a_reload_takes_all_or_nothing(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(1_000), json!("default")));
    write(&world, "default_max_limit", "9").await;
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(1_000), json!("default")), "not before a reload");
    write(&world, "whitelisted_pin_ips", "[\"0.0.0.0/0\"]").await;
    write(&world, "a_setting_of_another_program", "1").await;
    std::fs::write(world.tenant.folder.join("identity.toml"), "max_concurrent_sessions = 5").unwrap();
    let refused = admin.post("/reload", &json!({})).await;
    assert_eq!(refused.refusal(), (500, "reload_failed"), "{}", refused.text);
    assert!(refused.text.contains("whitelisted_pin_ips"), "{}", refused.text);
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(1_000), json!("default")));
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(10), json!("default")));
    write(&world, "whitelisted_pin_ips", "[\"192.0.2.1\"]").await;
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(9), json!("table")));
    assert_eq!(in_force(&admin, "whitelisted_pin_ips").await, (json!(["192.0.2.1"]), json!("table")));
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(5), json!("tenant_file")));
    assert_eq!(admin.get("/permissions").await.body["max_limit"], 9);
    world.end().await;
}

async fn a_rule_may_open_the_table(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let select = json!({"action": "select", "table": "_settings"});
    assert_eq!(admin.query(select.clone()).await.refusal(), (403, "table_denied"), "* does not reach it");
    world.group("administrators", &["*:rwa", "_settings:rw"], &[]).await;
    let admin = world.at(&world.tenant).log_in("ada", crate::stage::PASSWORD).await;
    let row = json!({"setting": "default_max_limit", "value": "8", "description": "Eight."});
    let inserted = admin.query(json!({"action": "insert", "table": "jde_settings", "data": row})).await;
    assert_eq!(inserted.status, 200, "{}", inserted.text);
    assert_eq!(admin.query(select).await.data()[0]["value"], "8");
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    assert_eq!(shown(&admin, "default_max_limit").await["description"], "Eight.");
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(8), json!("table")));
    world.end().await;
}

async fn broken_files_are_refused_without_their_contents(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let file = |name: &str, text: &str| std::fs::write(world.tenant.folder.join(name), text).unwrap();
    // Where old settings are in force they stay.
    file("identity.toml", "\nregistration = \"hidden\"\n");
    let refused = admin.post("/reload", &json!({})).await;
    assert_eq!(refused.refusal(), (500, "reload_failed"));
    let place = "identity.toml line 2: registration: unknown variant";
    assert!(refused.text.contains(place), "{}", refused.text);
    assert_eq!(admin.get("/auth/me").await.status, 200);
    // Another tenant has none yet. Nobody learns what is written there.
    let other = world.another_tenant().await;
    std::fs::write(other.folder.join("identity.toml"), "[mail]\nsmtp_url = \"hidden\"\n").unwrap();
    let stranger = world.at(&other);
    let login = json!({"method": "password", "username": "ada", "password": "wrong"});
    let register = json!({"username": "eve", "email": "eve@example.com", "password": "correct horse battery"});
    for answer in [stranger.post("/auth/login", &login).await, stranger.post("/auth/register", &register).await] {
        assert_eq!(answer.refusal(), (503, "config_broken"), "{}", answer.text);
        assert!(answer.text.contains("identity.toml") && !answer.text.contains("hidden"), "{}", answer.text);
    }
    std::fs::write(other.folder.join("identity.toml"), "").unwrap();
    assert_eq!(stranger.post("/auth/login", &login).await.refusal(), (401, "credentials_invalid"), "it is mended");
    std::fs::write(other.folder.join("rules.toml"), "[[rules]]\ntable = \"hidden\"\n").unwrap();
    let root = world.user_of(&other, "ada", "administrators").await;
    let answer = root.query(json!({"action": "select", "table": "items"})).await;
    assert_eq!(answer.refusal(), (503, "config_broken"), "{}", answer.text);
    assert!(answer.text.contains("rules.toml") && !answer.text.contains("hidden"), "{}", answer.text);
    world.end().await;
}
