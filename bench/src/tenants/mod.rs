//! Thousands of tenants on one server: what it costs to make, know, open and use them.

mod many;
mod summary;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::SliceRandom as _};
use serde::Serialize;
use tokio::time::sleep;

use self::many::Known;
use crate::{
    client::{Answer, Client},
    descriptors,
    http::{Requests, one},
    load::User,
    machine,
    plan::{self, Plan},
    process::Process,
    report::{self, Measurement},
    rounds,
    servers::{
        Server,
        insula::{self, Installation},
    },
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// How many tenants there are.
    #[arg(long, default_value = "10000")]
    tenants: NonZeroUsize,
    /// How many connections ask at the same time.
    #[arg(long, default_value = "16")]
    connections: NonZeroUsize,
}

/// Open tenants for which the memory is promised.
const OPEN: usize = 500;
/// Tenants that are open at once as it is shipped.
const SHIPPED: usize = 1_000;
/// Tenants of a short run.
const QUICK: usize = 200;
/// Tenants whose first request is timed.
const COLD: usize = 300;
/// A number of tenants that all fit among the open ones.
const SOME: usize = 100;
/// Files that Insula reckons with for an open tenant.
const FILES: u64 = 5;

/// The password is what 10,000 log-ins would wait for: it is hashed as cheaply as can be.
const CONFIG: &str = "[identity]\npassword_memory = \"64KB\"\npassword_passes = 1\n";

/// One thing that was measured.
#[derive(Serialize)]
#[serde(untagged)]
enum Fact {
    Load(Measurement),
    /// Times of single requests.
    Times {
        what: &'static str,
        tenants: usize,
        p50_ms: f64,
        p99_ms: f64,
        longest_ms: f64,
    },
    /// The server's memory.
    Memory {
        what: &'static str,
        tenants: usize,
        open: usize,
        kib: u64,
    },
}

/// Measures, prints the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let most = if plan.is_quick() { QUICK } else { usize::MAX };
    let count = options.tenants.get().min(most);
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let program = plan.program()?;
    let installation = Arc::new(Installation::make(&program, folder.path(), &(CONFIG.to_owned() + insula::CONFIG))?);
    let mut facts = Vec::new();
    let known = made(&installation, count, &mut facts).await?;
    as_shipped(options, &installation, &known, &mut facts).await?;
    all_open(options, &installation, &known, &mut facts).await?;
    let charts = summary::charts(&facts, &machine);
    plan.finish_with("-tenants", &machine, &summary::text(&facts, count), &facts, &charts)
}

/// Makes the tenants.
async fn made(installation: &Installation, count: usize, facts: &mut Vec<Fact>) -> Result<Arc<[Known]>> {
    let (address, process) = installation.serve()?;
    facts.push(memory("at rest", &process, 1, 0).await);
    facts.push(times("making a tenant", count, many::make(address, count).await?));
    process.stop()?;
    many::fill(installation, count)?;
    let (address, process) = installation.serve()?;
    let known = many::log_in(address, count).await?;
    installation.audited().await?;
    // So that the sessions are all on disk.
    process.stop()?;
    Ok(known)
}

/// With as many tenants open as it is shipped.
async fn as_shipped(
    options: &Options,
    installation: &Arc<Installation>,
    known: &Arc<[Known]>,
    facts: &mut Vec<Fact>,
) -> Result<()> {
    let plan = &options.plan;
    let count = known.len();
    let (address, process) = installation.serve()?;
    facts.push(memory("at rest", &process, count, 0).await);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut SmallRng::seed_from_u64(7));
    let first = first_requests(address, known, &order[..COLD.min(count)]).await?;
    facts.push(times("first request", count, first));
    first_requests(address, known, &order[..OPEN.min(count)]).await?;
    facts.push(memory("open", &process, count, OPEN.min(count)).await);
    let server = Server { process: Rc::new(process), target: insula::target(address, insula::NAME, &[]) };
    for round in plan.rounds() {
        for (workload, used) in [("1 tenant", 1), ("100 tenants", SOME.min(count)), ("all tenants", count)] {
            facts.push(Fact::Load(load(options, &server, workload, &known[..used], round).await?));
        }
        facts.push(Fact::Load(during_changes(options, installation, &server, known, round).await?));
    }
    facts.push(memory("after use", &server.process, count, SHIPPED.min(count)).await);
    Ok(())
}

/// With all of them open, or as many as the system lets one process have files for.
async fn all_open(
    options: &Options,
    installation: &Installation,
    known: &Arc<[Known]>,
    facts: &mut Vec<Fact>,
) -> Result<()> {
    // The server inherits the limit, and leaves a quarter of it to its callers. The installation's first tenant is open, too.
    let most = |files: u64| (files - files / 4) / FILES - 1;
    let wanted = (known.len() as u64 + 2) * FILES * 4 / 3;
    let limit = descriptors::try_to_raise(wanted);
    let count = limit.map_or(known.len(), |files| known.len().min(most(files) as usize));
    let open = (known.len() + 1).to_string();
    let (address, process) = installation.serve_with(&[("INSULA_STORE__MAX_OPEN", &open)])?;
    let all: Vec<usize> = (0..count).collect();
    first_requests(address, known, &all).await?;
    facts.push(memory("all open", &process, known.len(), count).await);
    let server = Server { process: Rc::new(process), target: insula::target(address, insula::NAME, &[]) };
    for round in options.plan.rounds() {
        for (workload, used) in [("1 tenant, all open", 1), ("all tenants, all open", count)] {
            facts.push(Fact::Load(load(options, &server, workload, &known[..used], round).await?));
        }
    }
    facts.push(memory("all open, after use", &server.process, known.len(), count).await);
    Ok(())
}

/// Reads of tenants at random.
async fn load(
    options: &Options,
    server: &Server,
    workload: &'static str,
    known: &[Known],
    round: usize,
) -> Result<Measurement> {
    let known: Arc<[Known]> = known.into();
    let user = |number: usize| -> Box<dyn User> {
        let random = SmallRng::seed_from_u64(number as u64);
        Box::new(Reader { known: Arc::clone(&known), random })
    };
    let users = (0..options.connections.get()).map(user).collect();
    let measured = rounds::measure_users(server, workload, users, options.plan.load(), round).await?;
    eprintln!("{}", report::progress(&measured));
    Ok(measured)
}

/// Reads of a hundred tenants while the schema of another changes again and again.
async fn during_changes(
    options: &Options,
    installation: &Arc<Installation>,
    server: &Server,
    known: &Arc<[Known]>,
    round: usize,
) -> Result<Measurement> {
    let (used, changed) = (SOME.min(known.len() - 1), known.len() - 1);
    let until = Instant::now() + options.plan.warm_up() + options.plan.time();
    let changes = async {
        let mut columns = 0;
        while columns == 0 || Instant::now() < until {
            let column = round * 1_000 + columns;
            many::change_schema(installation, server.target.address, changed, &known[changed], column).await?;
            columns += 1;
            sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(columns)
    };
    let (measured, columns) =
        tokio::try_join!(load(options, server, "100, schema changes", &known[..used], round), changes)?;
    eprintln!("{columns} schema changes meanwhile");
    Ok(measured)
}

/// Asks each of these tenants once, one after the other, and gives the milliseconds.
async fn first_requests(address: SocketAddr, known: &[Known], order: &[usize]) -> Result<Vec<f64>> {
    let mut client = Client::connect(address).await?;
    let mut times = Vec::with_capacity(order.len());
    for &number in order {
        let Known { host, header } = &known[number];
        let request = one("POST", host.as_str(), "/query", header, &read(1));
        let begun = Instant::now();
        let answer = client.send(&request).await?;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        ensure!(answer.is_success(), "{host} refuses a read: {}", answer.text());
    }
    Ok(times)
}

fn read(id: i64) -> String {
    format!(r#"{{"action":"select","table":"message","where":{{"id":{id}}}}}"#)
}

/// Somebody who reads here and there.
struct Reader {
    known: Arc<[Known]>,
    random: SmallRng,
}

impl User for Reader {
    fn ask(&mut self, requests: &mut Requests) {
        let Known { host, header } = &self.known[self.random.random_range(0..self.known.len())];
        let id = self.random.random_range(1..=many::ROWS);
        requests.push("POST", host.as_str(), "/query", header, &read(id));
    }

    fn hear(&mut self, answer: &Answer<'_>) -> bool {
        answer.is_success()
    }
}

/// The server's memory once it has settled.
async fn memory(what: &'static str, process: &Process, tenants: usize, open: usize) -> Fact {
    sleep(Duration::from_secs(2)).await;
    Fact::Memory { what, tenants, open, kib: process.memory().unwrap_or_default() }
}

fn times(what: &'static str, tenants: usize, mut milliseconds: Vec<f64>) -> Fact {
    milliseconds.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        let index = (milliseconds.len() as f64 * part).ceil() as usize;
        milliseconds.get(index.saturating_sub(1)).copied().unwrap_or_default()
    };
    Fact::Times { what, tenants, p50_ms: at(0.5), p99_ms: at(0.99), longest_ms: at(1.0) }
}
