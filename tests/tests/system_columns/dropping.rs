//! A system column that somebody drops while the server runs comes back.

use std::time::Duration;

use insula_tests::{Backend, Outside, World, on_all_databases};
use kernel::{Tenant, WriteContext};
use serde_json::json;
use std::sync::Arc;
use store::NewTenant;

use crate::stage::{ALL, columns, world};

on_all_databases!(a_dropped_column_comes_back, a_new_table_gets_its_columns_when_it_is_noticed);

/// A tenant on a database that others change, too.
async fn adopted(world: &World, outside: &Outside) -> Arc<Tenant> {
    let new = NewTenant {
        name: format!("a{}", &outside.name[8..20]),
        domain: Some(format!("{}.test", &outside.name[8..20])),
        database: Some(outside.url()),
        ..NewTenant::default()
    };
    world.server.installation().tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap()
}

/// Longer than a catalogue is believed.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

async fn a_dropped_column_comes_back(backend: Backend) {
    let (world, outside) = (world(backend).await, Outside::new(backend).await);
    outside.run(&backend.spelled("CREATE TABLE items (id SERIAL, name VARCHAR(20))")).await;
    outside.run("INSERT INTO items (id, name) VALUES (1, 'old')").await;
    let tenant = adopted(&world, &outside).await;
    let admin = world.user_of(&tenant, "ada", "administrators").await;
    assert_eq!(columns(&world, &tenant, "items").await, ALL);
    let update = |name: &str| json!({"action": "update", "table": "items", "where": {"id": 1}, "data": {"name": name}});
    assert_eq!(admin.query(update("new")).await.body["rows_affected"], 1);

    outside.run("ALTER TABLE items DROP COLUMN last_modified_at").await;
    if backend != Backend::Mariadb {
        // There it would have to lose its reference first.
        outside.run("ALTER TABLE items DROP COLUMN pinned_to").await;
    }
    a_moment().await;
    let updated = admin.query(update("newer")).await;
    assert_eq!((updated.status, &updated.body["rows_affected"]), (200, &json!(1)), "{}", updated.text);
    assert_eq!(columns(&world, &tenant, "items").await, ALL);
    let row = admin.query(json!({"action": "select", "table": "items"})).await.data()[0].clone();
    assert!(row["last_modified_at"].is_string() && row["created_at"].is_null(), "{row}");

    // Whoever drops it again at once is let for a while; the write is done all the same.
    outside.run("ALTER TABLE items DROP COLUMN last_modified_at").await;
    a_moment().await;
    let updated = admin.query(update("newest")).await;
    assert_eq!((updated.status, &updated.body["rows_affected"]), (200, &json!(1)), "{}", updated.text);
    assert!(!columns(&world, &tenant, "items").await.contains(&"last_modified_at"));
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    assert_eq!(columns(&world, &tenant, "items").await, ALL);
    let record = world.server.installation().tenants.by_name(&tenant.name).await.unwrap();
    world.server.installation().tenants.delete(&record, &WriteContext::system()).await.unwrap();
    world.end().await;
    outside.end().await;
}

async fn a_new_table_gets_its_columns_when_it_is_noticed(backend: Backend) {
    let (world, outside) = (world(backend).await, Outside::new(backend).await);
    let tenant = adopted(&world, &outside).await;
    let admin = world.user_of(&tenant, "ada", "administrators").await;
    a_moment().await;
    outside.run(&backend.spelled("CREATE TABLE items (id SERIAL, name VARCHAR(20))")).await;
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "a"}});
    let inserted = admin.query(insert).await;
    assert_eq!(inserted.status, 200, "{}", inserted.text);
    let row = admin.query(json!({"action": "select", "table": "items"})).await.data()[0].clone();
    assert!(row["created_at"].is_string() && row["created_by"] == 1 && row["pinned_to"] == 1, "{row}");
    let record = world.server.installation().tenants.by_name(&tenant.name).await.unwrap();
    world.server.installation().tenants.delete(&record, &WriteContext::system()).await.unwrap();
    world.end().await;
    outside.end().await;
}
