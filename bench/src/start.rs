//! What a server is before anybody asks it: the time until its first answer, its memory, the size of its program.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    chart::{Bar, Chart, Group},
    client::Client,
    http::one,
    machine::{self, Machine},
    peers::{Peer, Peers},
    plan::{self, Plan},
    postgres::{self, Databases},
    process::Process,
    rows,
    servers::{bare, insula, parse, pocketbase, postgrest},
    summary::median,
    workload::{ROWS, Rule},
};

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(3);
const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_micros(500);

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    peers: Peers,
    /// The URL of a PostgreSQL server, for the peers that need one; without it they are left out.
    #[arg(long, env = "INSULA_BENCH_POSTGRES_URL", hide_env_values = true)]
    url: Option<String>,
}

/// One start.
#[derive(Serialize)]
struct Start {
    server: &'static str,
    round: usize,
    /// From the start of the process to its first answer.
    milliseconds: f64,
    /// Its memory when nobody has asked it for a while, in KiB.
    idle_kib: Option<u64>,
    /// The program with all that it needs beside it, in bytes.
    bytes: u64,
}

/// A server that can be started again and again.
struct Startable<'a> {
    name: &'static str,
    /// What is answered with a success as soon as the server is ready.
    path: &'static str,
    bytes: u64,
    command: Box<dyn Fn() -> Result<(SocketAddr, Command)> + 'a>,
}

/// Measures, prints the table and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let databases = if let Some(url) = &options.url {
        Some(Databases::make(url).await?)
    } else {
        eprintln!("PostgREST and Parse are left out: there is no PostgreSQL (INSULA_BENCH_POSTGRES_URL).");
        None
    };
    let starts = measure(options, folder.path(), databases.as_ref()).await;
    if let Some(databases) = databases {
        databases.drop().await?;
    }
    let starts = starts?;
    let charts = charts(&starts, &machine);
    plan.finish_with("-start", &machine, &table(&starts), &starts, &charts)
}

async fn measure(options: &Options, folder: &Path, databases: Option<&Databases>) -> Result<Vec<Start>> {
    let mut servers = servers(options, folder, databases).await?;
    let mut starts = Vec::new();
    for round in options.plan.rounds() {
        servers.rotate_left(1);
        for server in &servers {
            let Startable { name, bytes, .. } = *server;
            let (milliseconds, idle_kib) = start(server, folder).await.with_context(|| format!("Starting {name}"))?;
            eprintln!("round {round}  {name:<12} {milliseconds:>8.1} ms");
            starts.push(Start { server: name, round, milliseconds, idle_kib, bytes });
        }
    }
    Ok(starts)
}

async fn servers<'a>(options: &Options, folder: &Path, databases: Option<&Databases>) -> Result<Vec<Startable<'a>>> {
    let program = options.plan.program()?;
    let tables = Rule::ALL.map(Rule::table);
    let chat = insula::chat_installation(&program, folder, insula::CONFIG, &rows::sqlite(&tables, ROWS))?;
    // Its rows are made by the first start.
    drop(bare::start(folder, bare::NAME)?);
    let (bare_folder, bare_program) = (folder.to_owned(), std::env::current_exe()?);
    let mut servers = vec![
        Startable {
            name: bare::NAME,
            path: "/ready",
            bytes: size(&bare_program)?,
            command: Box::new(move || bare::server(&bare_folder, bare::NAME)),
        },
        Startable {
            name: insula::NAME,
            path: "/health",
            bytes: size(&program)?,
            command: Box::new(move || chat.server()),
        },
    ];
    let pocketbase = async {
        let program = pocketbase::program(&options.peers)?;
        let bytes = size(&program)?;
        let made = pocketbase::Installation::make(&program, folder, pocketbase::NAME).await?;
        let command = Box::new(move || made.server());
        Ok(Startable { name: pocketbase::NAME, path: "/api/health", bytes, command })
    };
    servers.extend(options.peers.bring(Peer::Pocketbase, pocketbase).await);
    if let Some(databases) = databases {
        servers.extend(on_postgres(options, folder, databases).await?);
    }
    Ok(servers)
}

async fn on_postgres<'a>(options: &Options, folder: &Path, databases: &Databases) -> Result<Vec<Startable<'a>>> {
    let mut servers = Vec::new();
    let (url, role) = (databases.shared(), databases.role.clone());
    let schema = rows::postgres(&["message"], ROWS);
    let schema = format!("CREATE SCHEMA {0}; SET search_path = {0}; {schema}", postgres::SCHEMA);
    databases.execute(&url, &schema).await?;
    let policies =
        postgrest::policies(postgres::SCHEMA, &role) + &format!("GRANT SELECT ON {}.room TO {role}", postgres::SCHEMA);
    databases.execute(&url, &policies).await?;
    let postgrest = async {
        let program = postgrest::program(&options.peers)?;
        let bytes = size(&program)?;
        let command = Box::new(move || postgrest::server(&program, &url, postgres::SCHEMA, &role));
        // Its role may read rooms, whoever asks.
        Ok(Startable { name: postgrest::NAME, path: "/room?id=eq.1", bytes, command })
    };
    servers.extend(options.peers.bring(Peer::Postgrest, postgrest).await);
    let (url, folder) = (databases.parse(), folder.to_owned());
    let parse = async {
        let program = parse::program(&options.peers)?;
        drop(parse::start(&program, &folder, &url).await?);
        let modules = program.ancestors().nth(3).context("Parse Server is nowhere")?;
        let bytes = size(modules)?;
        let command = Box::new(move || parse::server(&program, &folder, &url));
        Ok(Startable { name: parse::NAME, path: "/parse/health", bytes, command })
    };
    servers.extend(options.peers.bring(Peer::Parse, parse).await);
    Ok(servers)
}

/// Starts a server once: the milliseconds until its first success, and its memory when it has rested.
async fn start(server: &Startable<'_>, folder: &Path) -> Result<(f64, Option<u64>)> {
    let (address, mut command) = (server.command)()?;
    let begun = Instant::now();
    let process = Process::spawn(&mut command, &folder.join("start.log"))?;
    let request = one("GET", address, server.path, "", "");
    while !answers(address, &request).await {
        ensure!(begun.elapsed() < READY_WITHIN, "There is no answer after {READY_WITHIN:?}");
        sleep(POLL).await;
    }
    let milliseconds = begun.elapsed().as_secs_f64() * 1_000.0;
    sleep(REST).await;
    let idle = process.memory();
    process.stop()?;
    Ok((milliseconds, idle))
}

async fn answers(address: SocketAddr, request: &[u8]) -> bool {
    match Client::connect(address).await {
        Ok(mut client) => client.send(request).await.is_ok_and(|answer| answer.is_fine()),
        Err(_) => false,
    }
}

/// The size of a file, or of all files in a folder.
fn size(path: &Path) -> Result<u64> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(about.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

/// The servers in the order of their first starts.
fn names(starts: &[Start]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for start in starts {
        if !names.contains(&start.server) {
            names.push(start.server);
        }
    }
    names
}

fn charts(starts: &[Start], machine: &Machine) -> Vec<Chart> {
    let chart = |name: &str, title: &str, number: fn(&Start) -> Option<f64>| {
        let bar = |server: &&str| {
            let rounds = starts.iter().filter(|start| start.server == *server);
            Bar::new(server, rounds.filter_map(number).collect())
        };
        let bars = names(starts).iter().filter_map(bar).collect();
        Chart::new(name, title, &[Group { heading: "with the data of the chat".to_owned(), bars }], machine)
    };
    vec![
        chart("time", "start: milliseconds to the first answer", |start| Some(start.milliseconds)),
        chart("memory", "start: idle memory in MiB", |start| start.idle_kib.map(|kib| kib as f64 / 1024.0)),
        chart("program", "start: size of the program in MiB", |start| Some(start.bytes as f64 / 1_048_576.0)),
    ]
}

fn table(starts: &[Start]) -> String {
    let mut table = format!("{:<12} {:>12} {:>12} {:>14}\n", "server", "start-up ms", "idle MiB", "program MiB");
    for name in names(starts) {
        let of_it = || starts.iter().filter(|start| start.server == name);
        let time = median(of_it().map(|start| start.milliseconds).collect()).unwrap_or_default();
        let memory = median(of_it().filter_map(|start| start.idle_kib).map(|kib| kib as f64).collect());
        let bytes = of_it().map(|start| start.bytes).max().unwrap_or_default();
        let mebibytes = |kib: f64| format!("{:.1}", kib / 1024.0);
        let _ = writeln!(
            table,
            "{name:<12} {time:>12.1} {:>12} {:>14}",
            memory.map_or_else(String::new, mebibytes),
            mebibytes(bytes as f64 / 1024.0)
        );
    }
    table
}
