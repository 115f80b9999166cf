//! Explain: why.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stock;

on_all_databases!(a_query_is_explained_without_running, explaining_is_a_right);

async fn a_query_is_explained_without_running(backend: Backend) {
    let world = stock(backend).await;
    let group = identity::GroupChange {
        name: "users".into(),
        basic_rules: Some(vec!["items:rwo".into()]),
        advanced_rules: Some(vec!["items.price:block".into(), "items.stock:boi".into()]),
        abilities: Some(vec!["explain".into()]),
        ..identity::GroupChange::default()
    };
    world.change_group(group).await;
    let user = world.user("uma", "users").await;
    let delete = json!({"action": "delete", "table": "items", "where": {"id": 1}, "explain": true});
    let answer = user.query(delete).await;
    assert_eq!(answer.status, 200);
    let query = &answer.body["explain"]["queries"][0];
    let table = &query["tables"][0];
    assert_eq!((&table["table"], &table["access"]["code"]), (&json!("items"), &json!("rwo")));
    assert_eq!(table["rows"], "those whose pinned_to is the caller");
    let statement = query["statement"].as_str().unwrap();
    assert!(
        statement.starts_with("DELETE FROM") && !statement.contains('1'.to_string().repeat(3).as_str()),
        "{statement}"
    );
    let admin = world.user("ada", "administrators").await;
    assert_eq!(admin.query(json!({"action": "count", "table": "items"})).await.data(), 4, "explain runs nothing");
    let select = json!({"action": "select", "table": "items", "columns": ["name", "price", "stock"], "explain": true});
    let query = user.query(select).await.body["explain"]["queries"][0].clone();
    let columns = query["tables"][0]["columns_with_rules"].as_array().unwrap().clone();
    assert!(columns.contains(&json!({"column": "price", "read": "no", "because": "column rule block"})), "{columns:?}");
    assert!(
        columns.contains(&json!({"column": "stock", "read": "in some rows", "because": "column rule boi"})),
        "{columns:?}"
    );
    assert!(query["warnings"].to_string().contains("columns stripped: price"));
    let refused = json!({"action": "select", "table": "categories", "explain": true});
    let query = user.query(refused).await.body["explain"]["queries"][0].clone();
    assert_eq!(query["refused"]["reason"], "table_denied");
    assert_eq!(query["tables"][0]["access"]["denied"], "no rule of the group is about this table");
    world.end().await;
}

async fn explaining_is_a_right(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:r"], &[]).await;
    let user = world.user("uma", "users").await;
    let query = json!({"action": "select", "table": "items", "explain": true});
    assert_eq!(user.query(query.clone()).await.refusal(), (403, "ability_missing"));
    let admin = world.user("ada", "administrators").await;
    assert_eq!(admin.query(query).await.status, 200);
    world.end().await;
}
