//! How many statements a request sends to the database. No clock is asked, so that no noise can hide a request that has
//! become dearer; but all statements of this process are counted, so that there is one test in it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use insula_tests::{Backend, Client, World};
use serde_json::{Value as Json, json};

const TABLES: &str = "CREATE TABLE members (room BIGINT, member BIGINT, PRIMARY KEY (room, member)); \
    CREATE TABLE messages (id SERIAL, room BIGINT NOT NULL, author BIGINT, body VARCHAR(200), \
        CONSTRAINT messages_body UNIQUE (body)); \
    CREATE INDEX messages_author ON messages (author)";
const RULES: &str = r#"
[[rules]]
table = "messages"
groups = ["users"]
actions = ["insert", "select"]
when = { exists = { table = "members", where = { room = "$row.room", member = "$principal.id" } } }
"#;

/// Rows of a large batch.
const MANY: usize = 100;
/// Statements that are no request's own: sessions are prolonged and entries of the audit log stored now and then.
const STRAY: u64 = 15;

/// The rows of a batch, all new, of which some are not to be: those in another room, and those that are there already.
fn rows(count: usize, foreign: &[usize], taken: &[usize]) -> Vec<Json> {
    let row = |index| {
        let new = format!("{index} {}", uuid::Uuid::new_v4());
        let body = if taken.contains(&index) { "taken".to_owned() } else { new };
        json!({"data": {"room": if foreign.contains(&index) { 2 } else { 1 }, "body": body}})
    };
    (0..count).map(row).collect()
}

/// Sends a batch; tells how many statements that took, and what became of each row.
async fn send(client: &Client, rows: Vec<Json>, rollback: bool) -> (u64, Vec<String>) {
    let before = store::statements();
    let body = json!({"action": "insert", "table": "messages", "rollback_on_error": rollback, "queries": rows});
    let answer = client.query(body).await;
    let took = store::statements() - before;
    let results = answer.body["results"].as_array().unwrap();
    (took, results.iter().map(|result| result["reason"].as_str().unwrap_or("ok").to_owned()).collect())
}

async fn count(client: &Client) -> i64 {
    client.query(json!({"action": "count", "table": "messages"})).await.data().as_i64().unwrap()
}

async fn a_batch_takes_few_statements(backend: Backend) {
    let world = World::new(backend).await;
    world.tables(TABLES).await;
    world.rules(RULES);
    world.group("users", &["messages:rw"], &[]).await;
    let (user, admin) = (world.user("uma", "users").await, world.user("root", "administrators").await);
    admin.query(json!({"action": "insert", "table": "members", "data": {"room": 1, "member": 1}})).await.data();
    admin.query(json!({"action": "insert", "table": "messages", "data": {"room": 1, "body": "taken"}})).await.data();
    // On SQLite a statement for each row costs no trip, and needs no other text for another number of rows.
    let each = u64::from(matches!(backend, Backend::Sqlite));

    let (few, _) = send(&user, rows(2, &[], &[]), true).await;
    let (many, results) = send(&user, rows(MANY, &[], &[]), true).await;
    assert!(results.len() == MANY && results.iter().all(|result| result == "ok"), "{results:?}");
    assert!(many <= few + each * MANY as u64 + STRAY, "{backend:?}: {many} statements for {MANY} rows, {few} for 2");

    // One row that a rule refuses: what goes before it is said to be well, and all is undone.
    let before = count(&user).await;
    let (took, results) = send(&user, rows(MANY, &[57], &[]), true).await;
    assert_eq!((results.len(), results[56].as_str(), results[57].as_str()), (58, "ok", "rule_denied"));
    assert!(took <= 20 + each * 2 * MANY as u64 + STRAY, "{backend:?}: {took} statements");
    assert_eq!(count(&user).await, before);

    // Or all the others are kept, and those between refused ones are still written together.
    let (took, results) = send(&user, rows(MANY, &[0, 40, 41, 99], &[]), false).await;
    let refused: Vec<_> = (0..MANY).filter(|index| results[*index] == "rule_denied").collect();
    assert_eq!((refused, results.iter().filter(|result| *result == "ok").count()), (vec![0, 40, 41, 99], 96));
    assert!(took <= 50 + each * 2 * MANY as u64 + STRAY, "{backend:?}: {took} statements");
    assert_eq!(count(&user).await, before + 96);

    // What the database itself refuses is found by halves; rules and constraints may both be missed in one batch.
    let (took, results) = send(&user, rows(MANY, &[20], &[70]), false).await;
    assert_eq!((results[20].as_str(), results[70].as_str()), ("rule_denied", "unique_violation"));
    assert_eq!(results.iter().filter(|result| *result == "ok").count(), 98);
    assert!(took <= 90 + each * 8 * MANY as u64 + STRAY, "{backend:?}: {took} statements");
    assert_eq!(count(&user).await, before + 96 + 98);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_take_few_statements() {
    for backend in [Backend::Sqlite, Backend::Postgres, Backend::Mariadb] {
        a_batch_takes_few_statements(backend).await;
    }
}
