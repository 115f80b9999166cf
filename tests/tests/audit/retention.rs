//! Entries are kept as long as the configuration says.

use std::time::Duration;

use insula_tests::{Backend, Program, on_all_databases};

use crate::{entries, furnished, insert, request_id};

on_all_databases!(old_entries_go, what_is_read_is_written_down_where_asked_for);

async fn old_entries_go(backend: Backend) {
    let program = furnished(Program::initialised(backend).with("INSULA_AUDIT__RETENTION", "5s"));
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let old = request_id(&insert(&uma, "old").await).to_owned();
    assert_eq!(entries(&ada, &format!("request_id={old}")).await.len(), 1);
    drop(serving);
    tokio::time::sleep(Duration::from_secs(5)).await;
    // A tenant is swept when entries come in, and then not for an hour.
    let serving = program.serve().await;
    let (ada, uma) = (ada.token.unwrap(), uma.token.unwrap());
    let (ada, uma) = (serving.anonymous().with_token(ada), serving.anonymous().with_token(uma));
    let new = request_id(&insert(&uma, "new").await).to_owned();
    let found = entries(&ada, "action=insert").await;
    assert_eq!(found.iter().map(|entry| &entry["request_id"]).collect::<Vec<_>>(), [&*new]);
    drop(serving);
    program.end();
}

async fn what_is_read_is_written_down_where_asked_for(backend: Backend) {
    let program = furnished(Program::initialised(backend).with("INSULA_AUDIT__READS", "true"));
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    assert_eq!(uma.query(serde_json::json!({"action": "count", "table": "items"})).await.status, 200);
    let found = entries(&ada, "action=count&table=items").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["rows_affected"], serde_json::Value::Null);
    drop(serving);
    program.end();
}
