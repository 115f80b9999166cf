//! PocketBase with the same tables, rows, users and rules.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Dialect, Found, Server, Target, call, free_address, insula::PASSWORD};
use crate::{
    http::{Requests, one, post},
    peers::{self, Peers},
    process::Process,
    workload::{BODY, Caller, Operation, ROWS, Rule},
};

/// With the durability that it is shipped with: a loss of power may take the last writes.
pub(crate) const NAME: &str = "pocketbase";
/// With `synchronous=FULL`, as Insula writes.
pub(crate) const FULL: &str = "pocketbase-full";

/// The newest that Go 1.26 builds.
const VERSION: &str = "v0.36.8";
const ADMINISTRATOR: &str = "admin@bench.test";

/// The example program of its documentation, and a way to ask for full durability.
const PROGRAM: &str = r#"package main

import (
	"log"
	"os"
	"strings"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	_ "modernc.org/sqlite"
)

const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)" +
	"&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)"

func main() {
	config := pocketbase.Config{}
	if strings.EqualFold(os.Getenv("BENCH_SYNCHRONOUS"), "full") {
		// The words of its own DefaultDBConnect, but for one.
		config.DBConnect = func(path string) (*dbx.DB, error) { return dbx.Open("sqlite", path+pragmas) }
	}
	if err := pocketbase.NewWithConfig(config).Start(); err != nil {
		log.Fatal(err)
	}
}
"#;

/// Brings the program in.
pub(crate) fn program(peers: &Peers) -> Result<PathBuf> {
    let folder = peers.folder("pocketbase")?;
    let module = format!("module bench\n\ngo 1.25.0\n\nrequire github.com/pocketbase/pocketbase {VERSION}\n");
    let go = |words: &[&str]| {
        let mut command = Command::new("go");
        // The Go that is here, rather than one that it fetches.
        command.args(words).env("GOTOOLCHAIN", "local");
        command
    };
    let mut commands =
        [go(&["mod", "tidy"]), go(&["build", "-trimpath", "-ldflags", "-s -w", "-o", "pocketbase", "."])];
    peers::install(&folder, &[("go.mod", &module), ("main.go", PROGRAM)], "pocketbase", &mut commands)
}

/// An installation with its data.
pub(crate) struct Installation {
    program: PathBuf,
    data: PathBuf,
    name: &'static str,
}

impl Installation {
    /// Makes one with the chat's tables, rows and rules; `name` says how durable it is.
    pub(crate) async fn make(program: &Path, parent: &Path, name: &'static str) -> Result<Self> {
        let made = Self { program: program.to_owned(), data: parent.join(name), name };
        fs::create_dir(&made.data)?;
        let output = made.command().args(["superuser", "upsert", ADMINISTRATOR, PASSWORD]).output()?;
        ensure!(output.status.success(), "No superuser is made: {}", String::from_utf8_lossy(&output.stderr));
        let (address, process) = made.serve()?;
        tables(address).await?;
        process.stop()?;
        rows(&made.data.join("data.db")).context("Cannot fill its database")?;
        Ok(made)
    }

    /// Starts it.
    pub(crate) fn serve(&self) -> Result<(SocketAddr, Process)> {
        let (address, mut command) = self.server()?;
        let process = Process::start_at(&mut command, address, &self.data.join("log"))?;
        Ok((address, process))
    }

    /// The server's command, and where it will listen.
    pub(crate) fn server(&self) -> Result<(SocketAddr, Command)> {
        let address = free_address()?;
        let mut command = self.command();
        command.args(["serve", "--http", &address.to_string()]);
        Ok((address, command))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--dir").arg(&self.data);
        command.env("BENCH_SYNCHRONOUS", if self.name == FULL { "full" } else { "" });
        command
    }
}

/// The chat on PocketBase, with the callers logged in.
pub(crate) async fn chat(program: &Path, parent: &Path, name: &'static str) -> Result<Server> {
    let (address, process) = Installation::make(program, parent, name).await?.serve()?;
    let mut headers = Vec::new();
    for caller in Caller::all() {
        headers.push(format!("Authorization: {}\r\n", log_in(address, "users", &caller.email()).await?));
    }
    let target = Target { address, name, dialect: Arc::new(PocketBase { headers }) };
    Ok(Server { process: Rc::new(process), target })
}

/// The token of a session of somebody in a collection of accounts.
async fn log_in(address: SocketAddr, collection: &str, identity: &str) -> Result<String> {
    let path = format!("/api/collections/{collection}/auth-with-password");
    let body = json!({ "identity": identity, "password": PASSWORD }).to_string();
    let begun = call(address, &post(address, &path, None, &body)).await?;
    Ok(begun["token"].as_str().context("No session begins")?.to_owned())
}

/// A number as PocketBase wants ids: fifteen digits.
fn id(number: i64) -> String {
    format!("{number:015}")
}

fn number(id: &Value) -> Option<i64> {
    id["id"].as_str()?.parse().ok()
}

/// Makes the collections and the callers' accounts.
async fn tables(address: SocketAddr) -> Result<()> {
    let token = log_in(address, "_superusers", ADMINISTRATOR).await?;
    let headers = format!("Authorization: {token}\r\n");
    let create =
        async |path: &str, body: Value| call(address, &one("POST", address, path, &headers, &body.to_string())).await;
    for caller in Caller::all() {
        let account = json!({
            "id": id(caller.user()), "email": caller.email(), "password": PASSWORD, "passwordConfirm": PASSWORD,
            "verified": true,
        });
        create("/api/collections/users/records", account).await?;
    }
    let text = |name: &str| json!({ "type": "text", "name": name, "required": true });
    let relation = |name: &str, to: &Value| json!({ "type": "relation", "name": name, "collectionId": to, "required": true, "maxSelect": 1 });
    let known = "@request.auth.id != \"\"";
    let room =
        json!({ "name": "room", "type": "base", "fields": [text("name")], "listRule": known, "viewRule": known });
    let room = create("/api/collections", room).await?["id"].clone();
    let users = json!("_pb_users_auth_");
    let members = json!({
        "name": "room_members", "type": "base", "fields": [relation("room", &room), relation("member", &users)],
        "indexes": ["CREATE UNIQUE INDEX room_members_key ON room_members (room, member)"],
    });
    create("/api/collections", members).await?;
    for rule in Rule::ALL {
        let table = rule.table();
        let reads = match rule {
            Rule::None => known,
            Rule::Owner => "author = @request.auth.id",
            Rule::Member => "room.room_members_via_room.member ?= @request.auth.id",
        };
        let writes = "author = @request.auth.id && room.room_members_via_room.member ?= author";
        let created_at = json!({ "type": "autodate", "name": "created_at", "onCreate": true });
        let messages = json!({
            "name": table, "type": "base", "listRule": reads, "viewRule": reads, "createRule": writes,
            "fields": [relation("room", &room), relation("author", &users), text("body"), created_at],
            "indexes": [format!("CREATE INDEX {table}_author ON {table} (author, id)")],
        });
        create("/api/collections", messages).await?;
    }
    Ok(())
}

/// Writes the rows into its file, because a hundred thousand requests for each table would take long. Most users are
/// only there to be members and authors.
fn rows(file: &Path) -> Result<()> {
    let callers = Caller::all().count() + 1;
    let mut script = format!(
        "BEGIN;
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000)
        INSERT INTO users (id, tokenKey) SELECT printf('%015d', n), printf('%050d', n) FROM number
        WHERE n NOT BETWEEN 2 AND {callers};
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100)
        INSERT INTO room (id, name) SELECT printf('%015d', n), 'Room ' || n FROM number;
        WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 9999)
        INSERT INTO room_members (id, room, member)
        SELECT printf('%015d', n), printf('%015d', n % 10 * 10 + n / 10 % 10 + 1), printf('%015d', n / 10 + 1) FROM number;"
    );
    for table in Rule::ALL.map(Rule::table) {
        script += &format!(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {ROWS})
            INSERT INTO {table} (id, room, author, body, created_at)
            SELECT printf('%015d', n), printf('%015d', n % 100 + 1), printf('%015d', n % 1000 + 1),
                'Message ' || n || ': the stairs on the third floor are wet again, please mind your step until noon.',
                strftime('%Y-%m-%d %H:%M:%S.000Z', 1767225600 + n, 'unixepoch')
            FROM number;"
        );
    }
    Connection::open(file)?.execute_batch(&(script + "COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize;"))?;
    Ok(())
}

/// How PocketBase is asked.
struct PocketBase {
    headers: Vec<String>,
}

impl Dialect for PocketBase {
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests) {
        let headers = &self.headers[caller.0 % self.headers.len()];
        let mut send = |method: &str, path: &str, body: &str| requests.push(method, address, path, headers, body);
        match operation {
            Operation::Read { id } => send("GET", &format!("/api/collections/message/records/{id:015}"), ""),
            Operation::Join { id } => {
                send("GET", &format!("/api/collections/message/records/{id:015}?expand=room"), "");
            }
            Operation::List { rule, offset, count } => {
                let (table, page, skip) = (rule.table(), offset / 20 + 1, u8::from(!count));
                let path = format!("/api/collections/{table}/records?page={page}&perPage=20&sort=id&skipTotal={skip}");
                send("GET", &path, "");
            }
            Operation::Insert { room } => {
                let (room, author) = (id(room), id(caller.user()));
                let body = format!(r#"{{"room":"{room}","author":"{author}","body":"{BODY}"}}"#);
                send("POST", "/api/collections/message/records", &body);
            }
            // Its batches are switched off as it is shipped, and nobody asks it for them.
            Operation::Bulk { .. } => {}
        }
    }

    fn found(&self, operation: Operation, answers: &[Value]) -> Result<Found> {
        let answer = answers.first().context("There is no answer")?;
        match operation {
            Operation::List { count, .. } => {
                Found::of(&answer["items"], count.then_some(&answer["totalItems"]), number)
            }
            _ => Found::of(&json!([answer]), None, number),
        }
    }
}
