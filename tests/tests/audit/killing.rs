//! The process is killed: what it answered is in the audit log.

use std::collections::HashSet;

use insula_tests::{Backend, on_all_databases};

use crate::{entries, insert, installation, request_id};

on_all_databases!(an_answered_write_is_in_the_log_after_kill_9, two_processes_share_a_folder);

async fn an_answered_write_is_in_the_log_after_kill_9(backend: Backend) {
    let program = installation(backend);
    let (mut answered, mut ada) = (HashSet::new(), None);
    for round in 0..3 {
        let serving = program.serve().await;
        let uma = serving.user(&program.tenant, "uma").await;
        for number in 0..5 {
            let answer = insert(&uma, &format!("{round} {number}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answered.insert(request_id(&answer).to_owned());
            if round == 1 && number == 2 {
                // Some are moved before the kill, and some are not.
                ada = Some(serving.user(&program.tenant, "ada").await.token.unwrap());
                let ada = serving.anonymous().with_token(ada.clone().unwrap());
                entries(&ada, "").await;
            }
        }
        serving.kill();
    }
    let waiting: usize = std::fs::read_dir(program.path("data/audit")).unwrap().count();
    assert!(waiting > 0, "nothing waits, so that nothing is proved");
    let serving = program.serve().await;
    let ada = serving.anonymous().with_token(ada.unwrap());
    let found = entries(&ada, "action=insert").await;
    let ids: Vec<_> = found.iter().map(|entry| entry["request_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), answered.len(), "each once");
    assert_eq!(ids.into_iter().collect::<HashSet<_>>(), answered);
    serving.kill();
    program.end();
}

async fn two_processes_share_a_folder(backend: Backend) {
    let program = installation(backend);
    let (first, second) = (program.serve().await, program.serve().await);
    let ada = first.user(&program.tenant, "ada").await;
    let umas = [first.user(&program.tenant, "uma").await, second.user(&program.tenant, "uma").await];
    let there = second.anonymous().with_token(ada.token.clone().unwrap());
    let mut answered = HashSet::new();
    for round in 0..10 {
        for (process, uma) in umas.iter().enumerate() {
            let answer = insert(uma, &format!("{process} {round}")).await;
            answered.insert(request_id(&answer).to_owned());
        }
        // Whoever reads moves, while the other goes on writing.
        let reader = if round % 2 == 0 { &ada } else { &there };
        entries(reader, "action=insert").await;
    }
    // A process that lives moves its own entries within seconds.
    let mut ids = Vec::new();
    insula_tests::until("both have moved what they wrote", std::time::Duration::from_secs(30), async || {
        let found = entries(&ada, "action=insert").await;
        ids = found.iter().map(|entry| entry["request_id"].as_str().unwrap().to_owned()).collect();
        ids.len() >= answered.len()
    })
    .await;
    assert_eq!(ids.len(), answered.len(), "each once");
    assert_eq!(ids.into_iter().collect::<HashSet<_>>(), answered);
    drop((first, second));
    program.end();
}
