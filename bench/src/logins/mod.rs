//! Whether log-ins starve queries: how long reads take in quiet, and how long while a thousand log-ins at once arrive
//! again and again.

mod accounts;
mod log_ins;
mod storm;

use std::{fmt::Write as _, num::NonZeroUsize, rc::Rc, sync::Arc, time::Instant};

use anyhow::Result;
use serde::Serialize;

use self::log_ins::LogIns;
use crate::{
    descriptors, machine,
    plan::{self, Plan},
    report::{self, Measurement},
    rounds::{self, Case},
    servers::{Server, Target, insula},
    summary::{Summary, Verdict},
    workload::Workload,
};

const QUIET: &str = "quiet";
const STORM: &str = "log-ins";
/// So many times the quiet p99 is promised at the most.
const LIMIT: f64 = 2.0;
/// Files that are open besides the connections.
const OTHER_FILES: u64 = 256;

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// How many connections read at the same time.
    #[arg(long, default_value = "8")]
    connections: NonZeroUsize,
    /// How many log-ins are sent at once, each over a connection of its own.
    #[arg(long, default_value = "1000")]
    logins: NonZeroUsize,
}

/// Reads in quiet, or during log-ins and what became of those.
#[derive(Serialize)]
struct Phase {
    #[serde(flatten)]
    reads: Measurement,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_ins: Option<LogIns>,
}

/// Measures, prints the table with the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    // The server inherits the limit.
    descriptors::raise((options.logins.get() + options.connections.get()) as u64 + OTHER_FILES)?;
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let insula = insula::chat(&plan.program()?, folder.path()).await?;
    let address = insula.target.address;
    let storm: Arc<[_]> = accounts::log_ins(address, options.logins.get()).await?.into();
    let named = |name| Server { process: Rc::clone(&insula.process), target: Target { name, ..insula.target.clone() } };
    let mut servers = [named(QUIET), named(STORM)];
    let case = Case { workload: Workload::Read, connections: options.connections.get() };
    let load = plan.load();
    let mut phases = Vec::new();
    for round in plan.rounds() {
        servers.rotate_left(1);
        for server in &servers {
            let phase = if server.target.name == STORM {
                let begin = Instant::now() + load.warm_up;
                let log_ins = storm::start(address, &storm, begin..begin + load.time)?;
                let reads = rounds::measure(server, case, load, round).await?;
                // The processor works for the log-ins too, so that its time is not the reads'.
                let reads = Measurement { processor_us: None, ..reads };
                Phase { reads, log_ins: Some(log_ins.await??) }
            } else {
                Phase { reads: rounds::measure(server, case, load, round).await?, log_ins: None }
            };
            eprintln!("{}", report::progress(&phase.reads));
            phases.push(phase);
        }
    }
    plan.finish("-logins", &machine, &summary(&phases), &phases)
}

/// The table of the reads, what the log-ins did to them, and what became of the log-ins.
fn summary(phases: &[Phase]) -> String {
    let reads: Vec<_> = phases.iter().map(|phase| phase.reads.clone()).collect();
    let mut text = report::table(&reads, &[QUIET, STORM], QUIET) + "\n";
    let of = |name| Summary::of(reads.iter().filter(|one| one.server == name));
    if let Some((storm, quiet)) = of(STORM).zip(of(QUIET)) {
        let _ = writeln!(text, "p99 of reads during log-ins by the quiet p99: {}", verdict(&storm, &quiet));
        let (storm, quiet) = (storm.longest / 1_000, quiet.longest / 1_000);
        let _ = writeln!(text, "the slowest read took {storm} ms during log-ins and {quiet} ms in quiet");
    }
    if let Some(total) = LogIns::total(phases.iter().filter_map(|phase| phase.log_ins.as_ref())) {
        let _ = writeln!(text, "{total}");
    }
    text
}

fn verdict(storm: &Summary, quiet: &Summary) -> Verdict {
    Verdict::new(storm.p99.into(), quiet.p99.into(), LIMIT)
}

#[cfg(test)]
mod tests {
    use super::{STORM, verdict};
    use crate::{load::Speed, report::Measurement, summary::Summary};

    #[test]
    fn medians_of_the_rounds_are_compared() {
        let round = |p99| Measurement {
            workload: "read",
            connections: 8,
            server: STORM,
            round: 1,
            seconds: 1.0,
            processor_us: None,
            statements: None,
            peak_kib: None,
            speed: Speed { requests: 1, errors: 0, per_second: 1.0, p50: 1, p95: 1, p99, longest: p99 },
        };
        let quiet = Summary::of(&[round(100), round(90), round(110)]).unwrap();
        // One round in which something else was going on changes nothing.
        let storm = Summary::of(&[round(150), round(9_000), round(160)]).unwrap();
        assert_eq!(verdict(&storm, &quiet).to_string(), "1.60 (at most 2.00: kept)");
    }
}
