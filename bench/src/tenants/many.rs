//! Thousands of tenants: made over HTTP, each with a table and a session of its own.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::Client,
    http::{bearer, one, post},
    servers::insula::{self, Installation, PASSWORD},
};

/// Tenants that are made, or logged in to, at the same time.
const AT_ONCE: usize = 4;

/// The smallest table that a read can be about; each tenant has its own.
const SCHEMA: &str = "\
CREATE TABLE message (id INTEGER PRIMARY KEY, room BIGINT NOT NULL, author BIGINT NOT NULL, body TEXT NOT NULL);
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100)
INSERT INTO message SELECT n, 1, 1,
    'Message ' || n || ': the stairs on the third floor are wet again, please mind your step until noon.'
FROM number;
";
/// Messages of each tenant.
pub(super) const ROWS: i64 = 100;

/// A tenant, as its administrator sees it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) host: String,
    /// The header with the token of a session.
    pub(super) header: String,
}

pub(super) fn name(number: usize) -> String {
    format!("t{number}")
}

fn host(number: usize) -> String {
    format!("api.{}.bench.test", name(number))
}

/// Makes tenants, each with an administrator, and gives the milliseconds that each took.
pub(super) async fn make(address: SocketAddr, count: usize) -> Result<Vec<f64>> {
    let token = insula::administrator(address).await?;
    let headers = bearer(Some(&token));
    at_once(
        count,
        "made",
        move |number| {
            let domain = format!("{}.bench.test", name(number));
            let admin = json!({ "username": "admin", "email": "admin@bench.test", "password": PASSWORD });
            let body = json!({ "name": name(number), "domain": domain, "admin": admin }).to_string();
            one("POST", address, "/admin/tenants", &headers, &body)
        },
        address,
    )
    .await
    .map(|answers| answers.into_iter().map(|(milliseconds, _)| milliseconds).collect())
}

/// Puts a table into each, with one run of the program for all of them.
pub(super) fn fill(installation: &Installation, count: usize) -> Result<()> {
    for number in 0..count {
        installation.migration(&name(number), "0001_message.sql", SCHEMA)?;
    }
    let begun = Instant::now();
    installation.run(&["migrate", "--all"])?;
    eprintln!("{count} tenants migrated in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Logs in to each.
pub(super) async fn log_in(address: SocketAddr, count: usize) -> Result<Arc<[Known]>> {
    let body = insula::log_in("admin", PASSWORD);
    let answers =
        at_once(count, "logged in to", move |number| post(host(number).as_str(), "/auth/login", None, &body), address)
            .await?;
    let known = answers.iter().enumerate().map(|(number, (_, body))| {
        let begun: serde_json::Value = serde_json::from_slice(body)?;
        Ok(Known { host: host(number), header: bearer(Some(&insula::token(&begun)?)) })
    });
    known.collect()
}

/// Sends one request for each tenant over a few connections; gives the milliseconds and the body of each answer.
async fn at_once(
    count: usize,
    done: &'static str,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
    address: SocketAddr,
) -> Result<Vec<(f64, Vec<u8>)>> {
    let (next, request) = (Arc::new(AtomicUsize::new(0)), Arc::new(request));
    let mut connections = JoinSet::new();
    for _ in 0..AT_ONCE.min(count) {
        let (next, request) = (Arc::clone(&next), Arc::clone(&request));
        let mut client = Client::connect(address).await?;
        connections.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(answers);
                }
                let begun = Instant::now();
                let answer = client.send(&request(number)).await.with_context(|| format!("Tenant {number}"))?;
                ensure!(answer.is_success(), "Tenant {number} is refused: {}", answer.text());
                answers.push((number, begun.elapsed().as_secs_f64() * 1_000.0, answer.body.to_vec()));
                if (number + 1) % 1_000 == 0 {
                    eprintln!("{} tenants {done}", number + 1);
                }
            }
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(connection) = connections.join_next().await {
        all.extend(connection??);
    }
    all.sort_unstable_by_key(|(number, ..)| *number);
    Ok(all.into_iter().map(|(_, milliseconds, body)| (milliseconds, body)).collect())
}

/// Changes one tenant's schema: adds a column, and lets the server know.
pub(super) async fn change_schema(
    installation: &Arc<Installation>,
    address: SocketAddr,
    number: usize,
    known: &Known,
    column: usize,
) -> Result<()> {
    let (tenant, file) = (name(number), format!("{:04}_column.sql", column + 2));
    let sql = format!(
        "ALTER TABLE message ADD COLUMN extra{column} INTEGER;\nCREATE INDEX extra{column} ON message (extra{column});\n"
    );
    installation.migration(&tenant, &file, &sql)?;
    let program = Arc::clone(installation);
    tokio::task::spawn_blocking(move || program.run(&["migrate", "--tenant", &tenant])).await??;
    let mut client = Client::connect(address).await?;
    let reloaded = client.send(&one("POST", known.host.as_str(), "/reload", &known.header, "{}")).await?;
    ensure!(reloaded.is_success(), "A reload is refused: {}", reloaded.text());
    let body = format!(r#"{{"action":"select","table":"message","columns":["extra{column}"],"where":{{"id":1}}}}"#);
    let read = client.send(&one("POST", known.host.as_str(), "/query", &known.header, &body)).await?;
    ensure!(read.is_success(), "The new column is not there: {}", read.text());
    Ok(())
}
