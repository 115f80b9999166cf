//! Who wins: the table, or what is written in a file.

use insula_tests::{Backend, World, on_all_databases};
use kernel::settings::Preference;
use serde_json::json;

use crate::stage::{in_force, keep, shown, unset};

on_all_databases!(the_table_wins, what_is_written_in_a_file_wins_where_that_is_wished);

/// A file of the installation says one thing and one of the tenant another; a third is said by none.
async fn world(backend: Backend, preference: Preference) -> World {
    let world = World::configured(backend, |config| {
        config.config_preference = preference;
        config.identity.min_clear_sessions_power = 80;
        config.written.insert("identity.min_clear_sessions_power".to_owned());
        config.query.default_max_limit = 500;
        config.written.insert("query.default_max_limit".to_owned());
    })
    .await;
    std::fs::write(world.tenant.folder.join("identity.toml"), "max_concurrent_sessions = 5").unwrap();
    world
}

const KEPT: [(&str, u64); 4] = [
    ("min_clear_sessions_power", 20),
    ("default_max_limit", 30),
    ("max_concurrent_sessions", 3),
    ("session_timeout_minutes", 40),
];

async fn the_table_wins(backend: Backend) {
    let world = world(backend, Preference::Tables).await;
    let admin = world.user("ada", "administrators").await;
    assert_eq!(in_force(&admin, "min_clear_sessions_power").await, (json!(80), json!("file")));
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(5), json!("tenant_file")));
    assert_eq!(in_force(&admin, "session_timeout_minutes").await, (json!(60), json!("default")));
    for (name, value) in KEPT {
        keep(&admin, name, json!(value)).await;
        assert_eq!(in_force(&admin, name).await, (json!(value), json!("table")));
    }
    assert_eq!(admin.get("/permissions").await.body["max_limit"], 30);
    let again = world.at(&world.tenant).log_in("ada", crate::stage::PASSWORD).await;
    assert_eq!(again.get("/auth/status").await.body["session"]["timeout_minutes"], 40);
    for (name, _) in KEPT {
        assert_eq!(unset(&admin, name).await.status, 204);
    }
    assert_eq!(in_force(&admin, "min_clear_sessions_power").await, (json!(80), json!("file")));
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(5), json!("tenant_file")));
    assert_eq!(admin.get("/permissions").await.body["max_limit"], 500);
    world.end().await;
}

async fn what_is_written_in_a_file_wins_where_that_is_wished(backend: Backend) {
    let world = world(backend, Preference::Local).await;
    let admin = world.user("ada", "administrators").await;
    for (name, value) in KEPT {
        keep(&admin, name, json!(value)).await;
        assert_eq!(shown(&admin, name).await["table"], json!(value.to_string()), "it is kept all the same");
    }
    assert_eq!(in_force(&admin, "min_clear_sessions_power").await, (json!(80), json!("file")));
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(500), json!("file")));
    assert_eq!(in_force(&admin, "max_concurrent_sessions").await, (json!(5), json!("tenant_file")));
    assert_eq!(in_force(&admin, "session_timeout_minutes").await, (json!(40), json!("table")));
    assert_eq!(admin.get("/permissions").await.body["max_limit"], 500);
    let again = world.at(&world.tenant).log_in("ada", crate::stage::PASSWORD).await;
    assert_eq!(again.get("/auth/status").await.body["session"]["timeout_minutes"], 40);
    world.end().await;
}
