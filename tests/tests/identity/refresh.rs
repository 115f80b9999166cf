//! Refresh tokens: good once, of a family, forgiving two tabs at once and nobody else.

use std::collections::HashSet;

use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::{Value as Json, json};
use store::Value;

use crate::stage::{BELIEVED, ago, log_in, refresh, rows, set, text};

on_all_databases!(
    a_pair_for_a_token,
    used_again_it_ends_the_family,
    two_tabs_at_once,
    a_hundred_at_once,
    what_has_ended_and_what_has_not,
    whose_it_is,
    garbage,
    sessions_of_the_version_before,
);

async fn world(backend: Backend) -> (World, Client, Json) {
    let world = World::new(backend).await;
    world.user("uma", "users").await.post("/auth/logout", &json!({})).await;
    let nobody = world.at(&world.tenant);
    let begun = log_in(&nobody, "uma").await;
    (world, nobody, begun)
}

/// Lets the time pass in which the token before is forgiven.
async fn after_the_grace(world: &World) {
    assert_eq!(set(world, &world.tenant, "_sessions", &[("renewed_at", ago(11).into())]).await, 1);
}

async fn status(nobody: &Client, pair: &Json) -> u16 {
    nobody.with_token(text(pair, "token")).get("/auth/status").await.status
}

async fn a_pair_for_a_token(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let answer = refresh(&nobody, text(&first, "refresh_token")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let second = answer.body;
    let names = |pair: &Json| pair.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&second), ["success", "token", "refresh_token", "expires_at", "refresh_expires_at", "user"]);
    assert_eq!((names(&first), &first["user"]), (names(&second), &second["user"]));
    assert_ne!(first["token"], second["token"]);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    // Another tab may have sent the old one a moment ago.
    assert_eq!((status(&nobody, &first).await, status(&nobody, &second).await), (200, 200));
    after_the_grace(&world).await;
    tokio::time::sleep(BELIEVED).await;
    assert_eq!((status(&nobody, &first).await, status(&nobody, &second).await), (401, 200));
    let third = refresh(&nobody, text(&second, "refresh_token")).await;
    assert_eq!((third.status, status(&nobody, &third.body).await), (200, 200));
    assert_eq!(rows(&world, &world.tenant, "_sessions", &["id"]).await.len(), 1, "all of it is one session");
    world.end().await;
}

async fn used_again_it_ends_the_family(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let second = refresh(&nobody, text(&first, "refresh_token")).await.body;
    after_the_grace(&world).await;
    let again = refresh(&nobody, text(&first, "refresh_token")).await;
    assert_eq!(again.refusal(), (401, "refresh_invalid"));
    assert_eq!(status(&nobody, &second).await, 401, "at once");
    assert_eq!(refresh(&nobody, text(&second, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    assert!(rows(&world, &world.tenant, "_sessions", &["id"]).await.is_empty());
    // The one before the one before is not forgiven, however soon it comes.
    let first = log_in(&nobody, "uma").await;
    let second = refresh(&nobody, text(&first, "refresh_token")).await.body;
    let third = refresh(&nobody, text(&second, "refresh_token")).await.body;
    let other = log_in(&nobody, "uma").await;
    assert_eq!(refresh(&nobody, text(&first, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(refresh(&nobody, text(&third, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(status(&nobody, &other).await, 200, "another family of the same user");
    world.end().await;
}

async fn two_tabs_at_once(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let second = refresh(&nobody, text(&first, "refresh_token")).await.body;
    let other = refresh(&nobody, text(&first, "refresh_token")).await.body;
    assert_eq!(other["refresh_token"], second["refresh_token"]);
    assert_ne!(other["token"], second["token"]);
    assert_eq!((status(&nobody, &second).await, status(&nobody, &other).await), (200, 200));
    let third = refresh(&nobody, text(&other, "refresh_token")).await;
    assert_eq!((third.status, status(&nobody, &third.body).await), (200, 200));
    world.end().await;
}

async fn a_hundred_at_once(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (nobody, token) = (nobody.clone(), text(&first, "refresh_token").to_owned());
        asking.spawn(async move { refresh(&nobody, &token).await });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let tokens: HashSet<_> = answers.iter().map(|answer| text(&answer.body, "refresh_token")).collect();
    assert_eq!(tokens.len(), 1, "one renewal, and the same for all");
    assert_eq!(status(&nobody, &answers[99].body).await, 200);
    let next = refresh(&nobody, tokens.into_iter().next().unwrap()).await;
    assert_eq!((next.status, status(&nobody, &next.body).await), (200, 200));
    world.end().await;
}

async fn what_has_ended_and_what_has_not(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let sessions = async |values: &[(&'static str, Value)]| {
        assert_eq!(set(&world, &world.tenant, "_sessions", values).await, 1);
    };
    // Not used for an hour: the refresh token brings it back, and its longest life begins anew.
    let long = 40 * 24 * 3_600;
    let past: [(&str, Value); 3] =
        [("created_at", ago(long).into()), ("last_accessed", ago(7_200).into()), ("expires_at", ago(3_600).into())];
    sessions(&past).await;
    assert_eq!(status(&nobody, &first).await, 401);
    let second = refresh(&nobody, text(&first, "refresh_token")).await;
    assert_eq!((second.status, status(&nobody, &second.body).await), (200, 200), "{}", second.text);
    let session = nobody.with_token(text(&second.body, "token")).get("/auth/status").await.body["session"].clone();
    assert_eq!(session["remaining_seconds"], 3_600);
    // Its own time has passed.
    sessions(&[("refresh_until", ago(1).into())]).await;
    assert_eq!(refresh(&nobody, text(&second.body, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(status(&nobody, &second.body).await, 200, "which ends no session that is in use");
    // Logged out.
    let third = log_in(&nobody, "uma").await;
    nobody.with_token(text(&third, "token")).post("/auth/logout", &json!({})).await;
    assert_eq!(refresh(&nobody, text(&third, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    // Suspended: as the server does it, and as somebody does it in the database.
    let fourth = log_in(&nobody, "uma").await;
    assert_eq!(set(&world, &world.tenant, "_users", &[("status", "suspended".into())]).await, 1);
    assert_eq!(refresh(&nobody, text(&fourth, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(set(&world, &world.tenant, "_users", &[("status", "active".into())]).await, 1);
    assert_eq!(refresh(&nobody, text(&fourth, "refresh_token")).await.status, 200, "it was not used up");
    let fifth = log_in(&nobody, "uma").await;
    let (open, identity) = (world.open(&world.tenant).await, &world.server.installation().features.identity);
    let uma = identity.find_user(&open, "uma").await.unwrap().unwrap();
    identity.set_status(&open, uma.id, identity::UserStatus::Suspended).await.unwrap();
    assert_eq!(refresh(&nobody, text(&fifth, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    world.end().await;
}

async fn whose_it_is(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let other = world.another_tenant().await;
    world.user_of(&other, "uma", "users").await;
    let theirs = log_in(&world.at(&other), "uma").await;
    let token = text(&theirs, "refresh_token");
    assert_eq!(refresh(&nobody, token).await.refusal(), (403, "tenant_mismatch"));
    // An address names no tenant; the token does.
    let here = refresh(&world.anonymous(), token).await;
    assert_eq!((here.status, &here.body["user"]), (200, &theirs["user"]), "{}", here.text);
    assert_eq!(status(&world.at(&other), &here.body).await, 200);
    let ours = refresh(&world.anonymous(), text(&first, "refresh_token")).await;
    assert_eq!((ours.status, &ours.body["user"]), (200, &first["user"]));
    world.end().await;
}

async fn garbage(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let token = text(&first, "refresh_token");
    assert!(token.starts_with("inr_") && token[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    let mut flipped = token.to_owned();
    flipped.replace_range(102..103, if token.ends_with('0') { "1" } else { "0" });
    let long = "a".repeat(100_000);
    // The access token is none, and neither is the form of one.
    for bad in
        ["", "inr_", "inr_é", &token[..102], &format!("{token}0"), &flipped, &token[4..], &long, text(&first, "token")]
    {
        assert_eq!(refresh(&nobody, bad).await.refusal(), (401, "refresh_invalid"), "{bad}");
    }
    assert_eq!(refresh(&nobody, &format!("inr_{}", "z".repeat(99))).await.refusal(), (401, "refresh_invalid"));
    // Another tenant's id in front is that tenant's, which does not know it.
    let elsewhere = format!("inr_{}{}", "0".repeat(22), &token[26..]);
    assert_eq!(refresh(&world.anonymous(), &elsewhere).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(nobody.with_token(token).get("/permissions").await.refusal(), (401, "session_invalid"));
    for (body, refusal, field) in [
        (json!({}), (400, "field_missing"), "refresh_token"),
        (json!({"refresh_token": 7}), (400, "field_invalid"), "refresh_token"),
        (json!({"refresh_token": token, "grant_type": "refresh_token"}), (400, "field_unknown"), "grant_type"),
    ] {
        let answer = nobody.post("/auth/refresh", &body).await;
        assert_eq!((answer.refusal(), answer.field()), (refusal, field), "{body}");
    }
    assert_eq!(refresh(&nobody, token).await.status, 200, "none of it used it up");
    world.end().await;
}

async fn sessions_of_the_version_before(backend: Backend) {
    let (world, nobody, first) = world(backend).await;
    let old: [(&str, Value); 2] = [("refresh_until", Value::Null), ("method", Value::Null)];
    assert_eq!(set(&world, &world.tenant, "_sessions", &old).await, 1);
    assert_eq!(status(&nobody, &first).await, 200);
    assert_eq!(refresh(&nobody, text(&first, "refresh_token")).await.refusal(), (401, "refresh_invalid"));
    let listed = nobody.with_token(text(&first, "token")).get("/auth/sessions").await;
    let session = &listed.body["sessions"][0];
    assert_eq!((&session["method"], &session["refresh_expires_at"]), (&Json::Null, &Json::Null), "{}", listed.text);
    world.end().await;
}
