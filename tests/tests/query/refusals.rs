//! Bad input: a 4xx with a reason and a field, never a 500, never data.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stock;

on_all_databases!(wrong_requests_name_their_field, sql_in_every_string_is_only_text, monsters_are_refused);

async fn wrong_requests_name_their_field(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    for (body, reason, field) in [
        (r#"{"table":"items"}"#, "field_missing", "action"),
        (r#"{"action":"select"}"#, "field_missing", "table"),
        (r#"{"action":"drop","table":"items"}"#, "field_invalid", "action"),
        (r#"{"action":"select","table":5}"#, "field_invalid", "table"),
        (r#"{"action":"select","table":"items","color":1}"#, "field_unknown", "color"),
        (r#"{"action":"select","table":"items","limit":-1}"#, "field_invalid", "limit"),
        (r#"{"action":"select","table":"items","limit":"5"}"#, "field_invalid", "limit"),
        (r#"{"action":"select","table":"items","limit":1e99}"#, "field_invalid", "limit"),
        (r#"{"action":"select","table":"items","offset":99999999999999999999}"#, "field_invalid", "offset"),
        (r#"{"action":"select","table":"items","columns":"id"}"#, "field_invalid", "columns"),
        (r#"{"action":"select","table":"items","columns":[]}"#, "field_invalid", "columns"),
        (r#"{"action":"select","table":"items","columns":["nope"]}"#, "unknown_column", "columns[0]"),
        (r#"{"action":"select","table":"items","where":[]}"#, "field_invalid", "where"),
        (r#"{"action":"select","table":"items","where":{"id":[1]}}"#, "value_invalid", "where.id"),
        (r#"{"action":"select","table":"items","where":{"id":"x"}}"#, "value_invalid", "where.id"),
        (r#"{"action":"select","table":"items","filter":{}}"#, "field_invalid", "filter"),
        (
            r#"{"action":"select","table":"items","filter":{"column":"id","op":"~","value":1}}"#,
            "field_invalid",
            "filter.op",
        ),
        (
            r#"{"action":"select","table":"items","filter":{"and":[{"column":"id","op":"=","value":true}]}}"#,
            "value_invalid",
            "filter.and[0]",
        ),
        (
            r#"{"action":"select","table":"items","filter":{"column":"stock","op":"like","value":"1%"}}"#,
            "value_invalid",
            "filter",
        ),
        (
            r#"{"action":"select","table":"items","filter":{"column":"name","op":"like","value":"x\\"}}"#,
            "value_invalid",
            "filter",
        ),
        (
            r#"{"action":"select","table":"items","filter":{"column":"extra","op":"=","value":"{}"}}"#,
            "value_invalid",
            "filter",
        ),
        (
            r#"{"action":"select","table":"items","filter":{"exists":{"table":"_users"}}}"#,
            "filter_invalid",
            "filter.exists",
        ),
        (
            r#"{"action":"select","table":"items","order_by":[{"column":"id","direction":"UP"}]}"#,
            "field_invalid",
            "order_by[0].direction",
        ),
        (
            r#"{"action":"select","table":"items","order_by":[{"column":"extra"}]}"#,
            "field_invalid",
            "order_by[0].column",
        ),
        (r#"{"action":"select","table":"nothing"}"#, "unknown_table", "table"),
        (r#"{"action":"select","table":"items; DROP TABLE items"}"#, "unknown_table", "table"),
        (r#"{"action":"select","table":"sqlite_master"}"#, "unknown_table", "table"),
        (r#"{"action":"select","table":"information_schema.tables"}"#, "unknown_table", "table"),
        (r#"{"action":"delete","table":"items"}"#, "where_required", "where"),
        (r#"{"action":"update","table":"items","data":{"stock":1},"where":{}}"#, "where_required", "where"),
        (r#"{"action":"insert","table":"items","data":{}}"#, "nothing_to_write", "data"),
        (r#"{"action":"insert","table":"items","data":[]}"#, "field_invalid", "data"),
        (r#"{"action":"select","action":"delete","table":"items"}"#, "duplicate_key", "action"),
        (r#"{"action":"insert","table":"items","data":{"extra":{"a":1,"a":2}}}"#, "duplicate_key", "data.extra.a"),
        (r"[]", "body_not_object", ""),
        (r#"{"action":"select","#, "malformed_json", ""),
    ] {
        let answer = admin.post_text("/query", body).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, reason), field), "{body}: {}", answer.text);
        let text = answer.body["error"].as_str().unwrap();
        assert!(text.contains("[request_id: ") && answer.body["message"] == text, "{body}");
    }
    world.end().await;
}

async fn sql_in_every_string_is_only_text(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    for evil in
        ["' OR '1'='1", "\"; DROP TABLE items; --", "\\'; DELETE FROM items; #", "${1}", "?", "$1", ":a", "%s", "`x`"]
    {
        for query in [
            json!({"action": "select", "table": evil}),
            json!({"action": "select", "table": "items", "columns": [evil]}),
            json!({"action": "select", "table": "items", "where": {evil: 1}}),
            json!({"action": "select", "table": "items", "order_by": [{"column": evil}]}),
            json!({"action": "insert", "table": "items", "data": {evil: 1}}),
            json!({"action": "select", "table": "items", "filter": {"column": evil, "op": "=", "value": 1}}),
        ] {
            let answer = admin.query(query.clone()).await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        }
        let insert = json!({"action": "insert", "table": "items", "data": {"name": evil}});
        admin.query(insert).await.data();
        let back = json!({"action": "select", "table": "items", "columns": ["name"], "where": {"name": evil}});
        assert_eq!(admin.query(back).await.data(), &json!([{"name": evil}]));
    }
    assert_eq!(admin.query(json!({"action": "count", "table": "items"})).await.data(), 13);
    world.end().await;
}

async fn monsters_are_refused(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let brackets = "[".repeat(900_000);
    assert_eq!(admin.post_text("/query", &brackets).await.refusal().0, 400);
    assert_eq!(admin.post_text("/query", &"[".repeat(10 << 20)).await.refusal(), (413, "body_too_large"));
    let deep = format!(
        "{{\"action\":\"insert\",\"table\":\"items\",\"data\":{{\"extra\":{}1{}}}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    assert_eq!(admin.post_text("/query", &deep).await.refusal(), (400, "too_deep"));
    let huge = format!(r#"{{"action":"insert","table":"items","data":{{"name":"n","stock":{}}}}}"#, "9".repeat(10_000));
    assert_eq!(admin.post_text("/query", &huge).await.refusal(), (400, "value_invalid"));
    let json = [("content-type", "application/json")];
    let invalid = admin.send(reqwest::Method::POST, "/query", &json, Some(vec![b'{', 0xff, b'}'])).await;
    assert_eq!(invalid.refusal(), (400, "malformed_json"));
    let plain =
        admin.send(reqwest::Method::POST, "/query", &[("content-type", "text/plain")], Some(b"{}".to_vec())).await;
    assert_eq!(plain.refusal(), (400, "unsupported_media_type"));
    world.end().await;
}
