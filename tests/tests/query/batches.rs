//! Batches.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stock;

on_all_databases!(good_ones_commit, one_failure_undoes_all, reading_in_a_batch, batches_need_the_right);

async fn good_ones_commit(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let batch = json!({"action": "insert", "table": "items", "queries": [
        {"data": {"name": "a", "stock": 1}}, {"data": {"name": "b", "stock": 2}}, {"data": {"name": "saw", "stock": 3}},
        {"data": {"name": "c"}}, {"data": {"name": "d", "colour": 1}},
    ]});
    let answer = admin.query(batch).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["success"], false);
    let results = answer.body["results"].as_array().unwrap();
    let reasons: Vec<_> = results.iter().map(|result| result["reason"].as_str().unwrap_or("ok")).collect();
    assert_eq!(reasons, ["ok", "ok", "unique_violation", "ok", "unknown_column"]);
    assert_eq!(results[1]["rows_affected"], 1);
    let names = json!({"action": "select", "table": "items", "columns": ["id", "name"], "filter": {"column": "id", "op": ">", "value": 4}, "order_by": [{"column": "id"}]});
    let rows = admin.query(names).await;
    assert_eq!(crate::column(rows.data(), "name"), ["a", "b", "c"]);
    assert_eq!(crate::column(rows.data(), "id")[..2], [results[0]["data"].clone(), results[1]["data"].clone()]);
    let merged =
        json!({"action": "insert", "table": "items", "queries": [{"data": {"name": "x"}}, {"data": {"name": "y"}}]});
    let answer = admin.query(merged).await;
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 2);
    world.end().await;
}

async fn one_failure_undoes_all(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let batch = json!({"action": "update", "table": "items", "rollback_on_error": true, "queries": [
        {"data": {"stock": 77}, "where": {"id": 1}}, {"data": {"name": "kite"}, "where": {"id": 2}}, {"data": {"stock": 78}, "where": {"id": 3}},
    ]});
    let answer = admin.query(batch).await;
    let expected = json!({"status": 400, "body": {
        "success": false, "code": 400, "reason": "batch_failed", "request_id": "…",
        "error": "Batch operation failed, all changes rolled back [request_id: …]",
        "message": "Batch operation failed, all changes rolled back [request_id: …]",
        "results": [
            {"success": true, "rows_affected": 1},
            {"success": false, "error": "A row with this name is already there", "reason": "unique_violation", "field": "name"},
        ],
    }});
    assert_eq!(answer.whole(), expected);
    let stock =
        admin.query(json!({"action": "select", "table": "items", "columns": ["stock"], "where": {"id": 1}})).await;
    assert_eq!(stock.data(), &json!([{"stock": 3}]));
    world.end().await;
}

async fn reading_in_a_batch(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let batch = json!({"action": "select", "table": "items", "queries": [
        {"columns": ["name"], "where": {"id": 1}}, {"columns": ["name"], "where": {"id": 99}},
    ]});
    let answer = admin.query(batch).await;
    assert_eq!(
        answer.text,
        r#"{"success":true,"results":[{"success":true,"data":[{"name":"saw"}]},{"success":true,"data":[]}]}"#
    );
    let count = json!({"action": "count", "table": "items", "queries": [{}, {"where": {"active": true}}]});
    assert_eq!(
        admin.query(count).await.body["results"],
        json!([{"success": true, "data": 4}, {"success": true, "data": 2}])
    );
    world.end().await;
}

async fn batches_need_the_right(backend: Backend) {
    let world = stock(backend).await;
    let group = identity::GroupChange {
        name: "users".into(),
        basic_rules: Some(vec!["items:r".into()]),
        allow_batch_operations: Some(false),
        ..identity::GroupChange::default()
    };
    world.change_group(group).await;
    let user = world.user("uma", "users").await;
    let batch = json!({"action": "count", "table": "items", "queries": [{}]});
    assert_eq!(user.query(batch).await.refusal(), (403, "batch_denied"));
    let admin = world.user("ada", "administrators").await;
    let many = json!({"action": "count", "table": "items", "queries": vec![json!({}); 101]});
    assert_eq!(admin.query(many).await.refusal(), (400, "batch_invalid"));
    world.end().await;
}
