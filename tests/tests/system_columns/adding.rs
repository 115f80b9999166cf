//! Tables of the tenant's own get what they lack, whatever their names and keys are.

use std::time::Duration;

use insula::{Options, Server};
use insula_tests::{Backend, Client, World, on_all_databases, until};
use serde_json::{Value as Json, json};

use crate::stage::{ALL, columns, quoted, reload, world};

on_all_databases!(
    a_reload_adds_what_is_lacking,
    names_and_keys_of_any_kind_will_do,
    opening_a_tenant_adds_what_is_lacking,
    two_servers_at_once_do_no_harm,
    rows_outlive_their_users,
);

async fn a_reload_adds_what_is_lacking(backend: Backend) {
    let world = world(backend).await;
    world
        .tables(
            "CREATE TABLE items (id SERIAL, name TEXT); INSERT INTO items (name) VALUES ('old'); \
             CREATE VIEW names AS SELECT id, name FROM items; \
             CREATE TABLE half (id SERIAL, pinned_to BIGINT, created_at MOMENT DEFAULT CURRENT_TIMESTAMP)",
        )
        .await;
    world.group("users", &["items:rwo", "half:rwo"], &[]).await;
    let admin = world.user("ada", "administrators").await;
    let uma = world.user("uma", "users").await;
    reload(&admin).await;
    assert_eq!(columns(&world, &world.tenant, "items").await, ALL);
    assert_eq!(columns(&world, &world.tenant, "half").await, ALL);
    assert!(columns(&world, &world.tenant, "names").await.is_empty());
    assert!(columns(&world, &world.tenant, "_sessions").await.len() < 5);

    // Codes of ownership work at once.
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "new"}});
    let id = uma.query(insert).await.data().clone();
    let rows = uma.query(json!({"action": "select", "table": "items"})).await.data().clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let row = &rows[0];
    assert_eq!((&row["id"], &row["created_by"], &row["pinned_to"]), (&id, &json!(2), &json!(2)));
    let now = kernel::time::now();
    let made: kernel::time::Timestamp = row["created_at"].as_str().unwrap().parse().unwrap();
    assert!((now.as_second() - made.as_second()).abs() < 60, "{made}");
    assert_eq!((&row["last_modified_at"], &row["last_modified_by"]), (&Json::Null, &Json::Null));
    let update = json!({"action": "update", "table": "items", "where": {"id": id}, "data": {"name": "newer"}});
    assert_eq!(admin.query(update).await.body["rows_affected"], 1);
    let row = uma.query(json!({"action": "select", "table": "items"})).await.data()[0].clone();
    assert_eq!((&row["last_modified_by"], row["last_modified_at"].is_string()), (&json!(1), true));
    // Who made the rows that were there, and when, nobody knows.
    let old =
        admin.query(json!({"action": "select", "table": "items", "where": {"name": "old"}})).await.data()[0].clone();
    assert!(ALL.iter().all(|column| old[*column].is_null()), "{old}");
    world.end().await;
}

async fn names_and_keys_of_any_kind_will_do(backend: Backend) {
    let world = world(backend).await;
    let (order, mixed) = (quoted(backend, "order"), quoted(backend, "MixedCase"));
    let (select, key) = (quoted(backend, "select"), quoted(backend, "Key"));
    world
        .tables(&format!(
            "CREATE TABLE {order} ({select} BIGINT PRIMARY KEY, note VARCHAR(20)); \
             CREATE TABLE {mixed} ({key} VARCHAR(20), part BIGINT, note VARCHAR(20), PRIMARY KEY ({key}, part)); \
             CREATE TABLE keyless (note VARCHAR(20))"
        ))
        .await;
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    let rows = [
        ("order", json!({"select": 1, "note": "a"})),
        ("MixedCase", json!({"Key": "k", "part": 1, "note": "a"})),
        ("keyless", json!({"note": "a"})),
    ];
    for (table, row) in rows {
        assert_eq!(columns(&world, &world.tenant, table).await, ALL, "{table}");
        let inserted = admin.query(json!({"action": "insert", "table": table, "data": row})).await;
        assert_eq!(inserted.status, 200, "{}", inserted.text);
        let row = admin.query(json!({"action": "select", "table": table})).await.data()[0].clone();
        assert!(row["created_at"].is_string() && row["created_by"] == 1 && row["pinned_to"] == 1, "{table}: {row}");
        let update = json!({"action": "update", "table": table, "where": {"note": "a"}, "data": {"note": "b"}});
        assert_eq!(admin.query(update).await.body["rows_affected"], 1, "{table}");
    }
    world.end().await;
}

async fn opening_a_tenant_adds_what_is_lacking(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE items (id SERIAL, name TEXT)").await;
    world.group("users", &["items:rwo"], &[]).await;
    let uma = world.user("uma", "users").await;
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "a"}});
    assert_eq!(uma.query(insert.clone()).await.refusal(), (403, "table_denied"), "nobody can own a row");
    let World { server, tenant, data, .. } = world;
    let mut config = server.installation().config.clone();
    server.stop().await.unwrap();

    config.system_columns.enabled = true;
    let server = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let host = format!("api.{}", tenant.domain.as_deref().unwrap());
    let uma = Client::of(server.url()).at_host(host).with_token(uma.token.unwrap());
    // The first request waits for them, but not for ever.
    until("the columns are there", Duration::from_mins(1), async || uma.query(insert.clone()).await.status == 200)
        .await;
    assert_eq!(uma.query(json!({"action": "count", "table": "items"})).await.data(), 1);
    let tenants = std::sync::Arc::clone(&server.installation().tenants);
    server.stop().await.unwrap();
    let record = tenants.by_name(&tenant.name).await.unwrap();
    tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    drop(data);
}

async fn two_servers_at_once_do_no_harm(backend: Backend) {
    let world = world(backend).await;
    let config = world.server.installation().config.clone();
    let second = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let admin = world.user("ada", "administrators").await;
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    let there = Client::of(second.url()).at_host(host).with_token(admin.token.clone().unwrap());
    for table in 1..=3 {
        world.tables(&format!("CREATE TABLE t{table} (id SERIAL, note TEXT)")).await;
        tokio::join!(reload(&admin), reload(&there));
        assert_eq!(columns(&world, &world.tenant, &format!("t{table}")).await, ALL);
    }
    for caller in [&admin, &there] {
        let insert = json!({"action": "insert", "table": "t1", "data": {"note": "a"}});
        assert_eq!(caller.query(insert).await.status, 200);
    }
    second.stop().await.unwrap();
    world.end().await;
}

async fn rows_outlive_their_users(backend: Backend) {
    let world = world(backend).await;
    world.tables("CREATE TABLE items (id SERIAL, name TEXT)").await;
    world.group("users", &["items:rwo"], &[]).await;
    let admin = world.user("ada", "administrators").await;
    reload(&admin).await;
    let uma = world.user("uma", "users").await;
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "a"}});
    assert_eq!(uma.query(insert).await.status, 200);
    let users = admin.get("/admin/users?limit=10").await;
    let id =
        users.body["users"].as_array().unwrap().iter().find(|user| user["username"] == "uma").unwrap()["uuid"].clone();
    let path = format!("/admin/users/{}", id.as_str().unwrap());
    assert_eq!(admin.send(reqwest::Method::DELETE, &path, &[], None).await.status, 204);
    let row = admin.query(json!({"action": "select", "table": "items"})).await.data()[0].clone();
    assert_eq!((&row["name"], &row["pinned_to"], &row["created_by"]), (&json!("a"), &Json::Null, &Json::Null));
    // Whose a row is must be somebody who is there.
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "b", "pinned_to": 4_711}});
    assert_eq!(admin.query(insert).await.refusal(), (400, "foreign_key_violation"));
    world.end().await;
}
