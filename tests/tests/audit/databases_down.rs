//! The database of one tenant fails: its entries wait, those of others do not.

use std::time::Duration;

use insula_tests::{Backend, Outside, on_all_databases, until};
use serde_json::json;

use crate::{entries, insert, installation, request_id};

on_all_databases!(entries_wait_for_their_database);

async fn entries_wait_for_their_database(backend: Backend) {
    let (program, outside) = (installation(backend), Outside::new(backend).await);
    let other = format!("{}x", program.tenant);
    let domain = format!("{other}.test");
    program.ok(&["tenant", "create", &other, "--domain", &domain, "--database", &outside.url()]);
    program.user(&other, "eve", "administrators");
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let eve = serving.user(&other, "eve").await;
    assert_eq!(entries(&eve, "action=login").await.len(), 1);
    outside.run("ALTER TABLE _audit RENAME TO _away").await;
    let mut theirs = Vec::new();
    for number in 0..3 {
        let reload = eve.post("/reload", &json!({})).await;
        assert_eq!(reload.status, 200, "{}", reload.text);
        theirs.insert(0, request_id(&reload).to_owned());
        let ours = request_id(&insert(&uma, &number.to_string()).await).to_owned();
        assert_eq!(entries(&ada, &format!("request_id={ours}")).await.len(), 1, "others go on");
    }
    let waiting = || {
        let files = std::fs::read_dir(program.path("data/audit")).unwrap();
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "waiting")).count()
    };
    assert_eq!(waiting(), 1, "one file for the tenant, however often it was tried");
    outside.run("ALTER TABLE _away RENAME TO _audit").await;
    let mut found = Vec::new();
    until("what waited has come in", Duration::from_secs(40), async || {
        found = entries(&eve, "action=reload").await;
        !found.is_empty()
    })
    .await;
    assert_eq!(found.iter().map(|entry| entry["request_id"].as_str().unwrap()).collect::<Vec<_>>(), theirs);
    assert_eq!(waiting(), 0);
    drop(serving);
    program.end();
    outside.end().await;
}
