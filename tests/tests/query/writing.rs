//! Insert, update and delete.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stock;

on_all_databases!(
    a_row_comes_and_goes,
    system_columns_are_ours,
    rwa_may_write_system_columns,
    constraints_are_told_with_their_field,
    limits_take_the_first_rows_by_key,
);

async fn a_row_comes_and_goes(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw"], &[]).await;
    let user = world.user("uma", "users").await;
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "drum", "price": "3.05"}});
    assert_eq!(user.query(insert).await.text, r#"{"success":true,"data":5,"rows_affected":1}"#);
    let update = json!({"action": "update", "table": "items", "data": {"stock": 9}, "where": {"id": 5}});
    assert_eq!(user.query(update).await.text, r#"{"success":true,"rows_affected":1}"#);
    let row = user.query(json!({"action": "select", "table": "items", "where": {"id": 5}})).await.data()[0].clone();
    assert_eq!(
        (&row["stock"], &row["created_by"], &row["last_modified_by"], &row["pinned_to"]),
        (&json!(9), &json!(2), &json!(2), &json!(2))
    );
    assert!(row["last_modified_at"].as_str().unwrap().ends_with('Z'));
    let delete = json!({"action": "delete", "table": "items", "where": {"id": 5}});
    assert_eq!(user.query(delete.clone()).await.text, r#"{"success":true,"rows_affected":1}"#);
    assert_eq!(user.query(delete).await.text, r#"{"success":true,"rows_affected":0}"#);
    world.end().await;
}

async fn system_columns_are_ours(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:rw"], &[]).await;
    let user = world.user("uma", "users").await;
    let insert =
        json!({"action": "insert", "table": "items", "data": {"name": "drum", "pinned_to": 1, "created_by": 1}});
    let answer = user.query(insert).await;
    assert_eq!(answer.body["warning"], "columns stripped: pinned_to, created_by");
    let row =
        user.query(json!({"action": "select", "table": "items", "where": {"name": "drum"}})).await.data()[0].clone();
    assert_eq!((&row["created_by"], &row["pinned_to"]), (&json!(2), &json!(2)));
    let only = json!({"action": "update", "table": "items", "data": {"pinned_to": 2}, "where": {"id": 1}});
    assert_eq!(user.query(only).await.refusal(), (400, "nothing_to_write"));
    world.end().await;
}

async fn rwa_may_write_system_columns(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let data = json!({"name": "drum", "pinned_to": 1, "created_at": "2020-01-01T00:00:00Z"});
    admin.query(json!({"action": "insert", "table": "items", "data": data})).await.data();
    let row =
        admin.query(json!({"action": "select", "table": "items", "where": {"name": "drum"}})).await.data()[0].clone();
    assert_eq!(
        (&row["created_at"], &row["pinned_to"], &row["created_by"]),
        (&json!("2020-01-01T00:00:00Z"), &json!(1), &json!(2))
    );
    world.end().await;
}

async fn constraints_are_told_with_their_field(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let insert =
        async |data: serde_json::Value| admin.query(json!({"action": "insert", "table": "items", "data": data})).await;
    let answer = insert(json!({"name": "saw"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "unique_violation"), "name"));
    let answer = insert(json!({"stock": 1})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "not_null_violation"), "name"));
    for (data, field) in [
        (json!({"name": 5}), "data.name"),
        (json!({"name": "x".repeat(41)}), "data.name"),
        (json!({"name": "a", "stock": "many"}), "data.stock"),
        (json!({"name": "a", "stock": 1.5}), "data.stock"),
        (json!({"name": "a", "stock": 99_999_999_999_999_999_999_999_f64}), "data.stock"),
        (json!({"name": "a", "price": "1.234"}), "data.price"),
        (json!({"name": "a", "active": "yes"}), "data.active"),
        (json!({"name": "a", "bought": "2026-02-30"}), "data.bought"),
        (json!({"name": "a", "seen": 5}), "data.seen"),
        (json!({"name": "a\u{0}b"}), "data.name"),
        (json!({"name": ["a"]}), "data.name"),
    ] {
        let answer = insert(data.clone()).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "value_invalid"), field), "{data}");
    }
    let answer = insert(json!({"name": "a", "colour": "red"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "unknown_column"), "data.colour"));
    assert_eq!(admin.query(json!({"action": "count", "table": "items"})).await.data(), 4);
    world.end().await;
}

async fn limits_take_the_first_rows_by_key(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let all = json!({"column": "id", "op": ">", "value": 0});
    let update = json!({"action": "update", "table": "items", "data": {"stock": 50}, "filter": all, "limit": 2});
    assert_eq!(admin.query(update).await.body["rows_affected"], 2);
    let delete = json!({"action": "delete", "table": "items", "filter": all, "limit": 1});
    assert_eq!(admin.query(delete).await.body["rows_affected"], 1);
    let left =
        json!({"action": "select", "table": "items", "columns": ["id", "stock"], "order_by": [{"column": "id"}]});
    assert_eq!(
        admin.query(left).await.data(),
        &json!([{"id": 2, "stock": 50}, {"id": 3, "stock": 7}, {"id": 4, "stock": 1}])
    );
    world.end().await;
}
