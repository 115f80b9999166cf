//! Tenants that are suspended or gone.

use insula_tests::{Backend, Client, on_all_databases};
use kernel::TenantStatus::{Active, Suspended};
use serde_json::json;

use crate::Neighbours;

on_all_databases!(a_suspended_tenant_is_silent_at_once, a_deleted_tenant_is_gone_with_its_data);

/// What a caller gets on some routes: a read, a write, an open one.
async fn refusals(client: &Client) -> Vec<(u16, String)> {
    let query = json!({"action": "count", "table": "secrets"});
    let answers = [
        client.query(query).await,
        client.get("/permissions").await,
        client.get("/auth/status").await,
        client
            .post("/auth/login", &json!({"method": "password", "username": "ada", "password": "correct horse battery"}))
            .await,
    ];
    answers.iter().map(|answer| (answer.status, answer.refusal().1.to_owned())).collect()
}

async fn a_suspended_tenant_is_silent_at_once(backend: Backend) {
    let Neighbours { world, other, ours, theirs } = Neighbours::new(backend).await;
    let tenants = &world.server.installation().tenants;
    // What is known already must not be believed any longer.
    assert_eq!(theirs.get("/permissions").await.status, 200);
    tenants.set_status(&other, Suspended).await.unwrap();
    let suspended = (403, "tenant_suspended".to_owned());
    assert_eq!(refusals(&theirs).await, vec![suspended.clone(); 4]);
    assert_eq!(theirs.get("/").await.refusal(), (403, "tenant_suspended"));
    let direct = world.anonymous().with_token(theirs.token.clone().unwrap());
    assert_eq!(refusals(&direct).await[..3], vec![suspended; 3], "the address is no way round");
    assert!(refusals(&ours).await.iter().all(|(status, _)| *status == 200), "the neighbour notices nothing");
    tenants.set_status(&other, Active).await.unwrap();
    assert!(refusals(&theirs).await.iter().all(|(status, _)| *status == 200), "all is as it was");
    world.end().await;
}

async fn a_deleted_tenant_is_gone_with_its_data(backend: Backend) {
    let Neighbours { world, other, ours, theirs } = Neighbours::new(backend).await;
    let tenants = &world.server.installation().tenants;
    let record = tenants.by_name(&other.name).await.unwrap();
    tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    assert_eq!(refusals(&theirs).await, vec![(421, "host_unknown".to_owned()); 4]);
    let direct = world.anonymous().with_token(theirs.token.clone().unwrap());
    assert_eq!(direct.get("/permissions").await.refusal(), (401, "session_invalid"));
    assert!(!other.folder.exists(), "its folder is still there");
    assert!(refusals(&ours).await.iter().all(|(status, _)| *status == 200), "the neighbour notices nothing");
    // The name and the domain are free again, and nothing of the old tenant comes back with them.
    let again =
        store::NewTenant { name: other.name.clone(), domain: other.domain.clone(), ..store::NewTenant::default() };
    let again = tenants.create(again, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    assert_eq!(theirs.get("/permissions").await.refusal(), (403, "tenant_mismatch"));
    let heir = world.user_of(&again, "ada", "administrators").await;
    let answer = heir.query(json!({"action": "count", "table": "secrets"})).await;
    assert_eq!(answer.refusal(), (400, "unknown_table"));
    world.end().await;
}
