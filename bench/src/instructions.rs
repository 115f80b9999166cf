//! How many instructions the server needs for one request: a number that a busy machine does not change.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{
    client::Client,
    http::{Requests, one},
    plan::{self, Plan},
    process::Process,
    rows,
    servers::{
        Target,
        insula::{self, Installation},
    },
    summary::median,
    workload::{Caller, Operation, PAGE, Rule, Workload},
};

/// What the measurement may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// Keep the numbers as those that later ones are compared with.
    #[arg(long)]
    accept: bool,
    /// Measure so often and tell how far the numbers lie apart.
    #[arg(long, default_value = "1")]
    repeat: NonZeroUsize,
    /// How many requests more the longer of two runs has: their difference is what counts.
    #[arg(long, default_value = "2000")]
    requests: NonZeroUsize,
    /// The numbers that these are compared with.
    #[arg(long, value_name = "FILE", default_value = "bench/instructions.json")]
    accepted: PathBuf,
}

const WORKLOADS: [Workload; 3] = [Workload::Read, Workload::List, Workload::Insert];
/// The requests of the shorter of two runs: what start, end and the first requests cost is in both.
const FEW: usize = 200;
/// More than this is another number. What is left of chance is far below it.
const TOLERANCE: f64 = 0.03;
/// So that a run is over soon, and yet its trees have the depth of larger ones.
const ROWS: i64 = 10_000;
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Instructions for each request.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Accepted {
    /// What the program was compiled with: another compiler makes other instructions.
    compiler: String,
    per_request: BTreeMap<String, u64>,
}

/// Counts, compares, and fails where a number has grown by more than the tolerance.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(measure(options))
}

async fn measure(options: &Options) -> Result<()> {
    ensure!(
        Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()),
        "valgrind counts the instructions, and it is not on this machine: `apt-get install valgrind`."
    );
    let folder = options.plan.folder()?;
    let (installation, token) = set_up(&options.plan.program()?, folder.path()).await?;
    let pristine = folder.path().join("pristine");
    copy(&folder.path().join("insula"), &pristine)?;
    let (mut counted, more) = (BTreeMap::new(), options.requests.get());
    for workload in WORKLOADS {
        let mut numbers = Vec::new();
        for _ in 0..options.repeat.get() {
            let mut totals = [0; 2];
            for (total, requests) in totals.iter_mut().zip([FEW, FEW + more]) {
                fs::remove_dir_all(folder.path().join("insula"))?;
                copy(&pristine, &folder.path().join("insula"))?;
                *total = count(&installation, &token, workload, requests, folder.path()).await?;
            }
            numbers.push(totals[1].saturating_sub(totals[0]) as f64 / more as f64);
            eprintln!("{:<8} {:>9.0} instructions", workload.name(), numbers[numbers.len() - 1]);
        }
        counted.insert(workload.name(), numbers);
    }
    judge(options, &counted)
}

/// An installation with a few rows and somebody who is logged in.
async fn set_up(program: &Path, folder: &Path) -> Result<(Installation, String)> {
    let schema = rows::sqlite(&Rule::ALL.map(Rule::table), ROWS);
    // Nobody writes down what happened while it is counted.
    let config = format!("{}\n[identity]\nsession_flush_interval = \"1h\"\n", insula::CONFIG);
    let installation = insula::chat_installation(program, folder, &config, &schema)?;
    let (address, process) = installation.serve()?;
    let token = insula::register(address, Caller(0)).await?;
    process.stop()?;
    Ok((installation, token))
}

/// All instructions of a server from its start to its end, with so many requests between.
async fn count(
    installation: &Installation,
    token: &str,
    workload: Workload,
    requests: usize,
    folder: &Path,
) -> Result<u64> {
    let (address, server) = installation.server()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(server.get_program()).args(server.get_args());
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // One thread that works, so that threads do not look for work by chance.
    command.env("TOKIO_WORKER_THREADS", "1");
    let log = folder.join("valgrind.log");
    let process = Process::spawn(&mut command, &log)?;
    let target = insula::target(address, insula::NAME, &[token.to_owned()]);
    let sent = send(&target, workload, requests).await;
    process.stop()?;
    let said = fs::read_to_string(&log)?;
    sent.with_context(|| format!("The server said: {said}"))?;
    instructions(&said).with_context(|| format!("valgrind does not tell how many instructions there were: {said}"))
}

/// Sends the same requests every time, one after the other over one connection.
async fn send(target: &Target, workload: Workload, requests: usize) -> Result<()> {
    let mut client = ready(target.address).await?;
    let mut bytes = Requests::default();
    for number in 0..requests as i64 {
        let operation = match workload {
            Workload::Insert => Operation::Insert { room: Caller(0).room(number) },
            Workload::List => Operation::List { rule: Rule::None, offset: number % 50 * PAGE, count: false },
            _ => Operation::Read { id: number % ROWS + 1 },
        };
        bytes.clear();
        target.dialect.write(operation, Caller(0), target.address, &mut bytes);
        for request in bytes.iter() {
            let answer = client.send(request).await?;
            ensure!(answer.is_success(), "{operation:?} is refused: {}", answer.text());
        }
    }
    Ok(())
}

async fn ready(address: SocketAddr) -> Result<Client> {
    let begun = Instant::now();
    let request = one("GET", address, "/health", "", "");
    loop {
        if let Ok(mut client) = Client::connect(address).await
            && client.send(&request).await.is_ok_and(|answer| answer.is_fine())
        {
            return Ok(client);
        }
        ensure!(begun.elapsed() < READY_WITHIN, "The server is not ready after {READY_WITHIN:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The number out of valgrind's last words: `==7== I refs:  1,234`.
fn instructions(said: &str) -> Option<u64> {
    // Some versions put more than one space between the words.
    let line = said.lines().rev().find(|line| line.split_whitespace().skip(1).take(2).eq(["I", "refs:"]))?;
    line.split_whitespace().last()?.replace(',', "").parse().ok()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn judge(options: &Options, counted: &BTreeMap<&'static str, Vec<f64>>) -> Result<()> {
    let accepted: Accepted = match fs::read(&options.accepted) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("The accepted numbers cannot be read")?,
        Err(_) => Accepted::default(),
    };
    let compiler = compiler();
    let mut text = String::new();
    let (mut now, mut grown) = (Accepted { compiler: compiler.clone(), ..Accepted::default() }, false);
    for (&name, numbers) in counted {
        let number = median(numbers.clone()).unwrap_or_default();
        let spread = spread(numbers);
        now.per_request.insert(name.to_owned(), number.round() as u64);
        let verdict = accepted.per_request.get(name).map(|&before| change(number, before as f64));
        grown |= verdict.is_some_and(|change| change > TOLERANCE);
        let word = match verdict {
            None => "nothing to compare with".to_owned(),
            Some(change) if change > TOLERANCE => format!("{:+.1} %: GROWN", change * 100.0),
            Some(change) if change < -TOLERANCE => format!("{:+.1} %: fewer; accept the new number", change * 100.0),
            Some(change) => format!("{:+.1} %: as before", change * 100.0),
        };
        let runs = numbers.len();
        let _ =
            writeln!(text, "{name:<8} {number:>9.0} instructions a request (spread {spread:.2} % of {runs})  {word}");
    }
    println!("{text}");
    if options.accept {
        fs::write(&options.accepted, serde_json::to_string_pretty(&now)? + "\n")?;
        println!("Accepted in {}", options.accepted.display());
        return Ok(());
    }
    if !accepted.per_request.is_empty() && accepted.compiler != compiler {
        println!("The accepted numbers are of {}, these of {compiler}.", accepted.compiler);
    }
    if grown {
        bail!("A request needs more instructions. If that is meant: `cargo xtask bench instructions -- --accept`.");
    }
    Ok(())
}

fn change(now: f64, before: f64) -> f64 {
    now / before - 1.0
}

/// The distance of the largest from the smallest, in percent of the median.
fn spread(numbers: &[f64]) -> f64 {
    let largest = numbers.iter().copied().fold(f64::MIN, f64::max);
    let smallest = numbers.iter().copied().fold(f64::MAX, f64::min);
    median(numbers.to_vec()).map_or(0.0, |median| (largest - smallest) / median * 100.0)
}

/// The compiler's own words.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "an unknown compiler".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::{change, instructions, spread};

    #[test]
    fn the_number_is_found_in_what_valgrind_says() {
        let said = "==7== Cachegrind\n2026 insula: stopped\n==7== \n==7== I refs:        1,234,567\n";
        assert_eq!(instructions(said), Some(1_234_567));
        assert_eq!(instructions("==7== killed"), None);
    }

    #[test]
    fn changes_and_spreads_are_parts() {
        assert!((change(103.0, 100.0) - 0.03).abs() < 1e-9);
        assert!((spread(&[99.0, 100.0, 101.0]) - 2.0).abs() < 1e-9);
    }
}
