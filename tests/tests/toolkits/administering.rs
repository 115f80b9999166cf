//! `/admin/toolkits`.

use identity::GroupChange;
use insula_tests::{Answer, Backend, Client, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::stage::{example, kit, toolkit};

on_all_databases!(toolkits_are_listed, nobody_gives_more_than_they_have);

async fn put(client: &Client, path: &str, body: Json) -> Answer {
    let json = [("content-type", "application/json")];
    client.send(Method::PUT, &format!("/admin/toolkits/{path}"), &json, Some(body.to_string().into())).await
}

async fn toolkits_are_listed(backend: Backend) {
    let world = kit(backend, "name = \"kit\"\nenabled = false\n").await;
    world.tables(&example("lending/migrations/0001_lending.sql")).await;
    toolkit(&world, "lending", &example("lending/lending.toml"));
    let (root, uma) = (world.user("root", "administrators").await, world.user("uma", "users").await);
    assert_eq!(uma.get("/admin/toolkits").await.refusal(), (403, "ability_missing"));
    let listed = root.get("/admin/toolkits").await;
    let lending = &listed.body["toolkits"][1];
    assert_eq!(
        (&listed.body["toolkits"][0]["name"], &listed.body["toolkits"][0]["enabled"]),
        (&json!("kit"), &json!(false))
    );
    assert_eq!(lending["endpoints"][2]["path"], "/tk/app/lending/borrow");
    assert_eq!(lending["associations"][0], json!({"group": "users", "toolkit_group": "borrowers", "source": "file"}));
    assert_eq!(lending["schedules"][0]["rhythm"], "0 6 * * * UTC");
    assert_eq!(listed.body["broken"], json!([]));
    world.end().await;
}

async fn nobody_gives_more_than_they_have(backend: Backend) {
    let text = "name = \"kit\"\n[groups.low]\n[groups.high]\n[associations]\nchiefs = \"low\"\n";
    let world = kit(backend, text).await;
    let root = world.user("root", "administrators").await;
    let chiefs = GroupChange {
        name: "chiefs".into(),
        power: Some(80),
        abilities: Some(vec!["groups.manage".into()]),
        ..GroupChange::default()
    };
    world.change_group(chiefs).await;
    let chief = world.user("carl", "chiefs").await;
    let to = |group: &str| json!({"toolkit_group": group});
    assert_eq!(put(&chief, "kit/associations/users", to("low")).await.status, 200);
    assert_eq!(put(&chief, "kit/associations/users", to("high")).await.refusal(), (403, "power_too_low"));
    assert_eq!(put(&chief, "kit/associations/chiefs", to("high")).await.refusal(), (403, "power_too_low"));
    assert_eq!(put(&chief, "kit/associations/administrators", to("low")).await.refusal(), (403, "power_too_low"));
    let end = async |path: &str| chief.send(Method::DELETE, &format!("/admin/toolkits/{path}"), &[], None).await;
    // What a file gives by itself may be more than they have, too.
    let more = "name = \"kit\"\n[groups.low]\n[groups.high]\n[associations]\nchiefs = \"low\"\nusers = \"high\"\n";
    toolkit(&world, "kit", more);
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(end("kit/associations/users").await.refusal(), (403, "power_too_low"));
    toolkit(&world, "kit", &more.replace("users = \"high\"", "users = \"low\""));
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(end("kit/associations/users").await.body["remaining"], json!({"group": "users", "place": "low"}));
    toolkit(&world, "kit", text);
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(put(&chief, "kit/associations/users", to("low")).await.status, 200);
    assert_eq!(end("kit/associations/users").await.body["remaining"], json!({"group": "users", "place": null}));
    assert_eq!(end("kit/associations/users").await.refusal(), (404, "not_found"));
    assert_eq!(end("%00/associations/users").await.refusal(), (404, "not_found"));
    assert_eq!(put(&root, "kit/associations/users", to(&"x".repeat(65))).await.refusal(), (400, "field_invalid"));
    for (path, body, refusal) in [
        ("none/associations/users", to("low"), (404, "toolkit_unknown")),
        ("kit/associations/none", to("low"), (404, "not_found")),
        ("kit/associations/users", to("hihg"), (400, "field_invalid")),
        ("kit/associations/users", json!({}), (400, "field_missing")),
        ("kit/associations/users", json!({"toolkit_group": "low", "x": 1}), (400, "field_unknown")),
    ] {
        assert_eq!(put(&root, path, body).await.refusal(), refusal, "{path}");
    }
    world.end().await;
}
