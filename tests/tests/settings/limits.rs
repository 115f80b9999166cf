//! Limits of the data API, and those on the rate.

use insula::{Options, Server};
use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::json;

use crate::stage::{in_force, keep, put, shown};

on_all_databases!(queries_are_limited_as_the_table_says, the_rate_is_limited_after_a_restart);

async fn queries_are_limited_as_the_table_says(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    let admin = world.user("ada", "administrators").await;
    for note in ["a", "b", "c"] {
        admin.query(json!({"action": "insert", "table": "notes", "data": {"note": note}})).await.data();
    }
    let all = json!({"action": "select", "table": "notes", "limit": 3});
    let two = json!({"action": "select", "table": "notes", "where": {"id": 1, "note": "a"}});
    assert_eq!(admin.query(all.clone()).await.data().as_array().unwrap().len(), 3);
    assert_eq!(admin.query(two.clone()).await.data().as_array().unwrap().len(), 1);
    keep(&admin, "default_max_limit", json!(2)).await;
    keep(&admin, "default_max_where_conditions", json!(1)).await;
    let capped = admin.query(all.clone()).await;
    assert_eq!(capped.data().as_array().unwrap().len(), 2);
    assert!(capped.body["warning"].as_str().unwrap().contains('2'), "{}", capped.text);
    assert_eq!(admin.query(two).await.refusal(), (400, "too_many_conditions"));
    let permissions = admin.get("/permissions").await.body;
    assert_eq!((&permissions["max_limit"], &permissions["max_where"]), (&json!(2), &json!(1)));
    // A group's own limit goes before.
    let change = identity::GroupChange { name: "administrators".into(), max_limit: Some(3), ..Default::default() };
    world.change_group(change).await;
    let again = world.at(&world.tenant).log_in("ada", crate::stage::PASSWORD).await;
    assert_eq!(again.query(all).await.data().as_array().unwrap().len(), 3);
    world.end().await;
}

async fn the_rate_is_limited_after_a_restart(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let other = world.another_tenant().await;
    let theirs = world.user_of(&other, "eve", "administrators").await;
    let refused = put(&theirs, "api_rate_limit_per_minute", json!(1)).await;
    assert_eq!((refused.refusal(), refused.field()), ((400, "field_invalid"), "setting"));
    assert!(!theirs.get("/admin/settings").await.text.contains("rate_limit"), "they are not its own");
    assert_eq!(in_force(&admin, "enable_rate_limiting").await, (json!(false), json!("default")));
    keep(&admin, "enable_rate_limiting", json!(true)).await;
    keep(&admin, "api_rate_limit_per_second", json!(2)).await;
    keep(&admin, "auth_rate_limit_per_minute", json!(1)).await;
    assert_eq!(shown(&admin, "api_rate_limit_per_second").await["at_start"], true);
    for _ in 0..5 {
        assert_eq!(admin.get("/permissions").await.status, 200, "not before the next start");
    }
    let World { server, tenant, data, .. } = world;
    let config = server.installation().config.clone();
    server.stop().await.unwrap();

    let server = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let host = format!("api.{}", tenant.domain.as_deref().unwrap());
    let admin = Client::of(server.url()).at_host(host).with_token(admin.token.unwrap());
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(admin.get("/permissions").await.status);
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(admin.get("/auth/status").await.status, 200);
    assert_eq!(admin.get("/auth/status").await.status, 429);
    let tenants = std::sync::Arc::clone(&server.installation().tenants);
    server.stop().await.unwrap();
    for record in tenants.list().await.unwrap() {
        tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    }
    drop(data);
}
