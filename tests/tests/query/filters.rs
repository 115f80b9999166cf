//! The filter language.

use insula_tests::{Backend, Client, on_all_databases};
use serde_json::{Value as Json, json};

use crate::stock;

on_all_databases!(every_operator, nesting, too_much_is_refused);

async fn ids(client: &Client, filter: Json) -> Vec<i64> {
    let query = json!({"action": "select", "table": "items", "columns": ["id"], "filter": filter, "order_by": [{"column": "id"}]});
    let answer = client.query(query).await;
    answer.data().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn every_operator(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let leaf = |column: &str, op: &str, value: Json| json!({"column": column, "op": op, "value": value});
    for (filter, expected) in [
        (leaf("stock", "=", json!(7)), vec![3]),
        (leaf("stock", "!=", json!(7)), vec![1, 2, 4]),
        (leaf("stock", ">", json!(1)), vec![1, 3]),
        (leaf("stock", ">=", json!(1)), vec![1, 3, 4]),
        (leaf("stock", "<", json!(1)), vec![2]),
        (leaf("stock", "<=", json!(1)), vec![2, 4]),
        (leaf("price", "=", json!("19.90")), vec![1]),
        (leaf("price", "=", json!(19.9)), vec![1]),
        (leaf("price", "between", json!([7, "12.50"])), vec![2, 3]),
        (leaf("price", "in", json!([7, 19.9])), vec![1, 2]),
        (leaf("price", "not_in", json!([7])), vec![1, 3]),
        (leaf("name", "like", json!("%a%")), vec![1, 2]),
        (leaf("name", "like", json!("h%")), vec![]),
        (leaf("name", "like", json!("100\\%\\_%")), vec![4]),
        (leaf("name", "not_like", json!("%a%")), vec![3, 4]),
        (leaf("name", "=", json!("hammer")), vec![]),
        (leaf("name", "in", json!(["saw", "kite"])), vec![1, 3]),
        (leaf("active", "=", json!(true)), vec![1, 3]),
        (leaf("active", "=", json!(null)), vec![4]),
        (leaf("active", "!=", json!(null)), vec![1, 2, 3]),
        (leaf("bought", ">", json!("2026-01-01")), vec![1]),
        (json!({"column": "bought", "op": "is_null"}), vec![2, 3, 4]),
        (json!({"column": "bought", "op": "is_not_null"}), vec![1]),
        (leaf("extra", "!=", json!(null)), vec![3]),
    ] {
        assert_eq!(ids(&admin, filter.clone()).await, expected, "{filter}");
    }
    world.end().await;
}

async fn nesting(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let active = json!({"column": "active", "op": "=", "value": true});
    let cheap = json!({"column": "price", "op": "<", "value": 15});
    assert_eq!(ids(&admin, json!({"and": [active, cheap]})).await, [3]);
    assert_eq!(ids(&admin, json!({"or": [active, cheap]})).await, [1, 2, 3]);
    assert_eq!(
        ids(&admin, json!({"not": {"or": [{"column": "id", "op": "=", "value": 1}, cheap]}})).await,
        Vec::<i64>::new()
    );
    assert_eq!(ids(&admin, json!({"and": [active, {"not": cheap}]})).await, [1]);
    let both = json!({"action": "count", "table": "items", "where": {"category_id": 1}, "filter": active});
    assert_eq!(admin.query(both).await.data(), 1);
    world.end().await;
}

async fn too_much_is_refused(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let one = json!({"column": "id", "op": "=", "value": 1});
    let many = json!({"or": vec![one.clone(); 51]});
    let answer = admin.query(json!({"action": "count", "table": "items", "filter": many})).await;
    assert_eq!(answer.refusal(), (400, "too_many_conditions"));
    let list = json!({"column": "id", "op": "not_in", "value": (0..1_000).collect::<Vec<_>>()});
    let long = json!({"action": "count", "table": "items", "filter": {"and": vec![list; 40]}});
    assert_eq!(admin.query(long).await.refusal(), (400, "too_many_conditions"));
    let deep = (0..20).fold(one, |inner, _| json!({"not": inner}));
    let answer = admin.query(json!({"action": "count", "table": "items", "filter": deep})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "filter_too_deep"), "filter"));
    world.end().await;
}
