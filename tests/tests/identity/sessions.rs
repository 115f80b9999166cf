//! Where a user is logged in, and how that ends.

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::stage::{ago, log_in, rows, set, text};

on_all_databases!(one_sees_and_ends_ones_own, what_is_listed, logging_out_has_a_scope);

async fn delete(client: &Client, path: &str) -> Answer {
    client.send(Method::DELETE, path, &[], None).await
}

async fn alive(client: &Client) -> bool {
    client.get("/auth/status").await.status == 200
}

async fn one_sees_and_ends_ones_own(backend: Backend) {
    let world = World::new(backend).await;
    let first = world.user("uma", "users").await;
    let nobody = world.at(&world.tenant);
    let second = nobody.with_token(text(&log_in(&nobody, "uma").await, "token"));
    let otto = world.user("otto", "users").await;
    let listed = first.get("/auth/sessions").await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let sessions = listed.body["sessions"].as_array().unwrap();
    let currents: Vec<_> = sessions.iter().map(|session| session["current"].clone()).collect();
    assert_eq!(currents, [json!(false), json!(true)], "the newest first");
    let names: Vec<_> = sessions[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "id",
        "current",
        "created_at",
        "last_accessed",
        "expires_at",
        "refresh_expires_at",
        "ip",
        "user_agent",
        "method",
    ];
    assert_eq!(names, expected);
    assert_eq!((&sessions[0]["method"], &sessions[0]["ip"]), (&json!("password"), &json!("127.0.0.1")));
    let of = |session: &Json| format!("/auth/sessions/{}", text(session, "id"));
    // Another's session is as little there as none.
    for path in [of(&sessions[0]), format!("/auth/sessions/{}", uuid::Uuid::new_v4())] {
        assert_eq!(delete(&otto, &path).await.refusal(), (404, "not_found"));
    }
    let malformed = delete(&otto, "/auth/sessions/1%20or%201").await;
    assert_eq!(malformed.refusal(), (400, "field_invalid"));
    assert!(alive(&second).await);
    let gone = delete(&first, &of(&sessions[0])).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert!(!alive(&second).await && alive(&first).await && alive(&otto).await);
    assert_eq!(delete(&first, &of(&sessions[0])).await.refusal(), (404, "not_found"));
    // One's own as well.
    assert_eq!(delete(&first, &of(&sessions[1])).await.status, 204);
    assert!(!alive(&first).await);
    assert_eq!(nobody.get("/auth/sessions").await.refusal(), (401, "no_token"));
    assert_eq!(delete(&nobody, "/auth/sessions/x").await.refusal(), (401, "no_token"));
    world.end().await;
}

async fn what_is_listed(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let before = uma.get("/auth/sessions").await.body["sessions"][0].clone();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let after = uma.get("/auth/sessions").await.body["sessions"][0].clone();
    assert!(text(&before, "last_accessed") < text(&after, "last_accessed"), "what is in memory counts");
    assert_eq!(before["created_at"], after["created_at"]);
    // Ended for lack of use, but a refresh token brings it back; and ended for good.
    let nobody = world.at(&world.tenant);
    set(&world, &world.tenant, "_sessions", &[("expires_at", ago(60).into())]).await;
    let otto = nobody.with_token(text(&log_in(&nobody, "uma").await, "token"));
    assert_eq!(otto.get("/auth/sessions").await.body["sessions"].as_array().unwrap().len(), 2);
    set(&world, &world.tenant, "_sessions", &[("refresh_until", ago(60).into())]).await;
    assert_eq!(otto.get("/auth/sessions").await.body["sessions"].as_array().unwrap().len(), 1);
    world.end().await;
}

async fn logging_out_has_a_scope(backend: Backend) {
    let world = World::new(backend).await;
    let mine = world.user("uma", "users").await;
    let otto = world.user("otto", "users").await;
    let nobody = world.at(&world.tenant);
    let other = async || nobody.with_token(text(&log_in(&nobody, "uma").await, "token"));
    let (second, third) = (other().await, other().await);
    for (body, reason, field) in [
        (json!({"scope": "everybody"}), "field_invalid", "scope"),
        (json!({"scope": null}), "field_invalid", "scope"),
        (json!({"scope": "all", "user_id": 2}), "field_unknown", "user_id"),
    ] {
        let answer = mine.post("/auth/logout", &body).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, reason), field), "{body}");
    }
    assert!(alive(&mine).await, "a refused log out ends nothing");
    let out = json!({"success": true, "message": "Logged out"});
    assert_eq!(mine.post("/auth/logout", &json!({"scope": "others"})).await.body, out);
    assert!(alive(&mine).await && !alive(&second).await && !alive(&third).await);
    let second = other().await;
    assert_eq!(mine.post("/auth/logout", &json!({"scope": "this"})).await.body, out);
    assert!(!alive(&mine).await && alive(&second).await);
    let third = other().await;
    assert_eq!(second.post("/auth/logout", &json!({"scope": "all"})).await.body, out);
    assert!(!alive(&second).await && !alive(&third).await && alive(&otto).await);
    // Old clients send anything, as anything.
    for (kind, body) in [("application/json", "{\"x\":1}"), ("text/plain", "bye"), ("application/json", "{"), ("a", "")]
    {
        let client = other().await;
        let answer = client.send(Method::POST, "/auth/logout", &[("content-type", kind)], Some(body.into())).await;
        assert_eq!((answer.status, &answer.body), (200, &out), "{kind} {body}");
        assert!(!alive(&client).await);
    }
    let client = other().await;
    client.send(Method::POST, "/auth/logout", &[], Some(vec![b' '; 100_000])).await;
    assert!(!alive(&client).await);
    assert_eq!(rows(&world, &world.tenant, "_sessions", &["id"]).await.len(), 1);
    world.end().await;
}
