//! The seven codes: whose rows.

use insula_tests::{Backend, Client, on_all_databases};
use serde_json::{Value as Json, json};

use crate::stock;

on_all_databases!(
    every_code_reaches_its_rows,
    a_scoped_code_needs_an_owner_column,
    the_wildcard_never_reaches_system_tables
);

async fn count(client: &Client) -> Json {
    let answer = client.query(json!({"action": "count", "table": "items"})).await;
    if answer.status == 200 { answer.data().clone() } else { json!(answer.refusal().1) }
}

async fn update_all(client: &Client) -> Json {
    let any = json!({"column": "id", "op": ">", "value": 0});
    let answer = client.query(json!({"action": "update", "table": "items", "data": {"stock": 1}, "filter": any})).await;
    if answer.status == 200 { answer.body["rows_affected"].clone() } else { json!(answer.refusal().1) }
}

async fn every_code_reaches_its_rows(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw"], &[]).await;
    let (mine, colleague) = (world.user("mine", "users").await, world.user("colleague", "users").await);
    for (client, name) in [(&mine, "a"), (&colleague, "b")] {
        client.query(json!({"action": "insert", "table": "items", "data": {"name": name}})).await.data();
    }
    // Six rows: four of the administrator, one of mine, one of a colleague's.
    for (code, read, write) in [
        ("rwa", json!(6), json!(6)),
        ("rw", json!(6), json!(6)),
        ("rwg", json!(2), json!(2)),
        ("rwo", json!(1), json!(1)),
        ("r", json!(6), json!("table_denied")),
        ("rg", json!(2), json!("table_denied")),
        ("ro", json!(1), json!("table_denied")),
    ] {
        world.group("users", &[&format!("items:{code}")], &[]).await;
        assert_eq!(count(&mine).await, read, "reading with {code}");
        assert_eq!(update_all(&mine).await, write, "writing with {code}");
    }
    world.group("users", &["items:rwo", "items:r"], &[]).await;
    assert_eq!((count(&mine).await, update_all(&mine).await), (json!(6), json!(1)), "codes that cross are joined");
    world.group("users", &[], &[]).await;
    assert_eq!(count(&mine).await, "table_denied");
    world.end().await;
}

async fn a_scoped_code_needs_an_owner_column(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["categories:ro"], &[]).await;
    let user = world.user("uma", "users").await;
    let answer = user.query(json!({"action": "count", "table": "categories"})).await;
    assert_eq!(answer.refusal(), (403, "table_denied"));
    world.end().await;
}

async fn the_wildcard_never_reaches_system_tables(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    for table in ["_users", "_groups", "_sessions", "_signing_keys", "_migrations", "jde_users"] {
        let answer = admin.query(json!({"action": "select", "table": table})).await;
        assert_eq!(answer.refusal(), (403, "table_denied"), "{table}");
    }
    world.group("administrators", &["*:rwa", "_users:r", "_signing_keys:r"], &[]).await;
    let answer = admin.query(json!({"action": "select", "table": "jde_users", "where": {"username": "ada"}})).await;
    let row = answer.data()[0].as_object().unwrap();
    assert!(row.contains_key("username") && !row.contains_key("password") && !row.contains_key("pin_code"));
    let probe = json!({"action": "count", "table": "_users", "filter": {"column": "password", "op": "is_not_null"}});
    assert_eq!(admin.query(probe).await.refusal(), (400, "unknown_column"));
    let keys = admin.query(json!({"action": "select", "table": "_signing_keys"})).await;
    assert_eq!(keys.refusal(), (403, "columns_denied"));
    world.end().await;
}
