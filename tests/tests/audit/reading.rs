//! `GET /admin/audit`: who may, what is found, and how it is paged.

use insula_tests::{Backend, Client, on_all_databases};
use serde_json::{Value as Json, json};

use crate::{entries, insert, installation, request_id};

on_all_databases!(
    filters_find_what_they_say,
    pages_neither_repeat_nor_skip,
    bad_filters_are_named,
    only_the_own_tenant
);

async fn filters_find_what_they_say(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let early = insert(&uma, "early").await;
    let of_ada = insert(&ada, "of ada").await;
    let late = uma.query(json!({"action": "delete", "table": "items", "where": {"id": 1}})).await;
    let ids = async |filter: &str| -> Vec<String> {
        let found = entries(&ada, filter).await;
        found.iter().filter_map(|entry| entry["request_id"].as_str().map(str::to_owned)).collect()
    };
    let [early, of_ada, late] = [early, of_ada, late].map(|answer| request_id(&answer).to_owned());
    assert_eq!(ids("table=items").await, [&*late, &*of_ada, &*early]);
    assert_eq!(ids("table=items&user_id=3").await, [&*late, &*early]);
    assert_eq!(ids("table=items&user_id=2&outcome=ok").await, [&*of_ada]);
    assert_eq!(ids("action=delete").await, [&*late]);
    assert_eq!(ids("action=delete&outcome=table_denied").await, [""; 0]);
    assert_eq!(ids(&format!("request_id={early}")).await, [&*early]);
    assert_eq!(ids("table=items&client=127.0.0.1").await.len(), 3);
    assert_eq!(ids("table=items&client=127.0.0.2").await, [""; 0]);
    // From the entry of ada's on, and until it.
    let moment = entries(&ada, &format!("request_id={of_ada}")).await[0]["ts"].as_str().unwrap().to_owned();
    assert_eq!(ids(&format!("table=items&since={moment}")).await, [&*late, &*of_ada]);
    assert_eq!(ids(&format!("table=items&until={moment}")).await, [&*early]);
    drop(serving);
    program.end();
}

async fn pages_neither_repeat_nor_skip(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let mut expected = Vec::new();
    for number in 0..23 {
        expected.insert(0, request_id(&insert(&uma, &number.to_string()).await).to_owned());
    }
    let (mut read, mut before) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("/admin/audit?action=insert&limit=5{before}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let found = page.body["entries"].as_array().unwrap();
        assert!(found.len() <= 5);
        read.extend(found.iter().map(|entry| entry["request_id"].as_str().unwrap().to_owned()));
        // Others go on writing.
        assert_eq!(insert(&uma, "meanwhile").await.status, 200);
        match page.body["next_before"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(read, expected);
    drop(serving);
    program.end();
}

async fn bad_filters_are_named(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let ada = serving.user(&program.tenant, "ada").await;
    for (parameter, field) in [
        ("action=", "action"),
        ("action=log%20in", "action"),
        ("outcome=%00", "outcome"),
        ("user_id=ada", "user_id"),
        ("user_id=99999999999999999999", "user_id"),
        ("table=items%3B", "table"),
        ("request_id=12", "request_id"),
        ("request_id=12345678x", "request_id"),
        ("client=somewhere", "client"),
        ("since=yesterday", "since"),
        ("until=2026-13-01T00:00:00Z", "until"),
        ("before=7", "before"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1&limit=2", "limit"),
    ] {
        let answer = ada.get(&format!("/admin/audit?{parameter}")).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{parameter}");
    }
    let unknown = ada.get("/admin/audit?page=2").await;
    assert_eq!((unknown.refusal(), unknown.field()), ((400, "field_unknown"), "page"), "{}", unknown.text);
    drop(serving);
    program.end();
}

async fn only_the_own_tenant(backend: Backend) {
    let program = installation(backend);
    let other = format!("{}x", program.tenant);
    program.ok(&["tenant", "create", &other, "--domain", &format!("{other}.test")]);
    program.user(&other, "eve", "administrators");
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let eve = serving.user(&other, "eve").await;
    let names = async |client: &Client| -> Vec<Json> {
        entries(client, "action=login").await.iter().map(|entry| entry["username"].clone()).collect()
    };
    assert_eq!(names(&ada).await, ["uma", "ada"]);
    assert_eq!(names(&eve).await, ["eve"]);
    assert_eq!(uma.get("/admin/audit").await.refusal(), (403, "ability_missing"));
    assert_eq!(serving.anonymous().get("/admin/audit").await.refusal(), (401, "no_token"));
    // Making a tenant is about the installation: the first tenant's log has it.
    let made = entries(&ada, "action=tenant-create").await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["details"]["of"], json!(other));
    assert!(entries(&eve, "action=tenant-create").await.is_empty());
    // No rule opens the table, and no route changes it.
    program.ok(&["group", "set", "administrators", "--rule", "_audit:rwa"]);
    for query in [
        json!({"action": "select", "table": "_audit"}),
        json!({"action": "insert", "table": "_audit", "data": {"action": "login", "outcome": "ok"}}),
        json!({"action": "update", "table": "_audit", "data": {"outcome": "x"}, "where": {"action": "login"}}),
        json!({"action": "delete", "table": "_audit", "where": {"action": "login"}}),
    ] {
        let answer = eve.query(query.clone()).await;
        assert!((400..500).contains(&answer.status), "{query}: {}", answer.text);
        let answer = ada.query(query.clone()).await;
        assert!((400..500).contains(&answer.status), "{query}: {}", answer.text);
    }
    assert_eq!(names(&eve).await, ["eve"]);
    drop(serving);
    program.end();
}
