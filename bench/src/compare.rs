//! Both servers on one machine, workload by workload, in turn, several times.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroUsize,
    path::Path,
    process::Command,
    rc::Rc,
};

use anyhow::Result;

use crate::{
    insula,
    load::Load,
    machine,
    plan::{self, Plan},
    process::Process,
    report,
    rounds::{self, Server},
    target::{Dialect, Target},
    workload::Workload,
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run; all when none is named.
    workloads: Vec<Workload>,
    #[command(flatten)]
    plan: Plan,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
    /// Measure the bare server alone.
    #[arg(long)]
    bare_only: bool,
}

/// Measures, prints the table and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let mut servers = vec![bare(folder.path())?];
    if !options.bare_only {
        servers.push(insula::start(&plan.program()?, folder.path()).await?);
        rounds::same_answers(&servers).await?;
    }
    let workloads = if options.workloads.is_empty() { &Workload::ALL[..] } else { &options.workloads };
    let mut measurements = Vec::new();
    for &workload in workloads {
        for connections in options.connections.iter().map(|connections| connections.get()) {
            let load = Load { workload, connections, warm_up: plan.warm_up(), time: plan.time() };
            measurements.extend(rounds::alternate(&mut servers, load, plan.rounds()).await?);
        }
    }
    plan.finish("", &machine, &report::table(&measurements, &["bare", "insula"], "bare"), &measurements)
}

/// Starts the bare server.
pub(crate) fn bare(folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--listen", &address.to_string(), "--data"]).arg(folder.join("bare.db"));
    let process = Rc::new(Process::start(&mut command, &folder.join("bare.ready"))?);
    Ok(Server { process, target: Target { address, name: "bare", dialect: Dialect::Bare } })
}

/// A loopback address that nobody uses at this moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
