//! Groups in the hands of administrators.

use identity::GroupChange;
use insula_tests::{Backend, World, on_all_databases};
use serde_json::{Value as Json, json};

use crate::admin::{delete, make, pages, patch};

on_all_databases!(
    groups_are_made_shown_changed_and_removed,
    rules_and_limits_are_checked_before_they_are_kept,
    what_others_rely_on_stays,
    nobody_makes_a_group_beyond_the_own_power,
    changes_are_in_force_at_once,
);

async fn groups_are_made_shown_changed_and_removed(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let new = json!({"name": "editors", "power": 50, "description": "Who edits.", "basic_rules": ["*:rw", "jde_users:r"],
        "advanced_rules": ["items.price:block"], "abilities": ["explain"], "max_limit": 500,
        "max_where_conditions": 9, "allow_batch_operations": true, "session_timeout_minutes": 5,
        "max_concurrent_sessions": 2, "user_settings_access": "read-own-only"});
    let made = admin.post("/admin/groups", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let group = made.body["group"].as_object().unwrap();
    for (field, value) in new.as_object().unwrap() {
        assert_eq!(&group[field], value, "{field}");
    }
    assert_eq!(group["built_in"], false);
    assert_eq!(admin.post("/admin/groups", &new).await.refusal(), (409, "name_taken"));
    let by_id = admin.get(&format!("/admin/groups/{}", group["id"])).await;
    assert_eq!((by_id.status, &by_id.body["group"]), (200, &made.body["group"]));
    let bare = admin.post("/admin/groups", &json!({"name": "bare", "power": 2})).await.body["group"].clone();
    assert_eq!((&bare["basic_rules"], &bare["max_limit"]), (&json!([]), &Json::Null));
    assert_eq!(
        (&bare["allow_batch_operations"], &bare["user_settings_access"]),
        (&json!(false), &json!("read-write-own"))
    );

    let change = json!({"power": 51, "max_limit": null, "session_timeout_minutes": null, "basic_rules": []});
    let changed = patch(&admin, "/admin/groups/editors", &change).await.body["group"].clone();
    assert_eq!((&changed["power"], &changed["max_limit"]), (&json!(51), &Json::Null));
    assert_eq!((&changed["basic_rules"], &changed["advanced_rules"]), (&json!([]), &json!(["items.price:block"])));
    let renamed = patch(&admin, "/admin/groups/editors", &json!({"name": "writers"})).await;
    assert_eq!(renamed.body["group"]["name"], "writers", "{}", renamed.text);
    assert_eq!(patch(&admin, "/admin/groups/writers", &json!({"name": "bare"})).await.refusal(), (409, "name_taken"));
    assert_eq!(admin.get("/admin/groups/editors").await.refusal(), (404, "not_found"));

    let names = async |query: &str| {
        let pages = pages(&admin, &format!("/admin/groups?limit=2{query}"), "groups", "name").await;
        pages.concat().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("").await, "anonymous bare users publishers writers moderators administrators");
    assert_eq!(names("&sort=-name").await, "writers users publishers moderators bare anonymous administrators");
    assert_eq!(names("&q=EDITS").await, "writers");
    assert_eq!(admin.get("/admin/groups?sort=id").await.field(), "sort");
    assert_eq!(delete(&admin, "/admin/groups/writers").await.status, 204);
    assert_eq!(delete(&admin, "/admin/groups/writers").await.refusal(), (404, "not_found"));
    world.end().await;
}

async fn rules_and_limits_are_checked_before_they_are_kept(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    for (change, field) in [
        (json!({"basic_rules": ["items:rw", "items"]}), "basic_rules[1]"),
        (json!({"basic_rules": ["items:x"]}), "basic_rules[0]"),
        (json!({"basic_rules": ["items; drop:rw"]}), "basic_rules[0]"),
        (json!({"basic_rules": [""]}), "basic_rules"),
        (json!({"advanced_rules": ["items:block"]}), "advanced_rules[0]"),
        (json!({"advanced_rules": ["items.price:hide"]}), "advanced_rules[0]"),
        (json!({"abilities": ["users.manage", "users.destroy"]}), "abilities[1]"),
        (json!({"power": 0}), "power"),
        (json!({"power": 101}), "power"),
        (json!({"power": 256}), "power"),
        (json!({"max_limit": -1}), "max_limit"),
        (json!({"max_limit": 1_000_001}), "max_limit"),
        (json!({"max_where_conditions": 10_001}), "max_where_conditions"),
        (json!({"session_timeout_minutes": 527_041}), "session_timeout_minutes"),
        (json!({"max_concurrent_sessions": 10_001}), "max_concurrent_sessions"),
        (json!({"user_settings_access": "all"}), "user_settings_access"),
        (json!({"description": "x".repeat(501)}), "description"),
    ] {
        let answer = patch(&admin, "/admin/groups/users", &change).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{change}: {}", answer.text);
        let mut new = json!({"name": "new", "power": 3});
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = admin.post("/admin/groups", &new).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{new}: {}", answer.text);
    }
    for name in ["", "Editors", "7", "a b", "ä", &"x".repeat(65)] {
        let answer = admin.post("/admin/groups", &json!({"name": name, "power": 3})).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "name"), "{name}");
    }
    assert_eq!(admin.post("/admin/groups", &json!({"name": "new"})).await.refusal(), (400, "field_missing"));
    assert_eq!(admin.get("/admin/groups/new").await.status, 404);
    assert_eq!(patch(&admin, "/admin/groups/users", &json!({"id": 3})).await.refusal(), (400, "field_unknown"));
    world.end().await;
}

async fn what_others_rely_on_stays(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    make(&admin, "jane", "publishers").await;
    for group in ["anonymous", "users", "administrators", "publishers"] {
        let answer = delete(&admin, &format!("/admin/groups/{group}")).await;
        assert_eq!(answer.refusal(), (409, "in_use"), "{group}: {}", answer.text);
    }
    for group in ["anonymous", "moderators", "administrators"] {
        let answer = patch(&admin, &format!("/admin/groups/{group}"), &json!({"name": "others"})).await;
        assert_eq!((answer.refusal(), answer.field()), ((409, "in_use"), "name"), "{group}: {}", answer.text);
    }
    assert_eq!(patch(&admin, "/admin/users/2", &json!({"group": "users"})).await.status, 200);
    assert_eq!(delete(&admin, "/admin/groups/publishers").await.status, 204, "an operator may remove what is built in");
    world.end().await;
}

async fn nobody_makes_a_group_beyond_the_own_power(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let change = GroupChange {
        name: "moderators".into(),
        abilities: Some(vec!["groups.manage".into(), "users.manage".into()]),
        ..GroupChange::default()
    };
    world.change_group(change).await;
    let moderator = world.user("mod", "moderators").await;
    for (new, reason) in [
        (json!({"name": "own", "power": 71}), "power_too_low"),
        (json!({"name": "own", "power": 100}), "power_too_low"),
        (json!({"name": "own", "power": 70, "abilities": ["tenants.manage"]}), "ability_missing"),
        (json!({"name": "own", "power": 1, "abilities": ["explain"]}), "ability_missing"),
        (json!({"name": "own", "power": 70, "basic_rules": ["_users:rwa"]}), "power_too_low"),
        (json!({"name": "own", "power": 70, "basic_rules": ["jde_users:rwa"]}), "power_too_low"),
        (json!({"name": "own", "power": 70, "advanced_rules": ["_users.group_id:rwa"]}), "power_too_low"),
    ] {
        let answer = moderator.post("/admin/groups", &new).await;
        assert_eq!(answer.refusal(), (403, reason), "{new}: {}", answer.text);
    }
    for (group, change, reason) in [
        ("administrators", json!({"basic_rules": []}), "power_too_low"),
        ("administrators", json!({"power": 10}), "power_too_low"),
        ("moderators", json!({"power": 71}), "power_too_low"),
        ("moderators", json!({"abilities": ["groups.manage", "users.manage", "tenants.manage"]}), "ability_missing"),
        ("moderators", json!({"basic_rules": ["_users:rw"]}), "power_too_low"),
        ("users", json!({"power": 90}), "power_too_low"),
    ] {
        let answer = patch(&moderator, &format!("/admin/groups/{group}"), &change).await;
        assert_eq!(answer.refusal(), (403, reason), "{group} {change}: {}", answer.text);
    }
    assert_eq!(admin.post("/admin/groups", &json!({"name": "chiefs", "power": 80})).await.status, 201);
    assert_eq!(delete(&moderator, "/admin/groups/chiefs").await.refusal(), (403, "power_too_low"));
    assert_eq!(delete(&moderator, "/admin/groups/moderators").await.refusal(), (409, "in_use"));
    assert_eq!(moderator.get("/admin/groups/own").await.status, 404, "nothing is left of an attempt");
    assert_eq!(moderator.get("/admin/groups/moderators").await.body["group"]["power"], 70);
    // Below, everything is the moderator's.
    let own = json!({"name": "own", "power": 70, "basic_rules": ["*:rw"], "abilities": ["users.manage"]});
    assert_eq!(moderator.post("/admin/groups", &own).await.status, 201);
    assert_eq!(patch(&moderator, "/admin/groups/own", &json!({"power": 20})).await.status, 200);
    assert_eq!(delete(&moderator, "/admin/groups/own").await.status, 204);
    // A rule that somebody of full power gave does not stand in the way of other changes.
    let opened = patch(&admin, "/admin/groups/users", &json!({"basic_rules": ["_users:ro"]})).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    let change = json!({"basic_rules": ["_users:ro", "items:r"]});
    assert_eq!(patch(&moderator, "/admin/groups/users", &change).await.status, 200);
    world.end().await;
}

async fn changes_are_in_force_at_once(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE items (id SERIAL, name VARCHAR(40), price BIGINT)").await;
    let admin = world.user("root", "administrators").await;
    let jane = world.user("jane", "users").await;
    let select = || json!({"action": "select", "table": "items"});
    assert_eq!(jane.query(select()).await.refusal(), (403, "table_denied"));
    patch(&admin, "/admin/groups/users", &json!({"basic_rules": ["items:r"], "session_timeout_minutes": 7})).await;
    assert_eq!(jane.query(select()).await.status, 200);
    assert_eq!(jane.get("/auth/status").await.body["session"]["timeout_minutes"], 7);
    patch(&admin, "/admin/groups/users", &json!({"power": 95})).await;
    assert_eq!(jane.get("/admin/users").await.status, 200, "the power brings abilities");
    patch(&admin, "/admin/groups/users", &json!({"power": 10, "basic_rules": []})).await;
    assert_eq!(jane.get("/admin/users").await.refusal(), (403, "ability_missing"));
    assert_eq!(jane.query(select()).await.refusal(), (403, "table_denied"));
    world.end().await;
}
