//! Both servers on one machine, workload by workload, in turn, several times.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{runtime, signal};

use crate::{
    client::Client,
    insula, load,
    load::Load,
    machine,
    process::Process,
    report::{self, Measurement},
    target::{Dialect, Target},
    workload::{Request, Workload},
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run; all when none is named.
    workloads: Vec<Workload>,
    /// Short rounds, to see that everything runs; nothing is recorded and the numbers mean little.
    #[arg(long)]
    quick: bool,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
    /// How often each workload is run on each server.
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// How many seconds of each run are measured, after one second that is not.
    #[arg(long, default_value = "5")]
    seconds: NonZeroUsize,
    /// Where Insula's release program is; beside this one when not said.
    #[arg(long, env = "INSULA_BIN", value_name = "FILE")]
    insula: Option<PathBuf>,
    /// Measure the bare server alone.
    #[arg(long)]
    bare_only: bool,
    /// Where the data are while it runs: a folder on the disk that is meant.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, value_name = "FOLDER", default_value = "bench/results")]
    results: PathBuf,
}

/// A server that is measured.
pub(crate) struct Server {
    /// Its process.
    pub(crate) process: Process,
    /// How it is asked.
    pub(crate) target: Target,
}

/// Measures, prints the table and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            done = compare(options) => done,
            // The folders and servers of `compare` are dropped with it.
            interrupt = signal::ctrl_c() => interrupt.map_err(Into::into).and_then(|()| bail!("Interrupted.")),
        }
    })
}

async fn compare(options: &Options) -> Result<()> {
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("insula-bench-").tempdir_in(&parent)?;
    let machine = machine::describe(folder.path())?;
    let mut servers = vec![bare(folder.path())?];
    if !options.bare_only {
        servers.push(insula::start(&program(options)?, folder.path()).await?);
        same_answers(&servers).await?;
    }
    let (rounds, warm_up, time) = if options.quick {
        (1, Duration::from_millis(200), Duration::from_secs(1))
    } else {
        (options.rounds.get(), Duration::from_secs(1), Duration::from_secs(options.seconds.get() as u64))
    };
    let workloads = if options.workloads.is_empty() { &Workload::ALL[..] } else { &options.workloads };
    let mut measurements = Vec::new();
    for &workload in workloads {
        for connections in options.connections.iter().map(|connections| connections.get()) {
            let load = Load { workload, connections, warm_up, time };
            for round in 1..=rounds {
                // In turn, so that no server is always the one that runs when the machine is warm.
                servers.rotate_left(1);
                for server in &servers {
                    let measurement = measure(server, load, round).await?;
                    eprintln!("{}", report::progress(&measurement));
                    measurements.push(measurement);
                }
            }
        }
    }
    println!("{}", report::table(&machine, &measurements));
    if !options.quick {
        let file = report::keep(&options.results, &machine, &measurements)?;
        println!("Kept in {}", file.display());
    }
    Ok(())
}

async fn measure(server: &Server, load: Load, round: usize) -> Result<Measurement> {
    let before = server.process.processor_time();
    let speed = load::drive(&server.target, load).await?;
    let used = before.zip(server.process.processor_time()).map(|(before, after)| after.saturating_sub(before));
    // The warm-up's requests are in the processor's time too, so that their share of it is taken out.
    let share = load.time.as_secs_f64() / (load.warm_up + load.time).as_secs_f64();
    let cost = used.map(|used| used.as_secs_f64() * 1e6 * share / speed.requests as f64);
    Ok(Measurement {
        workload: load.workload.name(),
        connections: load.connections,
        server: server.target.name(),
        round,
        seconds: load.time.as_secs_f64(),
        processor_us: cost,
        memory_kib: server.process.memory(),
        speed,
    })
}

/// Fails when the servers do not answer the same bytes: then they would not do the same work.
async fn same_answers(servers: &[Server]) -> Result<()> {
    for request in [Request::Read { id: 4_711 }, Request::List { offset: 40 }] {
        let mut first: Option<Vec<u8>> = None;
        for Server { target, .. } in servers {
            let mut bytes = Vec::new();
            target.write(request, &mut bytes);
            let mut client = Client::connect(target.address).await?;
            let answer = client.send(&bytes).await?;
            let text = || String::from_utf8_lossy(answer.body).into_owned();
            if !answer.is_success() {
                bail!("{} refuses {request:?}: {}", target.name(), text());
            }
            match &first {
                Some(first) if *first != answer.body => {
                    bail!(
                        "{request:?} is answered with\n{}\nand by {} with\n{}",
                        String::from_utf8_lossy(first),
                        target.name(),
                        text()
                    );
                }
                _ => first = Some(answer.body.to_vec()),
            }
        }
    }
    Ok(())
}

fn bare(folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--listen", &address.to_string(), "--data"]).arg(folder.join("bare.db"));
    let process = Process::start(&mut command, &folder.join("bare.ready"))?;
    Ok(Server { process, target: Target { address, dialect: Dialect::Bare } })
}

fn program(options: &Options) -> Result<PathBuf> {
    let program = match &options.insula {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("insula"),
    };
    let program = program.canonicalize();
    program.context("Insula's program is not there; build it with `cargo build --release`, or set INSULA_BIN")
}

/// A loopback address that nobody uses at this moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
