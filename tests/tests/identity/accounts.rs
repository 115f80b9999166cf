//! The own account.

use insula_tests::{Backend, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::{
    post::{PASSWORD, log_in, register, registered, send},
    stage,
};

on_all_databases!(
    a_user_sees_and_changes_the_own_account,
    what_does_not_fit_names_its_field,
    changes_at_the_same_time_all_stay,
    names_are_unique_in_any_case,
    removing_oneself_takes_everything_along,
    users_without_a_password_confirm_by_name,
    one_administrator_stays,
    the_address_is_changed_by_confirming_the_new_one,
);

async fn a_user_sees_and_changes_the_own_account(backend: Backend) {
    let world = World::new(backend).await;
    let jane = registered(&world, "jane").await;
    let me = jane.get("/auth/me").await;
    assert_eq!(me.status, 200, "{}", me.text);
    let user = &me.body["user"];
    assert_eq!(user["username"], "jane");
    assert_eq!(user["email"], "jane@example.com");
    assert_eq!((&user["email_verified_at"], &user["status"]), (&Json::Null, &json!("active")));
    assert_eq!((&user["role"], &user["power"]), (&json!("users"), &json!(10)));
    assert_eq!((&user["second_factor"], &user["has_password"]), (&json!(false), &json!(true)));
    let nothing = json!({
        "phone": null, "last": null, "avatar": null, "github": null, "instagram": null, "bio": null, "theme": null
    });
    assert_eq!(user["profile"], nothing);
    let profile = json!({
        "phone": "+49 30 901820", "last": "Döe", "avatar": "https://pictures.example/jane.png", "github": "jane-doe",
        "instagram": "jane.doe", "bio": "Two\nlines 🦀", "theme": "dark"
    });
    let change = json!({ "name": "Jane", "username": "Jane.Doe", "profile": profile });
    let changed = send(&jane, Method::PATCH, "/auth/me", &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.body["user"]["profile"], profile);
    assert_eq!(jane.get("/auth/me").await.body, changed.body);
    assert_eq!(jane.get("/auth/status").await.body["user"]["username"], "Jane.Doe");
    assert_eq!(log_in(&world.at(&world.tenant), "jane.doe", PASSWORD).await.status, 200);
    assert_eq!(log_in(&world.at(&world.tenant), "jane", PASSWORD).await.refusal(), (401, "credentials_invalid"));
    let cleared = send(&jane, Method::PATCH, "/auth/me", &json!({ "profile": { "bio": null } })).await;
    assert_eq!(cleared.body["user"]["profile"]["bio"], Json::Null);
    assert_eq!(cleared.body["user"]["profile"]["last"], "Döe");
    assert_eq!(world.at(&world.tenant).get("/auth/me").await.refusal(), (401, "no_token"));
    world.end().await;
}

async fn what_does_not_fit_names_its_field(backend: Backend) {
    let world = World::new(backend).await;
    let jane = registered(&world, "jane").await;
    let before = jane.get("/auth/me").await.body;
    for (change, refusal, field) in [
        (json!({ "name": "" }), (400, "field_invalid"), "name"),
        (json!({ "name": null }), (400, "field_invalid"), "name"),
        (json!({ "name": 5 }), (400, "field_invalid"), "name"),
        (json!({ "username": "j" }), (422, "username_unfit"), "username"),
        (json!({ "username": null }), (400, "field_invalid"), "username"),
        (json!({ "email": "other@example.com" }), (400, "field_unknown"), "email"),
        (json!({ "power": 100 }), (400, "field_unknown"), "power"),
        (json!({ "profile": { "theme": "purple" } }), (400, "field_invalid"), "profile.theme"),
        (json!({ "profile": { "avatar": "javascript:alert(1)" } }), (400, "field_invalid"), "profile.avatar"),
        (json!({ "profile": { "bio": "x".repeat(2_001) } }), (400, "field_invalid"), "profile.bio"),
        (json!({ "profile": { "last": "a\u{0}b" } }), (400, "field_invalid"), "profile.last"),
        (json!({ "profile": { "shoe": 42 } }), (400, "field_unknown"), "profile.shoe"),
        (json!({ "name": "Fits", "profile": { "phone": "none" } }), (400, "field_invalid"), "profile.phone"),
    ] {
        let answer = send(&jane, Method::PATCH, "/auth/me", &change).await;
        assert_eq!((answer.refusal(), answer.field()), (refusal, field), "{change}");
    }
    assert_eq!(jane.get("/auth/me").await.body, before, "nothing of a refused change is written");
    world.end().await;
}

async fn changes_at_the_same_time_all_stay(backend: Backend) {
    let world = World::new(backend).await;
    let jane = registered(&world, "jane").await;
    let mut changes = Vec::new();
    for (field, value) in [
        ("phone", "12345"),
        ("last", "Doe"),
        ("avatar", "/a.png"),
        ("github", "jane"),
        ("instagram", "j"),
        ("bio", "b"),
    ] {
        let jane = jane.clone();
        changes.push(tokio::spawn(async move {
            for _ in 0..5 {
                let change = json!({ "profile": { field: value } });
                assert_eq!(send(&jane, Method::PATCH, "/auth/me", &change).await.status, 200);
            }
        }));
    }
    for change in changes {
        change.await.unwrap();
    }
    let profile = jane.get("/auth/me").await.body["user"]["profile"].clone();
    let expected = json!({
        "phone": "12345", "last": "Doe", "avatar": "/a.png", "github": "jane", "instagram": "j", "bio": "b", "theme": null
    });
    assert_eq!(profile, expected);
    world.end().await;
}

async fn names_are_unique_in_any_case(backend: Backend) {
    let world = World::new(backend).await;
    registered(&world, "jane").await;
    let others: Vec<_> = ["a1", "b2", "c3", "d4"].map(|name| format!("user-{name}")).into();
    let mut attempts = Vec::new();
    for name in &others {
        let other = registered(&world, name).await;
        let taken = send(&other, Method::PATCH, "/auth/me", &json!({ "username": "JANE" })).await;
        assert_eq!((taken.refusal(), taken.field()), ((409, "username_taken"), "username"));
        attempts.push(tokio::spawn(async move {
            send(&other, Method::PATCH, "/auth/me", &json!({ "username": "Wanted" })).await.status
        }));
    }
    let mut statuses = Vec::new();
    for attempt in attempts {
        statuses.push(attempt.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    world.end().await;
}

async fn removing_oneself_takes_everything_along(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE notes (id SERIAL, text VARCHAR(40), created_by BIGINT)").await;
    let root = world.user("root", "administrators").await;
    world.group("users", &["notes:rw"], &[]).await;
    let jane = registered(&world, "jane").await;
    let number = jane.get("/auth/me").await.body["user"]["id"].clone();
    jane.query(json!({ "action": "insert", "table": "notes", "data": { "text": "left behind" } })).await.data();
    let client = world.at(&world.tenant);
    let elsewhere = client.log_in("jane", PASSWORD).await;
    let key = jane.post("/auth/keys", &json!({ "name": "mine", "kind": "pat", "scopes": ["account.read"] })).await;
    let key = client.with_token(key.body["secret"].as_str().unwrap_or_else(|| panic!("{}", key.text)));
    assert_eq!(key.get("/auth/me").await.body["user"]["username"], "jane");
    let refused = send(&key, Method::PATCH, "/auth/me", &json!({ "name": "Not so" })).await;
    assert_eq!(refused.refusal(), (403, "scope_missing"));
    let refused = send(&key, Method::DELETE, "/auth/me", &json!({ "password": PASSWORD })).await;
    assert_eq!(refused.refusal(), (403, "session_required"));
    let delete = async |body: Json| send(&jane, Method::DELETE, "/auth/me", &body).await;
    assert_eq!(jane.send(Method::DELETE, "/auth/me", &[], None).await.refusal(), (400, "field_missing"));
    assert_eq!(delete(json!({ "confirm": "jane" })).await.field(), "password");
    let wrong = delete(json!({ "password": "wrong wrong" })).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((401, "credentials_invalid"), "password"));
    let gone = delete(json!({ "password": PASSWORD })).await;
    assert_eq!((gone.status, &*gone.text), (204, ""));
    for session in [&jane, &elsewhere] {
        assert_eq!(session.get("/auth/me").await.refusal(), (401, "session_invalid"));
    }
    assert_eq!(key.get("/auth/me").await.refusal(), (401, "key_invalid"));
    assert_eq!(log_in(&client, "jane", PASSWORD).await.refusal(), (401, "credentials_invalid"));
    let rows = root.query(json!({ "action": "select", "table": "notes" })).await;
    assert_eq!(rows.data()[0]["created_by"], number);
    let again = register(&client, "jane").await;
    assert_eq!(again.status, 201, "{}", again.text);
    assert_ne!(again.body["user"]["id"], number, "a number is given once");
    world.end().await;
}

async fn users_without_a_password_confirm_by_name(backend: Backend) {
    let world = World::new(backend).await;
    let jane = registered(&world, "jane").await;
    // As somebody is who came in by an outside account.
    stage::set(&world, &world.tenant, "_users", &[("password", store::Value::Null)]).await;
    let delete = async |body: Json| send(&jane, Method::DELETE, "/auth/me", &body).await;
    assert_eq!(delete(json!({})).await.field(), "confirm");
    let wrong = delete(json!({ "confirm": "john" })).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((400, "field_invalid"), "confirm"));
    assert_eq!(delete(json!({ "confirm": "jane" })).await.status, 204);
    world.end().await;
}

async fn one_administrator_stays(backend: Backend) {
    let world = World::new(backend).await;
    let root = world.user("root", "administrators").await;
    let body = json!({ "password": PASSWORD });
    let alone = send(&root, Method::DELETE, "/auth/me", &body).await;
    assert_eq!(alone.refusal(), (409, "last_administrator"));
    assert_eq!(root.get("/auth/me").await.status, 200);
    let mut all = vec![root];
    for name in ["second", "third", "fourth"] {
        all.push(world.user(name, "administrators").await);
    }
    let removals: Vec<_> = all
        .into_iter()
        .map(|administrator| {
            let body = body.clone();
            tokio::spawn(async move { send(&administrator, Method::DELETE, "/auth/me", &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for removal in removals {
        statuses.push(removal.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 204, 204, 409]);
    world.end().await;
}

async fn the_address_is_changed_by_confirming_the_new_one(backend: Backend) {
    let (world, post) = crate::post::Post::world(backend, |_| {}).await;
    let jane = registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    let change = async |email: &str, password: &str| {
        jane.post("/auth/email/change", &json!({ "email": email, "password": password })).await
    };
    assert_eq!(change("no address", PASSWORD).await.refusal(), (422, "email_unfit"));
    assert_eq!(change("new@example.com", "wrong wrong").await.refusal(), (401, "credentials_invalid"));
    assert_eq!(change("jane@example.com", PASSWORD).await.refusal(), (400, "field_invalid"));
    assert_eq!(change("first@example.com", PASSWORD).await.status, 202);
    let first = post.next("first@example.com").await.token();
    assert_eq!(change("New@example.com", PASSWORD).await.status, 202);
    let second = post.next("New@example.com").await.token();
    assert_eq!(jane.get("/auth/me").await.body["user"]["email"], "jane@example.com");
    let verify = async |token: &str| client.post("/auth/email/verify", &json!({ "token": token })).await;
    assert_eq!(verify(&first).await.refusal(), (410, "token_spent"), "a newer letter voids the older");
    // A link that resets the password went to the former address.
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    let reset = post.next("jane@example.com").await.token();
    assert_eq!(verify(&second).await.status, 204);
    assert_eq!(verify(&second).await.refusal(), (410, "token_spent"));
    let user = jane.get("/auth/me").await.body["user"].clone();
    assert_eq!(user["email"], "New@example.com");
    assert!(user["email_verified_at"].is_string());
    assert!(post.next("jane@example.com").await.text.contains("New@example.com"), "the old address is told");
    let body = json!({ "token": reset, "password": "another good one" });
    assert_eq!(client.post("/auth/password/reset", &body).await.refusal(), (410, "token_spent"));
    // Whoever has the address in the end keeps it.
    let john = registered(&world, "john").await;
    john.post("/auth/email/change", &json!({ "email": "wanted@example.com", "password": PASSWORD })).await;
    let token = post.next("wanted@example.com").await.token();
    assert_eq!(change("wanted@example.com", PASSWORD).await.status, 202);
    let quicker = post.next("wanted@example.com").await.token();
    assert_eq!(verify(&quicker).await.status, 204);
    let late = verify(&token).await;
    assert_eq!((late.refusal(), late.field()), ((409, "email_taken"), "email"));
    world.end().await;
}
