//! Callers that write and read while the server restarts, and what they were told.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use insula_tests::{Answer, Client};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::{task::JoinSet, time::timeout};

/// Longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of one write.
pub(crate) const PARTS: i64 = 2;

/// What callers met with.
#[derive(Default)]
pub(crate) struct Told {
    /// Writes that were acknowledged: writer and number.
    pub(crate) written: Mutex<HashSet<(i64, i64)>>,
    /// Requests that were answered.
    pub(crate) answered: AtomicUsize,
    /// Connections that could not be made.
    pub(crate) refused: Mutex<Vec<String>>,
    /// Requests that were sent again because their connection broke without an answer.
    pub(crate) repeated: AtomicUsize,
    /// Writes that were there although nobody had been told.
    pub(crate) silent: AtomicUsize,
    stop: AtomicBool,
}

impl Told {
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Sends a request until there is an answer.
    async fn send(&self, client: &Client, headers: &[(&str, &str)], body: &Json) -> (Answer, bool) {
        let mut again = false;
        loop {
            let body = body.to_string();
            let sent = client.try_send(Method::POST, "/query", headers, Some(body.into()));
            match timeout(PATIENCE, sent).await.expect("an answer or an end") {
                Ok(answer) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return (answer, again);
                }
                Err(error) => {
                    if error.is_connect() {
                        self.refused.lock().push(format!("{error:?}"));
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    } else {
                        again = true;
                        self.repeated.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}

/// Starts callers that go on until they are stopped. Half of them use a new connection for each request.
pub(crate) fn start(client: &Client, callers: i64, told: &Arc<Told>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for writer in 0..callers {
        let (client, told) = (client.clone(), Arc::clone(told));
        running.spawn(async move {
            let mut headers = vec![("content-type", "application/json")];
            if writer % 2 == 0 {
                headers.push(("connection", "close"));
            }
            for number in 0.. {
                if told.stop.load(Ordering::Acquire) {
                    break;
                }
                let (answer, again) = told.send(&client, &headers, &write(writer, number)).await;
                if again && answer.body["reason"] == "batch_failed" && answer.text.contains("unique_violation") {
                    told.silent.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{}", answer.text);
                }
                told.written.lock().insert((writer, number));
                let (answer, _) = told.send(&client, &headers, &read(writer, number)).await;
                assert_eq!((answer.status, &answer.body["data"]), (200, &json!(PARTS)), "{}", answer.text);
            }
        });
    }
    running
}

fn write(writer: i64, number: i64) -> Json {
    let queries: Vec<_> =
        (0..PARTS).map(|part| json!({"data": {"writer": writer, "number": number, "part": part}})).collect();
    json!({"action": "insert", "table": "notes", "rollback_on_error": true, "queries": queries})
}

fn read(writer: i64, number: i64) -> Json {
    let leaf = |column, value| json!({"column": column, "op": "=", "value": value});
    let filter = json!({"and": [leaf("writer", writer), leaf("number", number)]});
    json!({"action": "count", "table": "notes", "filter": filter})
}

/// Connects again and again, as a monitor does; what connections that were refused said.
pub(crate) async fn knock(address: String, told: Arc<Told>) -> usize {
    let mut knocks = 0;
    while !told.stop.load(Ordering::Acquire) {
        if let Err(error) = tokio::net::TcpStream::connect(&address).await {
            told.refused.lock().push(format!("{address}: {error}"));
        }
        knocks += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    knocks
}
