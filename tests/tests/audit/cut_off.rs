//! Whoever hangs up, or asks for too much time, is written down all the same: what they asked for may be done.

use std::time::Duration;

use insula_tests::{Backend, Client, Program, until};
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::{entries, installation};

const TOOLKIT: &str = r#"
name = "desk"
tables = ["items"]
[groups.all]
permissions = ["items:rw"]
endpoint_permissions = ["*"]
[associations]
users = "all"
[endpoints.0]
path = "add"
type = "internal"
pseudo_querys = ["add"]
[pseudo_querys.add]
action = "insert"
table = "items"
data = { name = "by a toolkit" }
"#;

/// Keeps others from writing into the tenant's file until it is dropped.
struct Busy(Connection);

impl Busy {
    fn begin(program: &Program) -> Self {
        let file = program.path("data/tenants").join(&program.tenant).join("insula.db");
        let connection = Connection::open_with_flags(&file, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }

    fn end(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// Asks for something and hangs up before it can be answered.
async fn hang_up(client: &Client, path: &str, body: Json) {
    let asking = client.post(path, &body);
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err(), "{path} was answered");
}

/// The one entry of an action of a user that was cut off.
async fn cut_off(ada: &Client, action: &str) -> Json {
    let mut found = Vec::new();
    until("the entry is there", Duration::from_secs(10), async || {
        found = entries(ada, &format!("outcome=cut_off&action={action}")).await;
        !found.is_empty()
    })
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn who_hangs_up_is_written_down() {
    let program = installation(Backend::Sqlite);
    program.file(&format!("data/tenants/{}/toolkits/desk.toml", program.tenant), TOOLKIT);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    for name in ["lamp", "chair"] {
        assert_eq!(crate::insert(&uma, name).await.status, 200);
    }
    // Both are known to the server before anything waits.
    assert_eq!(ada.get("/admin/groups").await.status, 200);
    let busy = Busy::begin(&program);
    let update = json!({"action": "update", "table": "items", "data": {"name": "lantern"}, "where": {"id": 1}});
    hang_up(&uma, "/query", update).await;
    hang_up(&uma, "/query", json!({"action": "delete", "table": "items", "where": {"id": 2}})).await;
    hang_up(&uma, "/tk/app/desk/add", json!({})).await;
    hang_up(&ada, "/admin/groups", json!({"name": "guests", "power": 5})).await;
    busy.end();
    let names = || async { uma.query(json!({"action": "select", "table": "items", "columns": ["name"]})).await };
    // What had begun is done; what still waited when nobody waited for it any more is left out.
    until("the write is done", Duration::from_secs(10), async || {
        names().await.body["data"] == json!([{"name": "lantern"}, {"name": "chair"}])
    })
    .await;
    for (action, path, username) in [
        ("update", "/query", "uma"),
        ("delete", "/query", "uma"),
        ("toolkit", "/tk/app/{toolkit}/{*path}", "uma"),
        ("request", "/admin/groups", "ada"),
    ] {
        let entry = cut_off(&ada, action).await;
        assert_eq!((&entry["path"], &entry["username"]), (&json!(path), &json!(username)), "{entry}");
        assert_eq!((&entry["method"], &entry["status"]), (&json!("POST"), &json!(499)), "{entry}");
        assert_eq!(entry["table"], if path == "/query" { json!("items") } else { Json::Null });
        assert_eq!(entry["rows_affected"], Json::Null);
        assert!(entry["request_id"].is_string() && entry["session_id_prefix"].is_string(), "{entry}");
        assert!(entry["duration_ms"].as_f64().unwrap() >= 200.0, "{entry}");
    }
    // What was answered is there once, with what came of it.
    assert_eq!(entries(&ada, "action=insert").await.len(), 2);
    drop(serving);
    program.end();
}

#[tokio::test]
async fn what_takes_too_long_is_written_down() {
    let program = installation(Backend::Sqlite)
        .with("INSULA_SERVER__REQUEST_TIMEOUT", "1s")
        .with("INSULA_LOG__LEVEL", "info")
        .with("INSULA_LOG__FORMAT", "json");
    program.file(&format!("data/tenants/{}/toolkits/desk.toml", program.tenant), TOOLKIT);
    let log = program.path("log");
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    let serving = program.serve_by(command.stderr(std::fs::File::create(&log).unwrap())).await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let busy = Busy::begin(&program);
    let late = crate::insert(&uma, "lamp").await;
    assert_eq!(late.refusal(), (504, "timeout"));
    let called = uma.post("/tk/app/desk/add", &json!({})).await;
    assert_eq!((called.refusal(), &called.body["endpoint"]), ((504, "timeout"), &json!("desk/add")), "{}", called.text);
    busy.end();
    let entry = cut_off(&ada, "insert").await;
    assert_eq!(entry["request_id"], late.body["request_id"]);
    assert_eq!((&entry["table"], &entry["path"]), (&json!("items"), &json!("/query")));
    let entry = cut_off(&ada, "toolkit").await;
    assert_eq!(
        (&entry["details"]["toolkit"], &entry["details"]["endpoint"]),
        (&json!("desk"), &json!("add")),
        "{entry}"
    );
    // The log names both by the route, and the call by its endpoint as well.
    for (answer, route, endpoint) in
        [(&late, "/query", Json::Null), (&called, "/tk/app/{toolkit}/{*path}", json!("desk/add"))]
    {
        let mut line = Json::Null;
        until("the line is written", Duration::from_secs(10), async || {
            let text = std::fs::read_to_string(&log).unwrap();
            let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
            line = lines.find(|line| is_end(line, answer)).unwrap_or_default();
            !line.is_null()
        })
        .await;
        assert_eq!((&line["span"]["route"], &line["span"]["endpoint"]), (&json!(route), &endpoint), "{line}");
    }
    drop(serving);
    program.end();
}

/// Whether a line of the log tells the end of an answer's request.
fn is_end(line: &Json, answer: &insula_tests::Answer) -> bool {
    line["fields"]["message"] == "answered" && line["span"]["request_id"] == answer.body["request_id"]
}
