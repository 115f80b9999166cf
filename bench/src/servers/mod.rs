//! The servers that can be measured: how each is brought up, and how it wants to be asked.

pub(crate) mod bare;
pub(crate) mod bare_postgres;
pub(crate) mod insula;
pub(crate) mod parse;
pub(crate) mod pocketbase;
pub(crate) mod postgrest;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    client::{Answer, Client},
    http::Requests,
    process::Process,
    workload::{Caller, Operation},
};

/// A server that is measured, or one way to ask it.
#[derive(Clone)]
pub(crate) struct Server {
    /// Its process; several ways to ask share one.
    pub(crate) process: Rc<Process>,
    /// How it is asked.
    pub(crate) target: Target,
}

/// Where a server is, and what it understands.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its name in tables and results.
    pub(crate) name: &'static str,
    /// How it wants to be asked.
    pub(crate) dialect: Arc<dyn Dialect>,
}

/// How a server wants to be asked, with whatever its callers need to show.
pub(crate) trait Dialect: Send + Sync {
    /// Adds the requests of one operation, which are sent one after the other.
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests);

    /// Whether an answer is what was asked for.
    fn is_success(&self, answer: &Answer<'_>) -> bool {
        answer.is_fine()
    }

    /// What the answers to one operation say.
    fn found(&self, operation: Operation, answers: &[Value]) -> Result<Found>;
}

/// What all servers must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The ids of the rows, in their order.
    pub(crate) ids: Vec<i64>,
    /// How many there are in all, where that was asked.
    pub(crate) total: Option<i64>,
}

impl Found {
    /// Out of rows that are objects: each one's id is what `id` makes of it.
    pub(crate) fn of(rows: &Value, total: Option<&Value>, id: impl Fn(&Value) -> Option<i64>) -> Result<Self> {
        let ids: Option<Vec<_>> = rows.as_array().and_then(|rows| rows.iter().map(id).collect());
        let ids = ids.with_context(|| format!("These are no rows with ids: {rows}"))?;
        Ok(Self { ids, total: total.and_then(Value::as_i64) })
    }
}

impl Target {
    /// Sends one operation over a new connection, and gives the bodies of its answers.
    pub(crate) async fn ask(&self, operation: Operation, caller: Caller) -> Result<Vec<Vec<u8>>> {
        let mut requests = Requests::default();
        self.dialect.write(operation, caller, self.address, &mut requests);
        let mut client = Client::connect(self.address).await?;
        let mut bodies = Vec::new();
        for request in requests.iter() {
            let answer = client.send(request).await?;
            if !self.dialect.is_success(&answer) {
                bail!("{} refuses {operation:?} with {}: {}", self.name, answer.status, answer.text());
            }
            bodies.push(answer.body.to_vec());
        }
        Ok(bodies)
    }

    /// What the server finds.
    pub(crate) async fn find(&self, operation: Operation, caller: Caller) -> Result<Found> {
        let bodies = self.ask(operation, caller).await?;
        let answers = bodies.iter().map(|body| serde_json::from_slice(body)).collect::<Result<Vec<_>, _>>()?;
        self.dialect.found(operation, &answers).with_context(|| format!("What {} answers", self.name))
    }
}

/// Asks for something that must not be refused, and gives the answer's JSON.
pub(crate) async fn call(address: SocketAddr, request: &[u8]) -> Result<Value> {
    let mut client = Client::connect(address).await?;
    let answer = client.send(request).await?;
    let line = || String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next().unwrap_or_default()).into_owned();
    ensure!(answer.is_fine(), "`{}` is refused with {}: {}", line(), answer.status, answer.text());
    if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
}

/// A loopback address that nobody uses at this moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
