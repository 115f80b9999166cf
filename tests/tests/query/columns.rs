//! Column rules.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stock;

on_all_databases!(
    a_blocked_column_is_not_there,
    rules_that_depend_on_the_row_remove_the_field,
    writing_follows_the_row_too,
    permissions_are_told,
);

async fn a_blocked_column_is_not_there(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw", "categories:r"], &["items.price:block", "items.stock:r"]).await;
    let user = world.user("uma", "users").await;
    let all = user.query(json!({"action": "select", "table": "items", "where": {"id": 1}})).await;
    assert!(all.data()[0].get("price").is_none());
    assert_eq!(all.body.get("warning"), None);
    let asked =
        user.query(json!({"action": "select", "table": "items", "columns": ["id", "price"], "where": {"id": 1}})).await;
    assert_eq!(asked.text, r#"{"success":true,"data":[{"id":1}],"warning":"columns stripped: price"}"#);
    let only = user.query(json!({"action": "select", "table": "items", "columns": ["price"]})).await;
    assert_eq!(only.refusal(), (403, "columns_denied"));
    // A blocked column answers exactly like one that does not exist.
    let unknown = |name: &str, answer: &insula_tests::Answer| answer.whole().to_string().replace(name, "?");
    for probe in [
        json!({"action": "select", "table": "items", "where": {"price": 7}}),
        json!({"action": "select", "table": "items", "filter": {"column": "price", "op": ">", "value": 0}}),
        json!({"action": "select", "table": "items", "order_by": [{"column": "price"}]}),
        json!({"action": "count", "table": "items", "where": {"items.price": 7}}),
        json!({"action": "delete", "table": "items", "where": {"price": 7}}),
        json!({"action": "count", "table": "items", "joins": [{"table": "categories", "on": "items.price = categories.id"}]}),
    ] {
        let blocked = user.query(probe.clone()).await;
        let other = probe.to_string().replace("price", "prize");
        let missing = user.query(serde_json::from_str(&other).unwrap()).await;
        assert_eq!(blocked.refusal(), (400, "unknown_column"), "{probe}");
        assert_eq!(unknown("price", &blocked), unknown("prize", &missing), "{probe}");
    }
    let write = json!({"action": "update", "table": "items", "data": {"price": 1, "stock": 1, "name": "x"}, "where": {"id": 1}});
    assert_eq!(user.query(write).await.body["warning"], "columns stripped: price, stock");
    world.end().await;
}

async fn rules_that_depend_on_the_row_remove_the_field(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw"], &["items.price:boi"]).await;
    let user = world.user("uma", "users").await;
    user.query(json!({"action": "insert", "table": "items", "data": {"name": "mine", "price": 5}})).await.data();
    let rows =
        json!({"action": "select", "table": "items", "columns": ["name", "price"], "order_by": [{"column": "id"}]});
    let answer = user.query(rows.clone()).await;
    assert_eq!(answer.data()[0], json!({"name": "saw"}), "another's row has no price");
    assert_eq!(answer.data()[4]["price"].to_string(), "5.00");
    assert_eq!(answer.body["warning"], "columns hidden in some rows: price");
    let probe = json!({"action": "count", "table": "items", "filter": {"column": "price", "op": ">", "value": 0}});
    assert_eq!(user.query(probe).await.data(), 1, "hidden prices cannot be probed");
    world.group("users", &["items:rw"], &["items.price:bo"]).await;
    let answer = user.query(rows).await;
    assert_eq!(answer.data()[4], json!({"name": "mine"}), "my own row has none");
    assert!(answer.data()[0].get("price").is_some());
    world.end().await;
}

async fn writing_follows_the_row_too(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw"], &["items.stock:boi"]).await;
    let user = world.user("uma", "users").await;
    user.query(json!({"action": "insert", "table": "items", "data": {"name": "mine", "stock": 5}})).await.data();
    let any = json!({"column": "id", "op": ">", "value": 0});
    user.query(json!({"action": "update", "table": "items", "data": {"stock": 99}, "filter": any})).await.data();
    let admin = world.user("ada", "administrators").await;
    let rows = admin
        .query(json!({"action": "select", "table": "items", "columns": ["stock"], "order_by": [{"column": "id"}]}))
        .await;
    assert_eq!(crate::column(rows.data(), "stock"), [3, 0, 7, 1, 99]);
    world.end().await;
}

async fn permissions_are_told(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rwo", "items:r", "categories:r"], &["items.price:block"]).await;
    let user = world.user("uma", "users").await;
    let expected = json!({
        "success": true,
        "user": {"id": 2, "username": "uma", "name": "uma", "role": "users", "power": 10},
        "permissions": {"categories": "r", "items": "r+rwo"},
        "toolkits": {},
        "user_settings_access": "read-write-own",
        "max_limit": 1000, "max_where": 50,
        "column_rules": {"items.price": "block"},
    });
    assert_eq!(user.get("/permissions").await.body, expected);
    world.end().await;
}
