//! Which tables get which columns.

use insula_tests::{Backend, World, on_all_databases};
use serde_json::json;

use crate::stage::{ALL, columns, reload, world};

on_all_databases!(
    nothing_is_added_unless_it_is_asked_for,
    tables_and_columns_can_be_left_out,
    toolkits_leave_columns_out,
    core_tables_get_theirs,
);

async fn nothing_is_added_unless_it_is_asked_for(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE items (id SERIAL, name TEXT)").await;
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    assert!(columns(&world, &world.tenant, "items").await.is_empty());
    // A tenant may ask by itself.
    let file = world.tenant.folder.join("columns.toml");
    std::fs::write(&file, "enabled = \"yes\"").unwrap();
    let refused = admin.post("/reload", &json!({})).await;
    assert_eq!(refused.refusal(), (500, "reload_failed"));
    assert!(refused.text.contains("columns.toml") && refused.text.contains("line 1"), "{}", refused.text);
    assert!(columns(&world, &world.tenant, "items").await.is_empty());
    std::fs::write(&file, "enabled = true").unwrap();
    reload(&admin).await;
    assert_eq!(columns(&world, &world.tenant, "items").await, ALL);
    // Nothing is ever dropped.
    std::fs::remove_file(&file).unwrap();
    reload(&admin).await;
    assert_eq!(columns(&world, &world.tenant, "items").await, ALL);
    world.end().await;
}

async fn tables_and_columns_can_be_left_out(backend: Backend) {
    let world = World::configured(backend, |config| {
        let toml = "[system_columns]\nenabled = true\n[system_columns.overrides.a]\nall = false\n\
            [system_column_overrides.b]\nlast_modified_by = false\nlast_modified_at = false\n\
            [system_columns.overrides.c]\nall = false\n[system_columns.overrides.d]\nall = false\npinned_to = true";
        let read: insula::Config = toml::from_str(toml).unwrap();
        config.system_columns = read.system_columns;
        config.system_column_overrides = read.system_column_overrides;
    })
    .await;
    let tables = ["a", "b", "c", "d", "e"].map(|name| format!("CREATE TABLE {name} (id SERIAL, note TEXT)"));
    world.tables(&tables.join("; ")).await;
    let file = "[overrides.c]\nall = true\n[system_column_overrides.e]\ncreated_by = false";
    std::fs::write(world.tenant.folder.join("columns.toml"), file).unwrap();
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    assert!(columns(&world, &world.tenant, "a").await.is_empty());
    assert_eq!(columns(&world, &world.tenant, "b").await, ["created_at", "created_by", "pinned_to"]);
    assert_eq!(columns(&world, &world.tenant, "c").await, ALL, "the tenant says otherwise");
    assert_eq!(columns(&world, &world.tenant, "d").await, ["pinned_to"]);
    let without_one = ["created_at", "last_modified_at", "last_modified_by", "pinned_to"];
    assert_eq!(columns(&world, &world.tenant, "e").await, without_one);
    let row = json!({"action": "insert", "table": "e", "data": {"note": "a"}});
    assert_eq!(admin.query(row).await.status, 200);
    world.end().await;
}

async fn toolkits_leave_columns_out(backend: Backend) {
    let world = world(backend).await;
    world.tables("CREATE TABLE a (id SERIAL, note TEXT); CREATE TABLE b (id SERIAL, note TEXT)").await;
    let folder = world.tenant.folder.join("toolkits");
    std::fs::create_dir_all(&folder).unwrap();
    let toolkit = "name = \"kiosk\"\ntype = \"application\"\ntables = [\"a\", \"b\"]\n\
        [system_column_overrides.a]\nall = false\n[system_column_overrides.b]\ncreated_by = false\n";
    std::fs::write(folder.join("kiosk.toml"), format!("{toolkit}[system_column_overrides.nothing]\nall = false"))
        .unwrap();
    let admin = world.user("ada", "administrators").await;
    assert_eq!(admin.post("/reload", &json!({})).await.refusal(), (500, "reload_failed"));
    assert!(columns(&world, &world.tenant, "b").await.is_empty(), "nothing is added while a toolkit is broken");
    std::fs::write(folder.join("kiosk.toml"), toolkit).unwrap();
    reload(&admin).await;
    assert!(columns(&world, &world.tenant, "a").await.is_empty());
    let without_one = ["created_at", "last_modified_at", "last_modified_by", "pinned_to"];
    assert_eq!(columns(&world, &world.tenant, "b").await, without_one);
    world.end().await;
}

async fn core_tables_get_theirs(backend: Backend) {
    let world = World::configured(backend, |config| config.system_columns.core = true).await;
    world.tables("CREATE TABLE items (id SERIAL, name TEXT)").await;
    let before = columns(&world, &world.tenant, "_sessions").await;
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    assert_eq!(columns(&world, &world.tenant, "_groups").await, ALL);
    assert_eq!(columns(&world, &world.tenant, "_users").await, ALL);
    assert_eq!(columns(&world, &world.tenant, "_sessions").await, before);
    assert!(columns(&world, &world.tenant, "items").await.is_empty(), "the switches are two");
    // What Insula does with them goes on.
    let made = admin.post("/admin/groups", &json!({"name": "writers", "power": 20})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    world.user("uma", "writers").await;
    world.end().await;

    let mut toml =
        "[system_columns]\ncore = true\n[core_system_column_overrides.jde_groups]\npinned_to = false".to_owned();
    toml.push_str("\n[system_columns.core_overrides._users]\nall = false");
    let world = World::configured(backend, |config| {
        let read: insula::Config = toml::from_str(&toml).unwrap();
        config.system_columns = read.system_columns;
        config.core_system_column_overrides = read.core_system_column_overrides;
    })
    .await;
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    assert_eq!(columns(&world, &world.tenant, "_groups").await, ALL[..4]);
    world.end().await;
}

#[tokio::test]
async fn a_broken_file_stops_nobody() {
    let world = world(Backend::Sqlite).await;
    std::fs::write(world.tenant.folder.join("columns.toml"), "overrides = 1").unwrap();
    world.tables("CREATE TABLE items (id SERIAL, name TEXT)").await;
    let admin = world.user("ada", "administrators").await;
    assert_eq!(admin.query(json!({"action": "count", "table": "items"})).await.data(), 0);
    assert!(columns(&world, &world.tenant, "items").await.is_empty());
    world.end().await;
}
