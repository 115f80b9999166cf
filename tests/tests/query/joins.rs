//! Joins.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::{column, stock};

on_all_databases!(
    the_three_types,
    clashing_names_are_qualified,
    both_tables_need_rights,
    conditions_are_parsed_never_pasted
);

async fn the_three_types(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let on = "items.category_id = categories.id";
    let joined = async |kind: &str| {
        let query = json!({
            "action": "count", "table": "items",
            "joins": [{"table": "categories", "on": on, "type": kind}],
        });
        admin.query(query).await.data().clone()
    };
    admin.query(json!({"action": "insert", "table": "categories", "data": {"name": "empty"}})).await.data();
    assert_eq!((joined("INNER").await, joined("LEFT").await, joined("RIGHT").await), (json!(3), json!(4), json!(4)));
    let query = json!({
        "action": "select", "table": "items", "columns": ["items.name", "categories.name", "stock"],
        "joins": [{"table": "categories", "on": on}], "order_by": [{"column": "categories.name", "direction": "DESC"}, {"column": "id"}],
        "filter": {"column": "categories.name", "op": "like", "value": "t%"},
    });
    let answer = admin.query(query).await;
    assert_eq!(column(answer.data(), "items.name"), ["kite", "saw", "Hammer"]);
    assert_eq!(column(answer.data(), "categories.name"), ["toys", "tools", "tools"]);
    assert_eq!(column(answer.data(), "stock"), [7, 3, 0]);
    world.end().await;
}

async fn clashing_names_are_qualified(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    let query = json!({
        "action": "select", "table": "items", "where": {"items.id": 3},
        "joins": [{"table": "categories", "on": "categories.id = items.category_id"}],
    });
    let answer = admin.query(query).await;
    let row = &answer.data()[0];
    assert_eq!((&row["items.id"], &row["categories.id"]), (&json!(3), &json!(2)));
    assert_eq!((&row["categories.name"], &row["parent"]), (&json!("toys"), &json!(null)));
    let warning = answer.body["warning"].as_str().unwrap();
    assert!(warning.starts_with("columns with one name are qualified: items.id"), "{warning}");
    world.end().await;
}

async fn both_tables_need_rights(backend: Backend) {
    let world = stock(backend).await;
    world.group("users", &["items:r"], &[]).await;
    let user = world.user("uma", "users").await;
    let query = json!({
        "action": "select", "table": "items",
        "joins": [{"table": "categories", "on": "categories.id = items.category_id"}],
    });
    let answer = user.query(query).await;
    assert_eq!((answer.refusal(), answer.field()), ((403, "table_denied"), "joins[0].table"));
    world.end().await;
}

async fn conditions_are_parsed_never_pasted(backend: Backend) {
    let world = stock(backend).await;
    let admin = world.user("ada", "administrators").await;
    for on in [
        "1 = 1",
        "items.id = categories.id OR 1=1",
        "items.id = categories.id; DROP TABLE items",
        "items.id = 5",
        "items.id = (SELECT 1)",
        "items.nothing = categories.id",
        "items.id = items.id",
        "items.id = other.id",
        "items.name = categories.id",
        "",
        "items.id",
    ] {
        let query = json!({"action": "count", "table": "items", "joins": [{"table": "categories", "on": on}]});
        let answer = admin.query(query).await;
        assert_eq!(answer.status, 400, "{on}: {}", answer.text);
        assert_eq!(answer.field(), "joins[0].on", "{on}: {}", answer.text);
    }
    let twice =
        json!({"action": "count", "table": "items", "joins": [{"table": "items", "on": "items.id = items.id"}]});
    assert_eq!(admin.query(twice).await.refusal(), (400, "join_invalid"));
    world.end().await;
}
