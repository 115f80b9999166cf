//! Where Insula may not make tables in the adopted database, its own lie in a second one.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use insula_tests::{Backend, Client, Outside, Program, on_all_databases, until};
use serde_json::{Value as Json, json};

use crate::{adopted, tenant};

on_all_databases!(nothing_is_added_to_the_adopted_database);

#[tokio::test]
async fn urls_may_come_from_files() {
    let (outside, beside) = (Outside::new(Backend::Sqlite).await, Outside::new(Backend::Sqlite).await);
    let program = Program::initialised(Backend::Sqlite);
    let private = |name: &str, url: String| {
        let file = program.file(name, &url);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    };
    let (data, system) = (private("data.url", outside.url()), private("system.url", beside.url() + "\n"));
    let create = ["tenant", "create", "crm"];
    let both = ["--database-file", &data, "--system-database-file", &system];
    assert_eq!(program.json(&[&create[..], &both].concat())["adopted"], true);
    assert!(outside.tables().await == 0 && beside.tables().await > 0);
    for wrong in [
        &["--database", "x", "--database-file", &*data][..],
        &["--system-database-file", &system],
        &["--database-file", "nowhere.url"],
        // What everybody can read is no secret.
        &["--database-file", &program.file("open.url", "x")],
    ] {
        assert_eq!(program.fails(&[&create, wrong].concat()).0, 2, "{wrong:?}");
    }
    program.end();
    outside.end().await;
    beside.end().await;
}

async fn seen(client: &Client) -> Vec<Json> {
    let query = json!({"action": "select", "table": "notes", "columns": ["id"], "order_by": [{"column": "id"}]});
    client.query(query).await.data().as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
}

async fn nothing_is_added_to_the_adopted_database(backend: Backend) {
    let outside = Outside::new(backend).await;
    let rows = "INSERT INTO notes (note, pinned_to) VALUES ('of uma', 1), ('of otto', 2), ('of the boss', 3), ('of nobody', NULL)";
    let table = "CREATE TABLE notes (id SERIAL, note VARCHAR(40), pinned_to BIGINT);";
    outside.run(&(backend.spelled(table) + rows)).await;
    let before = outside.tables().await;
    let beside = Outside::new(Backend::Sqlite).await;
    let system = if backend == Backend::Sqlite { beside.url() } else { backend.url() };
    let program = adopted(&outside, &["--system-database", &system]);
    let name = tenant(&outside);
    for (user, group) in [("uma", "users"), ("otto", "users"), ("boss", "moderators")] {
        program.user(&name, user, group);
    }
    let serving = program.serve().await;
    let (uma, boss) = (serving.user(&name, "uma").await, serving.user(&name, "boss").await);
    let all = json!({"column": "id", "op": ">", "value": 0});
    let touch = json!({"action": "update", "table": "notes", "data": {"note": "seen"}, "filter": all});
    // The users' groups and the rows are in different databases.
    for (code, mine, changed) in
        [("rg", json!([1, 2]), None), ("rwg", json!([1, 2]), Some(2)), ("rwo", json!([1]), Some(1))]
    {
        for group in ["users", "moderators"] {
            program.ok(&["group", "set", group, "--tenant", &name, "--replace", "--rule", &format!("notes:{code}")]);
        }
        let expected = changed.map_or(json!("table_denied"), |rows| json!(rows));
        // The server notices within seconds what the command line changed.
        until("the rule is in force", Duration::from_secs(10), async || {
            let answer = uma.query(touch.clone()).await;
            let (status, reason) = answer.refusal();
            expected == if status == 200 { answer.body["rows_affected"].clone() } else { json!(reason) }
        })
        .await;
        assert_eq!((json!(seen(&uma).await), json!(seen(&boss).await)), (mine, json!([3])), "{code}");
    }
    assert_eq!(outside.tables().await, before, "tables were added to the adopted database");
    drop(serving);
    program.end();
    let system = format!("insula_{}_system", outside.name);
    match backend {
        Backend::Sqlite => beside.end().await,
        // Deleting the tenant has removed what was made for it, so that the name is free again.
        Backend::Postgres => outside.run(&format!("CREATE SCHEMA {system}; DROP SCHEMA {system}")).await,
        Backend::Mariadb => outside.run(&format!("CREATE DATABASE {system}; DROP DATABASE {system}")).await,
    }
    outside.end().await;
}
