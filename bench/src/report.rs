//! The results: a table for people, JSON lines for later.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{load::Speed, machine::Machine, summary::Summary};

/// One run of one workload on one server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    pub(crate) workload: &'static str,
    pub(crate) connections: usize,
    /// The server, or, where one server is asked in several ways, the way.
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
        "{name:<12} round {round}  {server:<12} {:>9.0} req/s  p50 {} µs  p99 {} µs  {} errors",
        speed.per_second, speed.p50, speed.p99, speed.errors
    )
}

/// Medians over the rounds, server by server in this order, and each beside one of them.
pub(crate) fn table(measurements: &[Measurement], servers: &[&str], beside: &str) -> String {
    let mut cases: Vec<_> = measurements.iter().map(|one| (one.workload, one.connections)).collect();
    cases.dedup();
    let mut table = format!(
        "{:<12} {:<12} {:>9} {:>6} {:>6} {:>8} {:>8} {:>8} {:>7} {:>7}\n",
        "workload", "server", "req/s", "spread", "ratio", "p50 µs", "p95 µs", "p99 µs", "CPU µs", "errors",
    );
    for case in cases {
        let of = |server| {
            Summary::of(
                measurements
                    .iter()
                    .filter(|one| (one.workload, one.connections, one.server) == (case.0, case.1, server)),
            )
        };
        let beside_it = of(beside);
        for &server in servers {
            let Some(summary) = of(server) else { continue };
            let ratio = match &beside_it {
                Some(it) if server != beside => format!("{:.2}", summary.per_second / it.per_second),
                _ => String::new(),
            };
            let processor = summary.processor_us.map_or_else(String::new, |cost| format!("{cost:.1}"));
            let _ = writeln!(
                table,
                "{:<12} {server:<12} {:>9.0} {:>5.0}% {ratio:>6} {:>8} {:>8} {:>8} {processor:>7} {:>7}",
                format!("{} × {}", case.0, case.1),
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

/// Writes a new file of JSON lines: first the machine, then every measurement. `name` ends the file's name.
pub(crate) fn keep(folder: &Path, name: &str, machine: &Machine, measurements: &[impl Serialize]) -> Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%SZ").to_string();
    let mut lines = serde_json::to_string(machine)? + "\n";
    for measurement in measurements {
        lines += &serde_json::to_string(measurement)?;
        lines.push('\n');
    }
    let file = folder.join(format!("{now}{name}.jsonl"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, lines))
        .with_context(|| format!("Cannot write {}", file.display()))?;
    Ok(file)
}
