//! Passwords that are forgotten, reset and changed.

use std::time::{Duration, Instant};

use insula_tests::{Backend, on_all_databases};
use kernel::Span;
use serde_json::json;

use crate::{
    post::{PASSWORD, Post, log_in, registered},
    stage,
};

const OTHER: &str = "another good one";

on_all_databases!(
    a_forgotten_password_is_reset_by_letter,
    of_many_resets_at_once_one_is_done,
    newer_letters_void_older_ones_and_links_expire,
    a_password_is_changed_by_whoever_knows_it,
    guessing_the_old_password_is_slowed_down,
    whoever_has_no_password_sets_one_with_a_new_session,
    asking_costs_the_same_whoever_has_the_address,
);

async fn a_forgotten_password_is_reset_by_letter(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    let jane = registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    let forgot = async |email: &str| client.post("/auth/password/forgot", &json!({ "email": email })).await;
    let (known, unknown) = (forgot("JANE@example.com").await, forgot("nobody@example.com").await);
    assert_eq!(known.status, 202, "{}", known.text);
    assert_eq!(known.whole(), unknown.whole());
    assert_eq!(forgot("nobody").await.refusal(), (422, "email_unfit"));
    let token = post.next("jane@example.com").await.token();
    post.settled(&world).await;
    assert_eq!(post.waiting("nobody@example.com"), 0);
    let reset = async |token: &str, password: &str| {
        client.post("/auth/password/reset", &json!({ "token": token, "password": password })).await
    };
    assert_eq!(reset("made-up", OTHER).await.refusal(), (410, "token_spent"));
    for unfit in ["short", "password1", "jane@example.com"] {
        assert_eq!(reset(&token, unfit).await.refusal(), (422, "password_unfit"), "{unfit}");
    }
    let verified = client.post("/auth/email/verify", &json!({ "token": token })).await;
    assert_eq!(verified.refusal(), (410, "token_spent"), "a token is good for one purpose");
    let another = world.another_tenant().await;
    let body = json!({ "token": token, "password": OTHER });
    assert_eq!(world.at(&another).post("/auth/password/reset", &body).await.refusal(), (410, "token_spent"));
    let done = reset(&token, OTHER).await;
    assert_eq!((done.status, &*done.text), (204, ""));
    assert_eq!(reset(&token, OTHER).await.refusal(), (410, "token_spent"));
    assert_eq!(jane.get("/auth/me").await.refusal(), (401, "session_invalid"));
    assert_eq!(log_in(&client, "jane", PASSWORD).await.refusal(), (401, "credentials_invalid"));
    let jane = client.log_in("jane", OTHER).await;
    assert!(jane.get("/auth/me").await.body["user"]["email_verified_at"].is_string(), "the address is proved");
    assert!(!post.next("jane@example.com").await.text.contains("token="), "the user is told");
    world.end().await;
}

async fn of_many_resets_at_once_one_is_done(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    let token = post.next("jane@example.com").await.token();
    let attempts: Vec<_> = (0..100)
        .map(|number| {
            let (client, body) = (client.clone(), json!({ "token": token, "password": format!("good one {number}") }));
            tokio::spawn(async move { client.post("/auth/password/reset", &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for attempt in attempts {
        statuses.push(attempt.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 99, "{statuses:?}");
    world.end().await;
}

async fn newer_letters_void_older_ones_and_links_expire(backend: Backend) {
    let (world, post) = Post::world(backend, |identity| identity.reset_lifetime = Span::seconds(2)).await;
    registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
        tokens.push(post.next("jane@example.com").await.token());
    }
    let reset = async |token: &str, password: &str| {
        client.post("/auth/password/reset", &json!({ "token": token, "password": password })).await
    };
    assert_eq!(reset(&tokens[0], OTHER).await.refusal(), (410, "token_spent"));
    assert_eq!(reset(&tokens[1], "short").await.refusal(), (422, "password_unfit"), "it is good still");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(reset(&tokens[1], OTHER).await.refusal(), (410, "token_spent"));
    // Nobody who is kept out comes in by a letter.
    let (open, identity) = (world.open(&world.tenant).await, &world.server.installation().features.identity);
    let jane = identity.find_user(&open, "jane").await.unwrap().unwrap();
    identity.set_status(&open, jane.id, identity::UserStatus::Suspended).await.unwrap();
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    post.settled(&world).await;
    assert_eq!(post.waiting("jane@example.com"), 0);
    world.end().await;
}

async fn a_password_is_changed_by_whoever_knows_it(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    let jane = registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    let elsewhere = client.log_in("jane", PASSWORD).await;
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    let token = post.next("jane@example.com").await.token();
    let missing = jane.post("/auth/password/change", &json!({ "password": OTHER })).await;
    assert_eq!((missing.refusal(), missing.field()), ((400, "field_missing"), "current_password"));
    for (old, new, refusal) in [
        ("wrong wrong", OTHER, (401, "credentials_invalid")),
        (PASSWORD, "short", (422, "password_unfit")),
        (PASSWORD, "jane", (422, "password_unfit")),
    ] {
        let body = json!({ "old_password": old, "password": new });
        assert_eq!(jane.post("/auth/password/change", &body).await.refusal(), refusal);
    }
    let body = json!({ "current_password": PASSWORD, "password": OTHER });
    assert_eq!(jane.post("/auth/password/change", &body).await.status, 204);
    assert_eq!(jane.get("/auth/me").await.status, 200, "the session goes on");
    assert_eq!(elsewhere.get("/auth/me").await.refusal(), (401, "session_invalid"), "the others end");
    assert_eq!(log_in(&client, "jane", PASSWORD).await.status, 401);
    assert_eq!(log_in(&client, "jane", OTHER).await.status, 200);
    let body = json!({ "token": token, "password": PASSWORD });
    assert_eq!(client.post("/auth/password/reset", &body).await.refusal(), (410, "token_spent"));
    post.next("jane@example.com").await;
    world.end().await;
}

async fn guessing_the_old_password_is_slowed_down(backend: Backend) {
    let (world, _) = Post::world(backend, |_| {}).await;
    let jane = registered(&world, "jane").await;
    let body = json!({ "current_password": "wrong wrong", "password": OTHER });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(jane.post("/auth/password/change", &body).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    assert_eq!(log_in(&world.at(&world.tenant), "jane", "guess again").await.status, 429, "as a log in is");
    world.end().await;
}

async fn whoever_has_no_password_sets_one_with_a_new_session(backend: Backend) {
    let (world, _) = Post::world(backend, |_| {}).await;
    let jane = registered(&world, "jane").await;
    stage::set(&world, &world.tenant, "_users", &[("password", store::Value::Null)]).await;
    let fresh = jane.post("/auth/password/change", &json!({ "password": "short" })).await;
    assert_eq!(fresh.refusal(), (422, "password_unfit"), "the session is young enough");
    stage::set(&world, &world.tenant, "_sessions", &[("created_at", stage::ago(660).into())]).await;
    tokio::time::sleep(stage::BELIEVED).await;
    let body = json!({ "password": OTHER });
    assert_eq!(jane.post("/auth/password/change", &body).await.refusal(), (403, "login_too_old"));
    world.end().await;
}

/// Known and unknown addresses in turn, so that what else the machine does strikes both alike.
async fn asking_costs_the_same_whoever_has_the_address(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..20 {
        for (times, email) in times.iter_mut().zip(["jane@example.com", "nobody@example.com"]) {
            let begun = Instant::now();
            let answer = client.post("/auth/password/forgot", &json!({ "email": email })).await;
            times.push(begun.elapsed());
            assert_eq!(answer.status, 202);
            post.settled(&world).await;
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (less, more) = (known.min(unknown), known.max(unknown));
    assert!(more < less * 3 + Duration::from_millis(5), "known {known:?}, unknown {unknown:?}");
    assert_eq!(post.waiting("jane@example.com"), 5, "so many an hour are sent");
    world.end().await;
}
