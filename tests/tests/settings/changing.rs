//! The routes: who may use them, and what they refuse.

use insula_tests::{Backend, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::stage::{in_force, put, shown, unset};

on_all_databases!(
    whoever_may_changes_them,
    what_files_refuse_is_refused,
    descriptions_stay,
    other_nodes_notice_a_reload
);

async fn whoever_may_changes_them(backend: Backend) {
    let world = World::new(backend).await;
    let moderator = world.user("mona", "moderators").await;
    assert_eq!(moderator.get("/admin/settings").await.refusal(), (403, "ability_missing"));
    assert_eq!(put(&moderator, "session_timeout_minutes", json!(5)).await.refusal(), (403, "ability_missing"));
    assert_eq!(unset(&moderator, "session_timeout_minutes").await.refusal(), (403, "ability_missing"));
    let admin = world.user("ada", "administrators").await;
    let answer = put(&admin, "session_timeout_minutes", json!(5)).await;
    let fields = ["success", "setting", "value", "source", "table", "description", "meaning", "at_start"];
    assert_eq!(answer.body.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    assert_eq!((&answer.body["value"], &answer.body["source"]), (&json!(5), &json!("table")));
    assert_eq!(admin.get("/admin/settings").await.body["settings"].as_array().unwrap().len(), 15);
    assert_eq!(unset(&admin, "session_timeout_minutes").await.status, 204);
    assert_eq!(unset(&admin, "session_timeout_minutes").await.refusal(), (404, "not_found"));
    world.end().await;
}

async fn what_files_refuse_is_refused(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let bad = [
        ("session_timeout_minutes", json!(0)),
        ("session_timeout_minutes", json!("5")),
        ("session_timeout_minutes", json!(4_294_967_296_u64)),
        ("refresh_session_on_activity", json!("yes")),
        ("min_clear_sessions_power", json!(-1)),
        ("default_max_limit", json!(1.5)),
        ("default_user_settings_access", json!("all")),
        ("whitelisted_string_ips", json!(["desk"])),
        ("whitelisted_string_ips", json!(vec!["10.0.0.1"; 6_000])),
        ("api_rate_limit_per_second", json!(0)),
        ("enable_rate_limiting", Json::Null),
    ];
    for (name, value) in bad {
        let answer = put(&admin, name, value).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "value"), "{name}: {}", answer.text);
    }
    for name in ["config_preference", "listen", "trusted_proxies", "master_key", "registration", "no_such_setting"] {
        assert_eq!(put(&admin, name, json!("local")).await.refusal(), (404, "not_found"), "{name}");
    }
    let json = [("content-type", "application/json")];
    let body = br#"{"value": 5, "for": "x"}"#.to_vec();
    let answer = admin.send(Method::PUT, "/admin/settings/default_max_limit", &json, Some(body)).await;
    assert_eq!(answer.refusal(), (400, "field_unknown"), "{}", answer.text);
    assert_eq!(in_force(&admin, "default_max_limit").await, (json!(1_000), json!("default")));
    world.end().await;
}

async fn descriptions_stay(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    let send = async |body: Json| {
        let json = [("content-type", "application/json")];
        let body = Some(body.to_string().into_bytes());
        admin.send(Method::PUT, "/admin/settings/default_max_limit", &json, body).await
    };
    assert_eq!(send(json!({"value": 5, "description": " For the till. "})).await.body["description"], "For the till.");
    assert_eq!(send(json!({"value": 6})).await.body["description"], "For the till.");
    assert_eq!(shown(&admin, "default_max_limit").await["table"], "6");
    let answer = send(json!({"value": 7, "description": "x".repeat(501)})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "description"));
    assert_eq!(send(json!({"value": 6, "description": ""})).await.body["description"], Json::Null);
    world.end().await;
}

async fn other_nodes_notice_a_reload(backend: Backend) {
    let world = World::new(backend).await;
    let config = insula::Config { data: world.data.path().to_owned(), ..world.server.installation().config.clone() };
    let second = insula::Server::start(insula::Options { config, ..Default::default() }).await.unwrap();
    let admin = world.user("ada", "administrators").await;
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    let there = insula_tests::Client::of(second.url()).at_host(host).with_token(admin.token.clone().unwrap());
    assert_eq!(there.get("/permissions").await.body["max_limit"], 1_000);
    assert_eq!(put(&admin, "default_max_limit", json!(5)).await.status, 200);
    assert_eq!(admin.get("/permissions").await.body["max_limit"], 5, "here at once");
    assert_eq!(there.get("/permissions").await.body["max_limit"], 1_000);
    assert_eq!(there.post("/reload", &json!({})).await.status, 200);
    assert_eq!(there.get("/permissions").await.body["max_limit"], 5);
    second.stop().await.unwrap();
    world.end().await;
}
