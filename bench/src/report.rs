//! The results: a table for people, JSON lines for later.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{load::Speed, machine::Machine};

/// One run of one workload on one server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    pub(crate) workload: &'static str,
    pub(crate) connections: usize,
    pub(crate) server: &'static str,
    pub(crate) round: usize,
    pub(crate) seconds: f64,
    /// The server's processor time for each request, in microseconds.
    pub(crate) processor_us: Option<f64>,
    /// The server's memory afterwards, in KiB.
    pub(crate) memory_kib: Option<u64>,
    #[serde(flatten)]
    pub(crate) speed: Speed,
}

/// One line about a measurement that was just made.
pub(crate) fn progress(measurement: &Measurement) -> String {
    let Measurement { workload, connections, server, round, speed, .. } = measurement;
    let name = format!("{workload} × {connections}");
    format!(
        "{name:<12} round {round}  {server:<6} {:>9.0} req/s  p50 {} µs  p99 {} µs  {} errors",
        speed.per_second, speed.p50, speed.p99, speed.errors
    )
}

/// The whole comparison: medians over the rounds, and how far the rounds lie apart.
pub(crate) fn table(machine: &Machine, measurements: &[Measurement]) -> String {
    let mut cases: Vec<_> = measurements.iter().map(|one| (one.workload, one.connections)).collect();
    cases.dedup();
    let mut table = heading(machine);
    for (workload, connections) in cases {
        let of = |server| {
            let rounds = measurements
                .iter()
                .filter(move |one| (one.workload, one.connections, one.server) == (workload, connections, server));
            Summary::of(rounds)
        };
        let (bare, insula) = (of("bare"), of("insula"));
        for (server, summary) in [("bare", &bare), ("insula", &insula)] {
            let Some(summary) = summary else { continue };
            let ratio = match (server, &bare) {
                ("insula", Some(bare)) => format!("{:.2}", summary.per_second / bare.per_second),
                _ => String::new(),
            };
            let processor = summary.processor_us.map_or_else(String::new, |cost| format!("{cost:.0}"));
            let _ = writeln!(
                table,
                "{:<12} {server:<7} {:>9.0} {:>5.0}% {ratio:>6} {:>8} {:>8} {:>8} {processor:>7} {:>7}",
                format!("{workload} × {connections}"),
                summary.per_second,
                summary.spread * 100.0,
                summary.p50,
                summary.p95,
                summary.p99,
                summary.errors,
            );
        }
    }
    table
}

fn heading(machine: &Machine) -> String {
    let unknown = || "unknown".to_owned();
    format!(
        "{} cores, {} MiB, {}, Linux {}, 4 KiB to disk in {} µs\n\n{:<12} {:<7} {:>9} {:>6} {:>6} {:>8} {:>8} {:>8} {:>7} {:>7}\n",
        machine.cores,
        machine.memory_mib.map_or_else(unknown, |mib| mib.to_string()),
        machine.processor.clone().unwrap_or_else(unknown),
        machine.kernel.clone().unwrap_or_else(unknown),
        machine.sync_us,
        "workload",
        "server",
        "req/s",
        "spread",
        "ratio",
        "p50 µs",
        "p95 µs",
        "p99 µs",
        "CPU µs",
        "errors",
    )
}

/// Several rounds of one case on one server.
#[derive(Debug)]
struct Summary {
    per_second: f64,
    /// The distance of the fastest round from the slowest, as a part of the median.
    spread: f64,
    p50: u32,
    p95: u32,
    p99: u32,
    processor_us: Option<f64>,
    errors: usize,
}

impl Summary {
    fn of<'a>(rounds: impl Iterator<Item = &'a Measurement>) -> Option<Self> {
        let rounds: Vec<_> = rounds.collect();
        let speeds: Vec<_> = rounds.iter().map(|round| round.speed.per_second).collect();
        let fastest = speeds.iter().copied().reduce(f64::max)?;
        let slowest = speeds.iter().copied().reduce(f64::min)?;
        let per_second = median(speeds)?;
        let latency = |of: fn(&Speed) -> u32| median(rounds.iter().map(|round| f64::from(of(&round.speed))).collect());
        Some(Self {
            per_second,
            spread: (fastest - slowest) / per_second,
            p50: latency(|speed| speed.p50)? as u32,
            p95: latency(|speed| speed.p95)? as u32,
            p99: latency(|speed| speed.p99)? as u32,
            processor_us: median(rounds.iter().filter_map(|round| round.processor_us).collect()),
            errors: rounds.iter().map(|round| round.speed.errors).sum(),
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (upper, lower) = (values.len() / 2, values.len().checked_sub(1)? / 2);
    Some(f64::midpoint(*values.get(lower)?, *values.get(upper)?))
}

/// Writes a new file of JSON lines: first the machine, then every measurement.
pub(crate) fn keep(folder: &Path, machine: &Machine, measurements: &[Measurement]) -> Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%SZ").to_string();
    let mut lines = serde_json::to_string(machine)? + "\n";
    for measurement in measurements {
        lines += &serde_json::to_string(measurement)?;
        lines.push('\n');
    }
    let file = folder.join(format!("{now}.jsonl"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, lines))
        .with_context(|| format!("Cannot write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{Measurement, Summary, median};
    use crate::load::Speed;

    #[test]
    fn medians_stand_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn a_summary_tells_how_far_the_rounds_lie_apart() {
        let round = |per_second, p99| Measurement {
            workload: "read",
            connections: 16,
            server: "bare",
            round: 1,
            seconds: 1.0,
            processor_us: None,
            memory_kib: None,
            speed: Speed { requests: 1, errors: 1, per_second, p50: 10, p95: 20, p99 },
        };
        let rounds = [round(90.0, 30), round(100.0, 50), round(110.0, 40)];
        let summary = Summary::of(rounds.iter()).unwrap();
        assert!((summary.per_second - 100.0).abs() < 1e-9 && (summary.spread - 0.2).abs() < 1e-9);
        assert_eq!((summary.p50, summary.p99, summary.errors), (10, 40, 3));
        assert!(Summary::of(std::iter::empty()).is_none());
    }
}
