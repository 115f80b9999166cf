//! Parse Server, a Node back end, in a PostgreSQL database of its own with the same rows.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::{Dialect, Found, Server, Target, call, free_address, insula::PASSWORD};
use crate::{
    http::{Requests, one},
    peers::{self, Peers},
    process::Process,
    workload::{BODY, BULK, Caller, Operation, ROWS},
};

pub(crate) const NAME: &str = "parse";
const VERSION: &str = "9.10.0";
/// How its master key is shown.
const MASTER: &str = "X-Parse-Application-Id: bench\r\nX-Parse-Master-Key: only for measuring\r\n";
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The rule, as Parse has rules: a program that looks at every message before it is kept.
const CLOUD_CODE: &str = r#"
Parse.Cloud.beforeSave("Message", async ({ object, user, master }) => {
  if (master) return;
  const author = object.get("author");
  const members = new Parse.Query("RoomMember").equalTo("room", object.get("room")).equalTo("member", user);
  if (!user || !author || author.id !== user.id || !(await members.first({ useMasterKey: true }))) {
    throw new Parse.Error(Parse.Error.OPERATION_FORBIDDEN, "Members write in their rooms.");
  }
});
"#;

/// Brings the program in.
pub(crate) fn program(peers: &Peers) -> Result<PathBuf> {
    let folder = peers.folder("parse")?;
    // It looks into the insides of `router`, which are others from 2.3 on.
    let module =
        json!({ "private": true, "dependencies": { "parse-server": VERSION }, "overrides": { "router": "2.2.0" } });
    let module = module.to_string();
    let files = [("package.json", module.as_str()), ("cloud.js", CLOUD_CODE)];
    peers::install(&folder, &files, "node_modules/parse-server/bin/parse-server", &mut [peers::npm_install()])
}

/// The server's command, and where it will listen.
pub(crate) fn server(program: &Path, folder: &Path, url: &str) -> Result<(SocketAddr, Command)> {
    let address = free_address()?;
    let cloud_code = folder.join("cloud.js");
    fs::write(&cloud_code, CLOUD_CODE)?;
    let mut command = Command::new("node");
    command.arg(program).current_dir(folder).env("NODE_ENV", "production").env("PARSE_SERVER_CLOUD", cloud_code);
    command.envs([
        ("PARSE_SERVER_APPLICATION_ID", "bench"),
        ("PARSE_SERVER_MASTER_KEY", "only for measuring"),
        ("PARSE_SERVER_DATABASE_URI", url),
        ("PARSE_SERVER_ALLOW_CUSTOM_OBJECT_ID", "true"),
        ("PARSE_SERVER_LOGS_FOLDER", "null"),
        ("PARSE_SERVER_HOST", &address.ip().to_string()),
        ("PORT", &address.port().to_string()),
    ]);
    Ok((address, command))
}

/// Starts it on an empty database, fills that, and logs the callers in.
pub(crate) async fn start(program: &Path, folder: &Path, url: &str) -> Result<Server> {
    let (address, mut command) = server(program, folder, url)?;
    let process = Rc::new(Process::start_at(&mut command, address, &folder.join("parse.log"))?);
    let begun = Instant::now();
    while call(address, &one("GET", address, "/parse/health", "", "")).await.is_err() {
        ensure!(begun.elapsed() < READY_WITHIN, "Parse Server was not ready after {READY_WITHIN:?}");
        sleep(Duration::from_millis(50)).await;
    }
    classes(address).await?;
    rows(url).await.context("Cannot fill the database of Parse Server")?;
    let mut headers = Vec::new();
    for caller in Caller::all() {
        let account = json!({ "objectId": caller.user().to_string(), "username": caller.name(), "password": PASSWORD });
        // As the master makes users no session begins.
        call(address, &one("POST", address, "/parse/users", MASTER, &account.to_string())).await?;
        let log_in = log_in(address, caller);
        let begun = call(address, &log_in).await?;
        let token = begun["sessionToken"].as_str().context("No session begins")?;
        headers.push(format!("X-Parse-Application-Id: bench\r\nX-Parse-Session-Token: {token}\r\n"));
    }
    Ok(Server { process, target: Target { address, name: NAME, dialect: Arc::new(Parse { headers }) } })
}

/// The bytes of a log-in.
pub(crate) fn log_in(address: SocketAddr, caller: Caller) -> Vec<u8> {
    let body = json!({ "username": caller.name(), "password": PASSWORD }).to_string();
    one("POST", address, "/parse/login", "X-Parse-Application-Id: bench\r\n", &body)
}

async fn classes(address: SocketAddr) -> Result<()> {
    let pointer = |class: &str| json!({ "type": "Pointer", "targetClass": class });
    let known = json!({ "requiresAuthentication": true });
    let permissions = json!({ "get": known, "find": known, "count": known, "create": known });
    let members = json!({ "room": pointer("Room"), "member": pointer("_User") });
    let messages = json!({ "room": pointer("Room"), "author": pointer("_User"), "body": { "type": "String" } });
    for (class, fields, permissions) in [
        ("Room", json!({ "name": { "type": "String" } }), &permissions),
        ("RoomMember", members, &json!({})),
        ("Message", messages, &permissions),
    ] {
        let path = format!("/parse/schemas/{class}");
        let body = json!({ "className": class, "fields": fields, "classLevelPermissions": permissions });
        call(address, &one("POST", address, &path, MASTER, &body.to_string())).await?;
    }
    Ok(())
}

/// Writes the rows into its tables, because a hundred thousand requests would take long.
async fn rows(url: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let script = format!(
        r#"INSERT INTO "Room" ("objectId", "createdAt", "updatedAt", name)
        SELECT n, now(), now(), 'Room ' || n FROM generate_series(1, 100) AS n;
        INSERT INTO "RoomMember" ("objectId", "createdAt", "updatedAt", room, member)
        SELECT n, now(), now(), n % 10 * 10 + n / 10 % 10 + 1, n / 10 + 1 FROM generate_series(0, 9999) AS n;
        INSERT INTO "Message" ("objectId", "createdAt", "updatedAt", room, author, body)
        SELECT n, to_timestamp(1767225600 + n), to_timestamp(1767225600 + n), n % 100 + 1, n % 1000 + 1,
            'Message ' || n || ': the stairs on the third floor are wet again, please mind your step until noon.'
        FROM generate_series(1, {ROWS}) AS n;
        CREATE INDEX room_members_key ON "RoomMember" (room, member);
        ANALYZE;"#
    );
    client.batch_execute(&script).await?;
    drop(client);
    // It ends with its client.
    let _ = connection.await;
    Ok(())
}

/// How Parse Server is asked.
struct Parse {
    headers: Vec<String>,
}

impl Dialect for Parse {
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests) {
        let headers = &self.headers[caller.0 % self.headers.len()];
        let mut send = |method: &str, path: &str, body: &str| requests.push(method, address, path, headers, body);
        match operation {
            Operation::Read { id } => send("GET", &format!("/parse/classes/Message/{id}"), ""),
            Operation::Join { id } => send("GET", &format!("/parse/classes/Message/{id}?include=room"), ""),
            Operation::List { offset, .. } => {
                send("GET", &format!("/parse/classes/Message?order=createdAt&limit=20&skip={offset}"), "");
            }
            Operation::Insert { room } => send("POST", "/parse/classes/Message", &message(room, caller)),
            Operation::Bulk { room } => {
                let message = message(room, caller);
                let one = format!(r#"{{"method":"POST","path":"/parse/classes/Message","body":{message}}}"#);
                send("POST", "/parse/batch", &format!(r#"{{"requests":[{}]}}"#, vec![one; BULK].join(",")));
            }
        }
    }

    fn found(&self, operation: Operation, answers: &[Value]) -> Result<Found> {
        let answer = answers.first().context("There is no answer")?;
        let id = |row: &Value| row["objectId"].as_str()?.parse().ok();
        match operation {
            Operation::List { .. } => Found::of(&answer["results"], None, id),
            _ => Found::of(&json!([answer]), None, id),
        }
    }
}

fn message(room: i64, caller: Caller) -> String {
    let pointer = |class: &str, id: i64| format!(r#"{{"__type":"Pointer","className":"{class}","objectId":"{id}"}}"#);
    let (room, author) = (pointer("Room", room), pointer("_User", caller.user()));
    format!(r#"{{"room":{room},"author":{author},"body":"{BODY}"}}"#)
}
