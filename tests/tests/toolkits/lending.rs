//! The desk of `examples/toolkits/lending`.

use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::json;

use crate::stage::{example, toolkit};

on_all_databases!(a_desk_lends_and_takes_back, two_who_want_the_same_get_it_once, borrowers_write_no_table);

async fn desk(backend: Backend) -> (World, Client, Client, Client) {
    let world = World::new(backend).await;
    world.tables(&example("lending/migrations/0001_lending.sql")).await;
    toolkit(&world, "lending", &example("lending/lending.toml"));
    let staff = world.user("stella", "moderators").await;
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    for (name, kind) in [("Camera", "camera"), ("Tripod", "stand"), ("Drone", "camera")] {
        let made = staff.post("/tk/app/lending/items/new", &json!({"name": name, "kind": kind})).await;
        assert!(made.data()["asset_tag"].as_str().unwrap().starts_with("EQ-000"), "{}", made.text);
    }
    (world, staff, uma, otto)
}

async fn free(client: &Client, query: &str) -> Vec<String> {
    let answer = client.get(&format!("/tk/app/lending/items{query}")).await;
    answer.data().as_array().unwrap().iter().map(|item| item["asset_tag"].as_str().unwrap().to_owned()).collect()
}

async fn id_of(client: &Client, tag: &str) -> String {
    let answer = client.get("/tk/app/lending/items").await;
    let items = answer.data().as_array().unwrap().clone();
    items.iter().find(|item| item["asset_tag"] == tag).unwrap()["id"].as_str().unwrap().to_owned()
}

async fn a_desk_lends_and_takes_back(backend: Backend) {
    let (world, staff, uma, otto) = desk(backend).await;
    assert_eq!(free(&uma, "").await, ["EQ-0001", "EQ-0002", "EQ-0003"]);
    assert_eq!(free(&uma, "?kind=camera").await, ["EQ-0001", "EQ-0003"]);
    let camera = id_of(&uma, "EQ-0001").await;
    let wish = json!({"item": camera, "until": "2999-01-01", "note": "for the wedding"});
    let lent = uma.post("/tk/app/lending/borrow", &wish).await;
    let loan = lent.data()["id"].as_str().unwrap().to_owned();
    assert_eq!(free(&uma, "").await, ["EQ-0002", "EQ-0003"]);
    let refused = otto.post("/tk/app/lending/borrow", &json!({"item": camera, "until": "2999-01-01"})).await;
    assert_eq!(refused.refusal(), (409, "step_refused"));
    assert!(refused.body["error"].as_str().unwrap().starts_with("This item is lent out"), "{}", refused.text);
    assert_eq!(refused.body["endpoint"], "lending/borrow");
    let mine = uma.get("/tk/app/lending/mine").await;
    assert_eq!((&mine.data()[0]["name"], &mine.data()[0]["due_on"]), (&json!("Camera"), &json!("2999-01-01")));
    assert_eq!(otto.get("/tk/app/lending/mine").await.data(), &json!([]));
    // Nobody touches what somebody else has.
    for path in [format!("return/{loan}"), format!("extend/{loan}")] {
        let body = if path.starts_with('r') { json!({}) } else { json!({"until": "2999-02-02"}) };
        assert_eq!(otto.post(&format!("/tk/app/lending/{path}"), &body).await.refusal(), (409, "step_refused"));
    }
    let longer = uma.post(&format!("/tk/app/lending/extend/{loan}"), &json!({"until": "2999-02-02"})).await;
    assert_eq!(longer.data(), &json!({"rows_affected": 1}));
    uma.post(&format!("/tk/app/lending/return/{loan}"), &json!({})).await.data();
    assert_eq!(free(&uma, "").await.len(), 3);
    let again = uma.post(&format!("/tk/app/lending/return/{loan}"), &json!({})).await;
    assert_eq!(again.refusal(), (409, "step_refused"));
    let log = staff.query(json!({"action": "select", "table": "lending_log", "columns": ["what", "who"]})).await;
    let who = log.data().as_array().unwrap().iter().map(|row| row["who"].clone()).collect::<Vec<_>>();
    assert_eq!(who, [json!(2), json!(2)], "{}", log.text);
    world.end().await;
}

async fn two_who_want_the_same_get_it_once(backend: Backend) {
    let (world, staff, uma, otto) = desk(backend).await;
    let camera = id_of(&uma, "EQ-0001").await;
    let wish = json!({"item": camera, "until": "2999-01-01"});
    let wishes = (0..8).map(|number| {
        let (client, wish) = (if number % 2 == 0 { uma.clone() } else { otto.clone() }, wish.clone());
        tokio::spawn(async move { client.post("/tk/app/lending/borrow", &wish).await.status })
    });
    let mut answers = Vec::new();
    for wish in wishes.collect::<Vec<_>>() {
        answers.push(wish.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409, 409, 409, 409]);
    let loans = staff.query(json!({"action": "count", "table": "lending_loans"})).await;
    assert_eq!(loans.data(), &json!(1));
    world.end().await;
}

async fn borrowers_write_no_table(backend: Backend) {
    let (world, staff, uma, _) = desk(backend).await;
    for table in ["lending_items", "lending_loans", "lending_log"] {
        let insert = json!({"action": "insert", "table": table, "data": {"what": "x"}});
        assert_eq!(uma.query(insert).await.refusal(), (403, "table_denied"), "{table}");
    }
    assert_eq!(uma.query(json!({"action": "count", "table": "lending_loans"})).await.refusal().0, 403);
    // What is read-only for the staff is not for the toolkit, and not for administrators.
    let data = json!({"day": "2026-01-01", "what": "by hand", "item": "x"});
    let insert = json!({"action": "insert", "table": "lending_log", "data": data});
    assert_eq!(staff.query(insert.clone()).await.refusal(), (403, "table_denied"));
    let admin = world.user("root", "administrators").await;
    admin.query(insert).await.data();
    let refused = uma.post("/tk/app/lending/items/new", &json!({"name": "x", "kind": "y"})).await;
    assert_eq!(refused.refusal(), (403, "endpoint_denied"));
    // A place that gives no endpoint gives its rules all the same.
    let permissions = uma.get("/permissions").await;
    assert_eq!(permissions.body["toolkits"]["lending"]["group"], "borrowers", "{}", permissions.text);
    assert_eq!(permissions.body["toolkits"]["lending"]["type"], "application");
    world.end().await;
}
