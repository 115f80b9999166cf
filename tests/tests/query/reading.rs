//! Select and count.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::{column, stock};

on_all_databases!(rows_are_answered_whole, limits_are_capped_with_a_warning, orders_are_the_same, counting);

async fn rows_are_answered_whole(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let answer = admin.query(json!({"action": "select", "table": "items", "where": {"id": 1}})).await;
    let mut whole = answer.whole();
    assert!(answer.text.contains("\"price\":19.90,"), "{}", answer.text);
    whole["body"]["data"][0]["price"] = json!("19.90");
    let row = json!({
        "id": 1, "name": "saw", "category_id": 1, "price": "19.90", "stock": 3, "active": true, "bought": "2026-01-02",
        "seen": null, "extra": null, "created_at": null, "created_by": 1, "last_modified_at": null,
        "last_modified_by": null, "pinned_to": 1,
    });
    assert_eq!(whole, json!({"status": 200, "body": {"success": true, "data": [row]}}));
    let some = json!({"action": "select", "table": "items", "columns": ["name", "items.stock"], "where": {"id": 3}});
    assert_eq!(admin.query(some).await.text, r#"{"success":true,"data":[{"name":"kite","stock":7}]}"#);
    let extra = json!({"action": "select", "table": "items", "columns": ["extra"], "where": {"name": "kite"}});
    assert_eq!(admin.query(extra).await.data()[0]["extra"], json!({"wind": [3, 5]}));
    let none = admin.query(json!({"action": "select", "table": "items", "where": {"id": 99}})).await;
    assert_eq!(none.text, r#"{"success":true,"data":[]}"#);
    world.end().await;
}

async fn limits_are_capped_with_a_warning(backend: Backend) {
    let world = stock(backend).await;
    let group = identity::GroupChange {
        name: "users".into(),
        basic_rules: Some(vec!["items:r".into()]),
        max_limit: Some(2),
        ..identity::GroupChange::default()
    };
    world.change_group(group).await;
    let user = world.user("uma", "users").await;
    let ids = json!({"action": "select", "table": "items", "columns": ["id"], "order_by": [{"column": "id"}]});
    assert_eq!(user.query(ids.clone()).await.data(), &json!([{"id": 1}, {"id": 2}]));
    let mut more = ids.clone();
    more["limit"] = json!(50);
    more["offset"] = json!(1);
    let answer = user.query(more).await;
    assert_eq!(answer.body, json!({"success": true, "data": [{"id": 2}, {"id": 3}], "warning": "limit capped at 2"}));
    let mut nothing = ids;
    nothing["limit"] = json!(0);
    assert_eq!(user.query(nothing).await.data(), &json!([]));
    world.end().await;
}

async fn orders_are_the_same(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let ordered = async |order: serde_json::Value| {
        let query = json!({"action": "select", "table": "items", "columns": ["id"], "order_by": order});
        column(admin.query(query).await.data(), "id")
    };
    assert_eq!(ordered(json!([{"column": "name"}])).await, [4, 2, 3, 1]);
    assert_eq!(ordered(json!([{"column": "price"}])).await, [4, 2, 3, 1], "NULL comes first");
    assert_eq!(ordered(json!([{"column": "price", "direction": "DESC"}])).await, [1, 3, 2, 4], "NULL comes last");
    assert_eq!(
        ordered(json!([{"column": "category_id"}, {"column": "stock", "direction": "DESC"}])).await,
        [4, 1, 2, 3]
    );
    assert_eq!(ordered(json!([{"column": "active"}, {"column": "id"}])).await, [4, 2, 1, 3]);
    world.end().await;
}

async fn counting(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let answer = admin.query(json!({"action": "count", "table": "items"})).await;
    assert_eq!(answer.text, r#"{"success":true,"data":4}"#);
    let some = json!({"action": "count", "table": "items", "where": {"category_id": null}});
    assert_eq!(admin.query(some).await.data(), 1);
    world.end().await;
}
