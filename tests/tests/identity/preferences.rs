//! What client programs keep for their users: layers, access, bounds, and writes at the same time.

use identity::GroupChange;
use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::{Value as Json, json};

on_all_databases!(
    layers_are_read_set_and_reset,
    access_is_the_groups,
    sets_at_the_same_time_all_survive,
    bad_inputs_are_named,
    preferences_have_bounds,
    keys_need_their_scope,
);

async fn ask(client: &Client, body: Json) -> Json {
    let answer = client.post("/preferences", &body).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    answer.body
}

async fn layers_are_read_set_and_reset(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let nothing = ask(&uma, json!({"action": "get", "client": "emoegui"})).await;
    let whole =
        json!({"success": true, "client": "emoegui", "type": "normal", "user_id": 1, "data": {}, "preferences": {}});
    assert_eq!(nothing, whole);
    let global = json!({"theme": "dark", "list": [1, 2], "window": {"left": 1, "size": {"x": 10, "y": 20}}});
    let set = json!({"action": "set", "client": "emoegui", "type": "global", "data": global});
    let answer = ask(&uma, set).await;
    let whole = json!({"success": true, "client": "emoegui", "type": "global", "user_id": 1, "data": global,
        "preferences": global});
    assert_eq!(answer, whole);
    // Objects are merged, everything else is replaced, and null is a value.
    ask(&uma, json!({"action": "set", "client": "emoegui", "data": {"window": {"size": {"y": 21}, "top": 3}}})).await;
    let set = json!({"action": "set", "client": "emoegui", "data": {"list": [3], "window": {"size": {"z": null}}, "n": 0.10}});
    let answer = ask(&uma, set).await;
    let own = json!({"window": {"size": {"y": 21, "z": null}, "top": 3}, "list": [3], "n": 0.10});
    assert_eq!((&answer["type"], &answer["data"], &answer["preferences"]), (&json!("client"), &own, &own));
    let normal = json!({"theme": "dark", "list": [3], "n": 0.10,
        "window": {"left": 1, "size": {"x": 10, "y": 21, "z": null}, "top": 3}});
    assert_eq!(ask(&uma, json!({"action": "get", "client": "emoegui"})).await["data"], normal);
    assert_eq!(ask(&uma, json!({"action": "get", "client": "emoegui", "type": "client"})).await["data"], own);
    assert_eq!(ask(&uma, json!({"action": "get", "client": "emoegui", "type": "global"})).await["data"], global);
    // Another client sees what is for all.
    assert_eq!(ask(&uma, json!({"action": "get", "client": "till"})).await["data"], global);
    ask(&uma, json!({"action": "set", "client": "till", "data": {"theme": "light"}})).await;
    assert_eq!(ask(&uma, json!({"action": "get", "client": "till"})).await["data"]["theme"], "light");
    let reset = ask(&uma, json!({"action": "reset", "client": "emoegui"})).await;
    assert_eq!(reset, json!({"success": true, "type": "client", "user_id": 1}));
    assert_eq!(ask(&uma, json!({"action": "get", "client": "emoegui"})).await["data"], global);
    let reset = ask(&uma, json!({"action": "reset", "client": "emoegui", "type": "global"})).await;
    assert_eq!(reset, json!({"success": true, "type": "global", "user_id": 1}));
    assert_eq!(ask(&uma, json!({"action": "get", "client": "till"})).await["data"], json!({"theme": "light"}));
    let reset = ask(&uma, json!({"action": "reset", "client": "emoegui", "type": "full"})).await;
    assert_eq!(reset, json!({"success": true, "type": "full", "user_id": 1}));
    assert_eq!(ask(&uma, json!({"action": "get", "client": "till"})).await["data"], json!({}));
    world.end().await;
}

async fn access_is_the_groups(backend: Backend) {
    let world = World::new(backend).await;
    for (group, access) in [("publishers", "read-own-only"), ("moderators", "read-write-all")] {
        let change =
            GroupChange { user_settings_access: Some(access.into()), name: group.into(), ..GroupChange::default() };
        world.change_group(change).await;
    }
    let reader = world.user("reader", "publishers").await;
    let writer = world.user("writer", "users").await;
    let all = world.user("all", "moderators").await;
    let get = |user: i64| json!({"action": "get", "client": "app", "user_id": user});
    let set = |user: i64| json!({"action": "set", "client": "app", "user_id": user, "data": {"by": user}});
    let reset = |user: i64| json!({"action": "reset", "client": "app", "type": "full", "user_id": user});
    for (who, number, own_read, own_write, others) in
        [(&reader, 1, 200, 403, 403), (&writer, 2, 200, 200, 403), (&all, 3, 200, 200, 200)]
    {
        for target in 1..=3 {
            let (read, write) = if target == number { (own_read, own_write) } else { (others, others) };
            for (body, status) in [(get(target), read), (set(target), write), (reset(target), write)] {
                let answer = who.post("/preferences", &body).await;
                assert_eq!(answer.status, status, "{number}: {body}: {}", answer.text);
                if status == 403 {
                    assert_eq!(answer.refusal(), (403, "ability_missing"));
                }
            }
        }
        // Who does not exist is told to those alone who may write everybody's.
        for body in [get(99), set(99), reset(99), get(-1), get(0)] {
            let status = if number == 3 { (404, "not_found") } else { (403, "ability_missing") };
            assert_eq!(who.post("/preferences", &body).await.refusal(), status, "{number}: {body}");
        }
    }
    ask(&all, set(1)).await;
    assert_eq!(ask(&reader, json!({"action": "get", "client": "app"})).await["data"], json!({"by": 1}));
    assert_eq!(world.anonymous().post("/preferences", &get(1)).await.refusal(), (401, "no_token"));
    world.end().await;
}

async fn sets_at_the_same_time_all_survive(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let sets = (0..20).map(|number| {
        let uma = uma.clone();
        tokio::spawn(async move {
            // Half of them into the layer of all clients.
            let layer = if number % 2 == 0 { "client" } else { "global" };
            let data = json!({"keys": {format!("k{number}"): number}});
            ask(&uma, json!({"action": "set", "client": "app", "type": layer, "data": data})).await
        })
    });
    for set in sets.collect::<Vec<_>>() {
        set.await.unwrap();
    }
    let seen = ask(&uma, json!({"action": "get", "client": "app"})).await;
    for number in 0..20 {
        assert_eq!(seen["data"]["keys"][format!("k{number}")], number, "{seen}");
    }
    world.end().await;
}

async fn bad_inputs_are_named(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let long = "x".repeat(129);
    for (body, reason, field) in [
        (json!({"client": "app"}), "field_missing", "action"),
        (json!({"action": "get"}), "field_missing", "client"),
        (json!({"action": "set", "client": "app"}), "field_missing", "data"),
        (json!({"action": "set", "client": "app", "data": null}), "field_missing", "data"),
        (json!({"action": "put", "client": "app"}), "field_invalid", "action"),
        (json!({"action": "get", "client": "a b"}), "field_invalid", "client"),
        (json!({"action": "get", "client": ""}), "field_invalid", "client"),
        (json!({"action": "get", "client": long}), "field_invalid", "client"),
        (json!({"action": "get", "client": 5}), "field_invalid", "client"),
        (json!({"action": "get", "client": "global"}), "field_invalid", "client"),
        (json!({"action": "set", "client": "global", "data": {}}), "field_invalid", "client"),
        (json!({"action": "set", "client": "toolkit_overrides", "data": {}}), "field_invalid", "client"),
        (json!({"action": "get", "client": "app", "type": "full"}), "field_invalid", "type"),
        (json!({"action": "set", "client": "app", "type": "normal", "data": {}}), "field_invalid", "type"),
        (json!({"action": "reset", "client": "app", "type": "normal"}), "field_invalid", "type"),
        (json!({"action": "get", "client": "app", "type": "all"}), "field_invalid", "type"),
        (json!({"action": "get", "client": "app", "user_id": "uma"}), "field_invalid", "user_id"),
        (json!({"action": "get", "client": "app", "user_id": 1.5}), "field_invalid", "user_id"),
        (json!({"action": "get", "client": "app", "data": {}}), "field_unknown", "data"),
        (json!({"action": "set", "client": "app", "data": [1]}), "field_invalid", "data"),
        (json!({"action": "set", "client": "app", "data": "x"}), "field_invalid", "data"),
        (json!({"action": "get", "client": "app", "user": 1}), "field_unknown", "user"),
        (
            json!({"action": "set", "client": "app", "data": {"toolkit_overrides": [{"toolkit": "till", "group": "x"}]}}),
            "field_invalid",
            "data.toolkit_overrides",
        ),
        (
            json!({"action": "set", "client": "app", "type": "global", "data": {"a": [{"toolkit_overrides": []}]}}),
            "field_invalid",
            "data.toolkit_overrides",
        ),
    ] {
        let answer = uma.post("/preferences", &body).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, reason), field), "{body}: {}", answer.text);
    }
    assert_eq!(ask(&uma, json!({"action": "get", "client": "app"})).await["data"], json!({}));
    world.end().await;
}

async fn preferences_have_bounds(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let set = |data: Json| json!({"action": "set", "client": "app", "data": data});
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"a": inner}));
    ask(&uma, set(deep(16))).await;
    let refused = uma.post("/preferences", &set(deep(17))).await;
    assert_eq!((refused.refusal(), refused.field()), ((400, "field_invalid"), "data"));
    // All layers count together.
    ask(&uma, json!({"action": "reset", "client": "app", "type": "full"})).await;
    let half = "x".repeat(33 << 10);
    ask(&uma, json!({"action": "set", "client": "app", "type": "global", "data": {"text": half}})).await;
    let refused = uma.post("/preferences", &set(json!({"text": half}))).await;
    assert_eq!((refused.refusal(), refused.field()), ((400, "field_invalid"), "data"));
    ask(&uma, set(json!({"text": "x".repeat(30 << 10)}))).await;
    let kept = ask(&uma, json!({"action": "get", "client": "app", "type": "global"})).await;
    assert_eq!(kept["data"]["text"], half);
    // What databases are wary of comes back as it was sent.
    let odd = json!({"text": "a\u{0}b \u{1f600} ' \\ \" {} null", "": 1, "n": 12_345_678_901_234_567_890_u64});
    ask(&uma, set(odd.clone())).await;
    let seen = ask(&uma, json!({"action": "get", "client": "app", "type": "client"})).await;
    for (key, value) in odd.as_object().unwrap() {
        assert_eq!(&seen["data"][key], value, "{key}");
    }
    world.end().await;
}

async fn keys_need_their_scope(backend: Backend) {
    let world = World::new(backend).await;
    let ada = world.user("ada", "administrators").await;
    let key = async |kind: &str, scope: &str| {
        let made = ada.post("/auth/keys", &json!({"kind": kind, "name": "one", "scopes": [scope]})).await;
        ada.with_token(made.body["secret"].as_str().unwrap_or_else(|| panic!("{}", made.text)))
    };
    let (reads, writes) = (key("pat", "account.read").await, key("pat", "account.write").await);
    let (get, set) =
        (json!({"action": "get", "client": "app"}), json!({"action": "set", "client": "app", "data": {"a": 1}}));
    assert_eq!(ask(&writes, set.clone()).await["user_id"], 1);
    assert_eq!(ask(&reads, get.clone()).await["data"], json!({"a": 1}));
    assert_eq!(writes.post("/preferences", &get).await.refusal(), (403, "scope_missing"));
    assert_eq!(reads.post("/preferences", &set).await.refusal(), (403, "scope_missing"));
    // A key that acts as no user has no preferences.
    let server = key("sk", "account.read").await;
    assert_eq!(server.post("/preferences", &get).await.refusal(), (403, "session_required"));
    world.end().await;
}
