//! Insula, set up as a user would: a tenant, tables, rules, users who log in.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Dialect, Found, Server, Target, call, free_address};
use crate::{
    client::Answer,
    http::{Requests, bearer, post},
    process::Process,
    rows,
    workload::{BODY, BULK, Caller, Operation, ROWS, Rule},
};

pub(crate) const NAME: &str = "insula";
const DOMAIN: &str = "bench.test";
pub(crate) const TENANT: &str = "bench-test";
pub(crate) const PASSWORD: &str = "only for measuring, gone in a minute";

/// One client is a stranger's flood to the limiter; everything else stays as it is shipped.
pub(crate) const CONFIG: &str = "[server.rate_limit]\nenabled = false\n";

/// Time within which entries of the audit log are in their tables, two hundred tenants a second.
const AUDITED: Duration = Duration::from_mins(5);

/// What the group of the callers may do.
const CODES: [&str; 4] = ["message:rw", "message_own:r", "message_room:r", "room:r"];

/// Who may write which messages, and who sees which of them.
const RULES: &str = r#"
[[rules]]
name = "members write in their rooms"
table = "message"
groups = ["users"]
actions = ["insert"]

[rules.when]
and = [
    { column = "author", op = "=", value = "$principal.id" },
    { exists = { table = "room_members", where = { room = "$row.room", member = "$row.author" } } },
]

[[rules]]
name = "authors see what they wrote"
table = "message_own"
groups = ["users"]
actions = ["select"]
when = { column = "author", op = "=", value = "$principal.id" }

[[rules]]
name = "members read in their rooms"
table = "message_room"
groups = ["users"]
actions = ["select"]
when = { exists = { table = "room_members", where = { room = "$row.room", member = "$principal.id" } } }
"#;

/// An installation on this disk, running or not.
pub(crate) struct Installation {
    program: PathBuf,
    parent: PathBuf,
    config: PathBuf,
}

impl Installation {
    /// Makes one in `parent`, with the first tenant and its administrator.
    pub(crate) fn make(program: &Path, parent: &Path, config: &str) -> Result<Self> {
        let file = parent.join("insula.toml");
        fs::write(&file, config)?;
        let password = parent.join("password");
        fs::write(&password, PASSWORD)?;
        let made = Self { program: program.to_owned(), parent: parent.to_owned(), config: file };
        let password = password.to_str().context("The folder's name is no text")?;
        made.run(&["init", "--domain", DOMAIN, "--admin", "admin", "--json", "--password-file", password])?;
        Ok(made)
    }

    /// A tenant's folder.
    pub(crate) fn tenant(&self, name: &str) -> PathBuf {
        self.parent.join("insula/tenants").join(name)
    }

    /// Waits until the entries of the audit log are in the tables of their tenants: a server would do that beside what is measured.
    pub(crate) async fn audited(&self) -> Result<()> {
        let spool = self.parent.join("insula/audit");
        let begun = Instant::now();
        while fs::read_dir(&spool).is_ok_and(|mut files| files.next().is_some()) {
            ensure!(begun.elapsed() < AUDITED, "The entries of the audit log wait in {} for ever", spool.display());
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Runs a command of the program to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Result<()> {
        let output = self.command(words).output().with_context(|| format!("Cannot run {}", self.program.display()))?;
        if !output.status.success() {
            bail!("`insula {}` failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Puts a migration into a tenant's folder, where the next `migrate` finds it.
    pub(crate) fn migration(&self, tenant: &str, file: &str, sql: &str) -> Result<()> {
        let folder = self.tenant(tenant).join("migrations");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(file), sql).with_context(|| format!("Cannot write {file}"))
    }

    /// Starts the server.
    pub(crate) fn serve(&self) -> Result<(SocketAddr, Process)> {
        self.serve_with(&[])
    }

    /// Starts the server with these environment variables.
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Result<(SocketAddr, Process)> {
        let (address, mut command) = self.server()?;
        let numbers = free_address()?;
        command.envs(variables.iter().copied()).env("INSULA_SERVER__ADMIN_LISTEN", numbers.to_string());
        let process = Process::start(&mut command, &self.parent.join("insula.ready"))?;
        Ok((address, process.with_numbers(numbers)))
    }

    /// The server's command, and where it will listen.
    pub(crate) fn server(&self) -> Result<(SocketAddr, Command)> {
        let address = free_address()?;
        Ok((address, self.command(&["serve", "--listen", &address.to_string()])))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--data").arg(self.parent.join("insula")).env("INSULA_CONFIG", &self.config);
        command
    }
}

/// The chat: its tables with their rows, its rules, and the callers' sessions.
pub(crate) async fn chat(program: &Path, parent: &Path) -> Result<Server> {
    let tables = Rule::ALL.map(Rule::table);
    with_callers(&chat_installation(program, parent, CONFIG, &rows::sqlite(&tables, ROWS))?).await
}

/// The chat before its start.
pub(crate) fn chat_installation(program: &Path, parent: &Path, config: &str, schema: &str) -> Result<Installation> {
    let installation = Installation::make(program, parent, config)?;
    installation.migration(TENANT, "0001_chat.sql", schema)?;
    installation.run(&["migrate"])?;
    for code in CODES {
        installation.run(&["group", "set", "users", "--tenant", TENANT, "--rule", code])?;
    }
    installation.run(&["group", "set", "anonymous", "--tenant", TENANT, "--rule", "message:r"])?;
    fs::write(installation.tenant(TENANT).join("rules.toml"), RULES)?;
    Ok(installation)
}

/// Starts an installation, and registers the callers.
pub(crate) async fn with_callers(installation: &Installation) -> Result<Server> {
    let (address, process) = installation.serve()?;
    let mut tokens = Vec::new();
    for caller in Caller::all() {
        tokens.push(register(address, caller).await?);
    }
    Ok(Server { process: Rc::new(process), target: target(address, NAME, &tokens) })
}

/// Registers a caller, and gives the session's token.
pub(crate) async fn register(address: SocketAddr, caller: Caller) -> Result<String> {
    let body = json!({ "username": caller.name(), "email": caller.email(), "password": PASSWORD }).to_string();
    let begun = call(address, &post(address, "/auth/register", None, &body)).await?;
    ensure!(begun["user"]["id"] == caller.user(), "{} has got another number: {}", caller.name(), begun["user"]);
    token(&begun)
}

/// Insula as callers with these tokens see it.
pub(crate) fn target(address: SocketAddr, name: &'static str, tokens: &[String]) -> Target {
    let headers = tokens.iter().map(|token| bearer(Some(token))).collect();
    Target { address, name, dialect: Arc::new(Insula { headers }) }
}

/// Logs the first tenant's administrator in, and gives the session's token.
pub(crate) async fn administrator(address: SocketAddr) -> Result<String> {
    let body = log_in("admin", PASSWORD);
    token(&call(address, &post(address, "/auth/login", None, &body)).await?)
}

/// Logs the first of the callers in, and gives the session's token.
pub(crate) async fn user(address: SocketAddr) -> Result<String> {
    let body = log_in(&Caller(0).name(), PASSWORD);
    token(&call(address, &post(address, "/auth/login", None, &body)).await?)
}

/// The token of a session that has just begun.
pub(crate) fn token(begun: &Value) -> Result<String> {
    Ok(begun["token"].as_str().context("No session begins")?.to_owned())
}

/// The body of a log-in.
pub(crate) fn log_in(username: &str, password: &str) -> String {
    json!({ "method": "password", "username": username, "password": password }).to_string()
}

/// How Insula is asked: everything is a query, and everybody shows a token.
struct Insula {
    headers: Vec<String>,
}

impl Dialect for Insula {
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests) {
        let headers = &self.headers[caller.0 % self.headers.len()];
        let mut query = |body: &str| requests.push("POST", address, "/query", headers, body);
        let caller = caller.user();
        match operation {
            Operation::Read { id } => {
                query(&format!(r#"{{"action":"select","table":"message","where":{{"id":{id}}}}}"#));
            }
            Operation::Join { id } => query(&format!(
                r#"{{"action":"select","table":"message","columns":["id","room","author","body","created_at","room.name"],"joins":[{{"table":"room","on":"message.room = room.id"}}],"where":{{"id":{id}}}}}"#
            )),
            Operation::List { rule, offset, count } => {
                let table = rule.table();
                query(&format!(
                    r#"{{"action":"select","table":"{table}","order_by":[{{"column":"id"}}],"limit":20,"offset":{offset}}}"#
                ));
                if count {
                    query(&format!(r#"{{"action":"count","table":"{table}"}}"#));
                }
            }
            Operation::Insert { room } => query(&format!(
                r#"{{"action":"insert","table":"message","data":{{"room":{room},"author":{caller},"body":"{BODY}"}}}}"#
            )),
            Operation::Bulk { room } => {
                let one = format!(r#"{{"data":{{"room":{room},"author":{caller},"body":"{BODY}"}}}}"#);
                query(&format!(
                    r#"{{"action":"insert","table":"message","rollback_on_error":true,"queries":[{}]}}"#,
                    vec![one; BULK].join(",")
                ));
            }
        }
    }

    fn is_success(&self, answer: &Answer<'_>) -> bool {
        answer.is_success()
    }

    fn found(&self, operation: Operation, answers: &[Value]) -> Result<Found> {
        found(operation, answers)
    }
}

/// What answers in Insula's form say: rows, and for a list with a count a number after them.
pub(crate) fn found(_: Operation, answers: &[Value]) -> Result<Found> {
    let rows = answers.first().context("There is no answer")?;
    Found::of(&rows["data"], answers.get(1).map(|count| &count["data"]), |row| row["id"].as_i64())
}
