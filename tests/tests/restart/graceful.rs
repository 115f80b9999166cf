//! Restarts that wait until nobody asks anything.

use std::time::{Duration, Instant};

use insula_tests::{Backend, Client, Program};
use serde_json::json;

use crate::{FORCED, GRACEFUL, ask, has_restarted, installation, restart, restarted};

fn program(idle: &str, ceiling: &str) -> Program {
    let program = installation(Backend::Sqlite);
    program.with("INSULA_SERVER__RESTART_IDLE", idle).with("INSULA_SERVER__RESTART_CEILING", ceiling)
}

/// Asks something every 200 milliseconds until the program has restarted or the time is over.
async fn active(program: &Program, client: &Client, time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time && !has_restarted(program) {
        // When it restarts a connection of before may break.
        let _ = client.try_send(reqwest::Method::GET, "/auth/status", &[("connection", "close")], None).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activity_puts_it_off_and_monitors_do_not() {
    let program = program("1500ms", "60s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    let answer = ask(&program, &client, GRACEFUL).await;
    assert_eq!(answer.body["restart_wait_seconds"], 2, "{}", answer.text);
    let note = answer.body["note"].as_str().unwrap();
    assert!(note.contains("restarts after 2 s without a request, in 60 s at the latest"), "{note}");
    active(&program, &client, Duration::from_secs(4)).await;
    assert!(!has_restarted(&program), "activity puts it off");
    // A reload alone does not end the waiting, and is activity.
    assert_eq!(client.post("/reload", &json!({})).await.body["restarting"], json!(false));
    let begun = Instant::now();
    while !has_restarted(&program) {
        assert!(begun.elapsed() < Duration::from_secs(10), "monitors do not put it off");
        let _ = serving.anonymous().try_send(reqwest::Method::GET, "/health", &[("connection", "close")], None).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
    let client = serving.anonymous().at_host(format!("api.{}.test", program.tenant)).with_token(client.token.unwrap());
    assert_eq!(client.get("/auth/status").await.status, 200);
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ceiling_ends_the_waiting_also_of_those_who_ask_again() {
    let program = program("2s", "4s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    ask(&program, &client, GRACEFUL).await;
    let begun = Instant::now();
    active(&program, &client, Duration::from_secs(2)).await;
    let again = ask(&program, &client, GRACEFUL).await;
    let note = again.body["note"].as_str().unwrap();
    assert!(note.contains("in 2 s at the latest; this replaces the graceful restart that was pending"), "{note}");
    active(&program, &client, Duration::from_secs(10)).await;
    let took = begun.elapsed();
    assert!(has_restarted(&program), "the ceiling ends the waiting");
    assert!((Duration::from_millis(3_500)..Duration::from_secs(8)).contains(&took), "{took:?}");
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_one_replaces_it() {
    let program = program("60s", "120s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    ask(&program, &client, GRACEFUL).await;
    let forced = ask(&program, &client, FORCED).await;
    let note = forced.body["note"].as_str().unwrap();
    assert!(note.ends_with("the server restarts now; this replaces the graceful restart that was pending"), "{note}");
    restarted(&program).await;
    // The new program knows of none.
    let client = serving.anonymous().at_host(format!("api.{}.test", program.tenant)).with_token(client.token.unwrap());
    let next = restart(&program, &serving, &client, FORCED).await;
    assert_eq!(next.get("/auth/status").await.status, 200);
    drop(serving);
    program.end();
}
