//! What the log tells, and what it must not.

use std::{cell::RefCell, io, sync::Once};

use serde_json::{Value, json};

use crate::stage::{GOOD, get, post, usual};

thread_local! {
    /// The lines of this thread's test; each test has a thread and a runtime on it.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to collect, for the rest of the process: a subscriber that goes again would leave gaps in other threads.
fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let builder = tracing_subscriber::fmt().event_format(logging::Json).with_max_level(tracing::Level::DEBUG);
        builder.with_writer(|| Lines).init();
    });
}

fn text() -> String {
    LINES.with_borrow(|lines| String::from_utf8_lossy(lines).into_owned())
}

fn find(message: &str) -> Value {
    let text = text();
    let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["fields"]["message"] == message).unwrap_or_else(|| panic!("{text}"))
}

#[tokio::test]
async fn one_line_a_request_with_all_that_is_known() {
    collect();
    let target = "/items/7?page=1&access_token=hidden";
    let seen = get(&usual(), target, &[GOOD, ("x-request-id", "theirs"), ("peer", "192.0.2.1")]).await;
    let line = find("answered");
    let span = &line["span"];
    assert_eq!(span["request_id"], seen.id());
    assert_eq!(span["client_request_id"], "theirs");
    assert_eq!((&span["route"], &span["method"]), (&json!("/items/{number}"), &json!("GET")));
    assert_eq!((&span["tenant"], &span["client"]), (&json!("one"), &json!("192.0.2.1")));
    assert_eq!(line["fields"]["status"], 200);
    assert!(line["fields"]["duration_ms"].is_f64(), "{line}");
    assert_eq!(text().matches("\"answered\"").count(), 1);
    get(&usual(), "/who", &[GOOD]).await;
    assert!(text().contains("\"principal\":\"00000000-0000-0000-0000-000000000007\""));
    assert!(!text().contains("hidden"), "query strings may hold tokens");
}

#[tokio::test]
async fn failures_with_their_source_and_refusals_quietly() {
    collect();
    let app = usual();
    let seen = get(&app, "/fail/internal", &[]).await;
    let line = find("The server failed to answer");
    assert_eq!((&line["level"], &line["fields"]["causes"]), (&json!("ERROR"), &json!("SELECT secret FROM table")));
    assert_eq!(line["span"]["request_id"], seen.id());
    get(&app, "/fail/panic", &[]).await;
    assert!(text().contains("a handler panicked: at /srv/secret"));
    get(&app, "/who", &[("authorization", "Bearer my-token")]).await;
    assert_eq!(find("Session expired or invalid")["level"], "DEBUG");
    post(&app, "/echo", r#"{"text":"a","password":"hunter2"}"#).await;
    assert!(!text().contains("my-token") && !text().contains("hunter2"));
}

#[tokio::test]
async fn the_credential_of_a_webhook_is_nowhere() {
    collect();
    let host = ("host", "webhooks.one.example");
    for target in ["/?access_token=hook", "/?token=secret-hook", "/nowhere?access_token=secret-hook"] {
        get(&usual(), target, &[host]).await;
    }
    let text = text();
    assert_eq!(text.matches("\"answered\"").count(), 3);
    assert!(!text.contains("hook\"") && !text.contains("secret-hook") && !text.contains("access_token"), "{text}");
}
