//! A chat on SQLite: one message written, read, listed, on Insula, on the bare server and on PocketBase, in turn.

use std::{num::NonZeroUsize, path::Path};

use anyhow::{Result, bail};

use crate::{
    agreement, chart, machine,
    peers::{Peer, Peers},
    plan::{self, Plan},
    promises::{self, Ratio},
    report,
    rounds::{self, Case},
    servers::{Server, bare, insula, pocketbase},
    workload::{Operation, Rule, Workload},
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run; all on SQLite when none is named.
    workloads: Vec<Workload>,
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    peers: Peers,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
    /// Measure the bare server alone.
    #[arg(long)]
    bare_only: bool,
}

const SERVERS: [&str; 5] = [bare::NAME, bare::AUTOCOMMIT, insula::NAME, pocketbase::NAME, pocketbase::FULL];
const READS: &[&str] = &["read"];
const LISTS: &[&str] = &["list", "list-own", "list-member"];
const INSERTS: &[&str] = &["insert"];

const PROMISES: [Ratio; 7] = [
    beside(READS, bare::NAME, None, 0.7),
    beside(LISTS, bare::NAME, None, 0.85),
    beside(INSERTS, bare::NAME, Some(64), 0.6),
    beside(INSERTS, bare::AUTOCOMMIT, Some(64), 8.0),
    beside(INSERTS, pocketbase::NAME, None, 8.0),
    beside(READS, pocketbase::NAME, None, 6.0),
    beside(LISTS, pocketbase::NAME, None, 4.0),
];

const fn beside(
    workloads: &'static [&'static str],
    beside: &'static str,
    connections: Option<usize>,
    at_least: f64,
) -> Ratio {
    Ratio { workloads, of: insula::NAME, beside, connections, at_least }
}

/// What all servers are asked before they are measured.
const QUESTIONS: [Operation; 7] = [
    Operation::Read { id: 4_711 },
    Operation::List { rule: Rule::None, offset: 40, count: false },
    Operation::List { rule: Rule::Owner, offset: 20, count: false },
    Operation::List { rule: Rule::Member, offset: 80, count: false },
    Operation::List { rule: Rule::None, offset: 980, count: true },
    Operation::List { rule: Rule::Owner, offset: 80, count: true },
    Operation::List { rule: Rule::Member, offset: 0, count: true },
];

/// Measures, prints the table with the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let workloads = if options.workloads.is_empty() { &Workload::CHAT[..] } else { &options.workloads };
    if let Some(workload) = workloads.iter().find(|workload| !Workload::CHAT.contains(workload)) {
        bail!("`{}` runs on PostgreSQL: `insula-bench postgres`.", workload.name());
    }
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let mut servers = start(options, folder.path(), workloads.contains(&Workload::Insert)).await?;
    if !options.bare_only {
        agreement::check(&servers, &[bare::NAME, insula::NAME], &QUESTIONS).await?;
        agreement::check_rule(&servers, &[insula::NAME, pocketbase::NAME, pocketbase::FULL]).await?;
    }
    let mut measurements = Vec::new();
    for &workload in workloads {
        // How an insert is made durable is nothing to those who read.
        let only_inserts = [bare::AUTOCOMMIT, pocketbase::FULL];
        let asked = |server: &&Server| workload == Workload::Insert || !only_inserts.contains(&server.target.name);
        let mut asked: Vec<_> = servers.iter().filter(asked).cloned().collect();
        for connections in options.connections.iter().map(|connections| connections.get()) {
            let case = Case { workload, connections };
            measurements.extend(rounds::alternate(&mut asked, case, plan.load(), plan.rounds()).await?);
        }
    }
    servers.clear();
    let table = report::table(&measurements, &SERVERS, bare::NAME);
    let verdicts = promises::lines(&PROMISES, &measurements);
    let charts = chart::all(&measurements, &SERVERS, &machine);
    plan.finish_with("", &machine, &format!("{table}\n{verdicts}"), &measurements, &charts)
}

async fn start(options: &Options, folder: &Path, inserts: bool) -> Result<Vec<Server>> {
    let mut servers = vec![bare::start(folder, bare::NAME)?];
    if inserts {
        servers.push(bare::start(folder, bare::AUTOCOMMIT)?);
    }
    if options.bare_only {
        return Ok(servers);
    }
    servers.push(insula::chat(&options.plan.program()?, folder).await?);
    let pocketbase = async {
        let program = pocketbase::program(&options.peers)?;
        let mut made = vec![pocketbase::chat(&program, folder, pocketbase::NAME).await?];
        if inserts {
            made.push(pocketbase::chat(&program, folder, pocketbase::FULL).await?);
        }
        Ok(made)
    };
    servers.extend(options.peers.bring(Peer::Pocketbase, pocketbase).await.into_iter().flatten());
    Ok(servers)
}
