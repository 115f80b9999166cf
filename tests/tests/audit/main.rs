//! Who did what is written down, once, whatever happens to the process, and read back by whoever may.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod commands;
mod cut_off;
mod databases_down;
mod killing;
mod reading;
mod retention;
mod secrets;
mod story;

use insula_tests::{Answer, Backend, Client, Program};
use serde_json::{Value as Json, json};

/// An installation with a table, the administrator `ada` and the user `uma`.
fn installation(backend: Backend) -> Program {
    furnished(Program::initialised(backend))
}

fn furnished(program: Program) -> Program {
    program.tables(
        "CREATE TABLE items (id SERIAL, name VARCHAR(40) NOT NULL); CREATE TABLE vault (id SERIAL, name VARCHAR(40))",
    );
    program.user(&program.tenant, "ada", "administrators");
    program.user(&program.tenant, "uma", "users");
    program.ok(&["group", "set", "users", "--rule", "items:rw"]);
    program
}

/// Inserts an item.
async fn insert(client: &Client, name: &str) -> Answer {
    client.query(json!({"action": "insert", "table": "items", "data": {"name": name}})).await
}

/// The id of a request by its answer.
fn request_id(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().unwrap()
}

/// All entries that a filter finds, the newest first.
async fn entries(client: &Client, filter: &str) -> Vec<Json> {
    let mut found = Vec::new();
    let mut before = String::new();
    loop {
        let answer = client.get(&format!("/admin/audit?limit=200&{filter}{before}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        found.extend(answer.body["entries"].as_array().unwrap().iter().cloned());
        match answer.body["next_before"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return found,
        }
    }
}
