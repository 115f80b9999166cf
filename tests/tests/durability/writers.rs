//! Many callers that write at once, and what they were told.

use std::{collections::HashMap, sync::Arc};

use insula_tests::{Client, Program};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

/// Rows of a batch.
const BATCH: i64 = 5;

/// What names a write: the round, the writer and the write's number.
pub(crate) type Write = (i64, i64, i64);

/// What was acknowledged: how many rows each write has.
pub(crate) type Acknowledged = Arc<Mutex<HashMap<Write, i64>>>;

/// Starts writers that go on until the server is gone. Every third write is a batch of five rows, all or nothing.
pub(crate) fn start(client: &Client, round: i64, writers: i64, acknowledged: &Acknowledged) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let (client, acknowledged) = (client.clone(), Arc::clone(acknowledged));
        running.spawn(async move {
            for number in 0.. {
                let rows = if number % 3 == 0 { BATCH } else { 1 };
                let headers = [("content-type", "application/json")];
                let body = write((round, writer, number), rows).to_string();
                match client.try_send(Method::POST, "/query", &headers, Some(body.into())).await {
                    Ok(answer) => {
                        assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{}", answer.text);
                        acknowledged.lock().insert((round, writer, number), rows);
                    }
                    Err(_gone) => break,
                }
            }
        });
    }
    running
}

/// One row, or a batch.
fn write((round, writer, number): Write, rows: i64) -> Json {
    let row = |part| json!({"round": round, "writer": writer, "number": number, "part": part, "parts": rows, "note": "x".repeat(100)});
    if rows == 1 {
        return json!({"action": "insert", "table": "notes", "data": row(0)});
    }
    let queries: Vec<_> = (0..rows).map(|part| json!({"data": row(part)})).collect();
    json!({"action": "insert", "table": "notes", "rollback_on_error": true, "queries": queries})
}

/// What is there: the rows of each write, of which none may be half or twice there.
pub(crate) fn stored(program: &Program) -> HashMap<Write, i64> {
    let text = program.ok(&["export", "notes", "--format", "jsonl"]);
    let mut found: HashMap<Write, Vec<(i64, i64)>> = HashMap::new();
    for line in text.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let field = |name: &str| row[name].as_i64().unwrap();
        let write = (field("round"), field("writer"), field("number"));
        found.entry(write).or_default().push((field("part"), field("parts")));
    }
    let whole = |(write, mut parts): (Write, Vec<(i64, i64)>)| {
        parts.sort_unstable();
        let rows = parts[0].1;
        let expected: Vec<_> = (0..rows).map(|part| (part, rows)).collect();
        assert_eq!(parts, expected, "write {write:?} is there in part or twice");
        (write, rows)
    };
    found.into_iter().map(whole).collect()
}
