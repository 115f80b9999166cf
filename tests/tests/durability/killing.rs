//! The process is killed again and again while many write.

use std::time::Duration;

use crate::{
    installation,
    writers::{self, Acknowledged},
};

const ROUNDS: i64 = 20;
const WRITERS: i64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kill_9() {
    let program = installation();
    let acknowledged = Acknowledged::default();
    let mut session = None;
    for round in 0..ROUNDS {
        let serving = program.serve().await;
        let client = match &session {
            // The session of the first round is a thing that was acknowledged, too.
            Some(token) => serving.anonymous().with_token(token),
            None => serving.user(&program.tenant, "ada").await,
        };
        session.clone_from(&client.token);
        let writers = writers::start(&client, round, WRITERS, &acknowledged);
        tokio::time::sleep(Duration::from_millis(400 + 37 * (round as u64 % 7))).await;
        serving.kill();
        writers.join_all().await;
    }
    let acknowledged = acknowledged.lock().clone();
    for round in 0..ROUNDS {
        let writes = acknowledged.keys().filter(|(of, _, _)| *of == round).count();
        assert!(writes > 0, "round {round} wrote nothing, so that it proves nothing");
    }
    let stored = writers::stored(&program);
    let lost: Vec<_> = acknowledged.iter().filter(|(write, rows)| stored.get(write) != Some(rows)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged writes are lost: {lost:?}", lost.len(), acknowledged.len());
    // What was written but not acknowledged any more: at most the one that each writer had under way.
    let surplus = stored.len() - acknowledged.len();
    assert!(surplus <= (ROUNDS * WRITERS) as usize, "{surplus} writes are there that nobody was told of");
    println!("{} writes acknowledged in {ROUNDS} rounds, all there; {surplus} more were under way", acknowledged.len());
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beginning_that_is_killed_is_begun_or_not() {
    for round in 0..5 {
        let program = insula_tests::Program::new(insula_tests::Backend::Sqlite);
        let serving = program.serve().await;
        let body =
            serde_json::json!({"domain": "begun.test", "admin": {"username": "ada", "password": "correct horse"}});
        let client = serving.anonymous();
        let init = tokio::spawn(async move { begin(&client, &body).await });
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        serving.kill();
        let answered = init.await.unwrap();
        let serving = program.serve().await;
        let body =
            serde_json::json!({"domain": "begun.test", "admin": {"username": "ada", "password": "correct horse"}});
        let again = begin(&serving.anonymous(), &body).await.unwrap();
        assert!(again == 200 || again == 409, "{again}");
        assert!(answered != Some(200) || again == 409, "an acknowledged beginning is gone");
        serving.anonymous().at_host("api.begun.test").log_in("ada", "correct horse").await;
        serving.kill();
    }
}

/// The status that the first call was answered with, if it was.
async fn begin(client: &insula_tests::Client, body: &serde_json::Value) -> Option<u16> {
    let headers = [("content-type", "application/json"), ("x-forwarded-proto", "https")];
    let sent = client.try_send(reqwest::Method::POST, "/api/insula/init", &headers, Some(body.to_string().into()));
    sent.await.ok().map(|answer| answer.status)
}
