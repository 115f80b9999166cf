//! Sessions: what a log-in and the renewal of a token cost, on Insula and on PocketBase.

use std::{net::SocketAddr, num::NonZeroUsize, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    chart,
    client::Answer,
    http::{Requests, post},
    load::User,
    machine,
    peers::{Peer, Peers},
    plan::{self, Plan},
    report, rounds,
    servers::{Server, call, insula, pocketbase},
    workload::{CALLERS, Caller},
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    peers: Peers,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
}

const SERVERS: [&str; 2] = [insula::NAME, pocketbase::NAME];
const WORKLOADS: [&str; 2] = ["log-in", "refresh"];

/// Measures, prints the table and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let mut servers = start(options, folder.path()).await?;
    let mut measurements = Vec::new();
    for workload in WORKLOADS {
        for connections in options.connections.iter().map(|connections| connections.get()) {
            for round in plan.rounds() {
                servers.reverse();
                for server in &servers {
                    let users = users(server, workload, connections).await?;
                    let measured = rounds::measure_users(server, workload, users, plan.load(), round).await?;
                    eprintln!("{}", report::progress(&measured));
                    measurements.push(measured);
                }
            }
        }
    }
    let table = report::table(&measurements, &SERVERS, pocketbase::NAME);
    let charts = chart::all(&measurements, &SERVERS, &machine);
    plan.finish_with("-sessions", &machine, &table, &measurements, &charts)
}

async fn start(options: &Options, folder: &Path) -> Result<Vec<Server>> {
    let mut servers = vec![insula::chat(&options.plan.program()?, folder).await?];
    let pocketbase = async { pocketbase::chat(&pocketbase::program(&options.peers)?, folder, pocketbase::NAME).await };
    servers.extend(options.peers.bring(Peer::Pocketbase, pocketbase).await);
    Ok(servers)
}

/// One user for each connection. Those who renew have logged in before.
async fn users(server: &Server, workload: &str, connections: usize) -> Result<Vec<Box<dyn User>>> {
    let (address, is_insula) = (server.target.address, server.target.name == insula::NAME);
    let mut users: Vec<Box<dyn User>> = Vec::new();
    for number in 0..connections {
        let log_in = log_in(address, is_insula, Caller(number % CALLERS));
        if workload == WORKLOADS[0] {
            users.push(Box::new(Arrival { request: log_in, is_insula }));
        } else {
            let begun = call(address, &log_in).await?;
            let field = if is_insula { "refresh_token" } else { "token" };
            let token = begun[field].as_str().context("No session begins")?.to_owned();
            users.push(Box::new(Stayer { address, is_insula, field, token }));
        }
    }
    Ok(users)
}

fn log_in(address: SocketAddr, is_insula: bool, caller: Caller) -> Vec<u8> {
    if is_insula {
        return post(address, "/auth/login", None, &insula::log_in(&caller.name(), insula::PASSWORD));
    }
    let body = json!({ "identity": caller.email(), "password": insula::PASSWORD }).to_string();
    post(address, "/api/collections/users/auth-with-password", None, &body)
}

/// Somebody who logs in again and again.
struct Arrival {
    request: Vec<u8>,
    is_insula: bool,
}

impl User for Arrival {
    fn ask(&mut self, requests: &mut Requests) {
        requests.push_bytes(&self.request);
    }

    fn hear(&mut self, answer: &Answer<'_>) -> bool {
        if self.is_insula { answer.is_success() } else { answer.is_fine() }
    }
}

/// Somebody who exchanges each token for the next.
struct Stayer {
    address: SocketAddr,
    is_insula: bool,
    field: &'static str,
    token: String,
}

impl User for Stayer {
    fn ask(&mut self, requests: &mut Requests) {
        let token = &self.token;
        if self.is_insula {
            let body = format!(r#"{{"refresh_token":"{token}"}}"#);
            requests.push("POST", self.address, "/auth/refresh", "", &body);
        } else {
            let headers = format!("Authorization: {token}\r\n");
            requests.push("POST", self.address, "/api/collections/users/auth-refresh", &headers, "");
        }
    }

    fn hear(&mut self, answer: &Answer<'_>) -> bool {
        let next = answer.is_fine().then(|| answer.json().ok()?[self.field].as_str().map(str::to_owned)).flatten();
        let heard = next.is_some();
        self.token = next.unwrap_or_else(|| std::mem::take(&mut self.token));
        heard
    }
}
