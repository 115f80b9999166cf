//! The results: a table for people, JSON lines for later.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{chart::Chart, load::Speed, machine::Machine, summary::Summary};

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
    /// Statements that the server ran for each request, with those of its work in the background; none where it does not
    /// tell.
    pub(crate) statements: Option<f64>,
    /// The most memory that the server held meanwhile, in KiB.
    pub(crate) peak_kib: Option<u64>,
    #[serde(flatten)]
    pub(crate) speed: Speed,
}

/// One line about a measurement that was just made.
pub(crate) fn progress(measurement: &Measurement) -> String {
    let Measurement { workload, connections, server, round, speed, .. } = measurement;
    let name = format!("{workload} × {connections}");
    format!(
        "{name:<22} round {round}  {server:<15} {:>9.0} req/s  p50 {} µs  p99 {} µs  {} errors",
        speed.per_second, speed.p50, speed.p99, speed.errors
    )
}

/// Every workload with each number of connections, in the order in which they were measured.
pub(crate) fn cases(measurements: &[Measurement]) -> Vec<(&'static str, usize)> {
    let mut cases = Vec::new();
    for case in measurements.iter().map(|one| (one.workload, one.connections)) {
        if !cases.contains(&case) {
            cases.push(case);
        }
    }
    cases
}

/// Medians over the rounds, server by server in this order, and each beside one of them.
pub(crate) fn table(measurements: &[Measurement], servers: &[&str], beside: &str) -> String {
    let mut table = format!(
        "{:<22} {:<15} {:>9} {:>6} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}\n",
        "workload",
        "server",
        "req/s",
        "spread",
        "ratio",
        "p50 µs",
        "p95 µs",
        "p99 µs",
        "CPU s/k",
        "stmt/req",
        "peak MiB",
        "errors",
    );
    for case in cases(measurements) {
        let beside_it = Summary::of_case(measurements, case, beside);
        for &server in servers {
            let Some(summary) = Summary::of_case(measurements, case, server) else { continue };
            let ratio = match &beside_it {
                Some(it) if server != beside => format!("{:.2}", summary.per_second / it.per_second),
                _ => String::new(),
            };
            let per_thousand = summary.processor_us.map_or_else(String::new, |us| format!("{:.4}", us / 1e3));
            let statements = summary.statements.map_or_else(String::new, |count| format!("{count:.2}"));
            let peak = summary.peak_kib.map_or_else(String::new, |kib| (kib >> 10).to_string());
            let _ = writeln!(
                table,
                "{:<22} {server:<15} {:>9.0} {:>5.0}% {ratio:>6} {:>8} {:>8} {:>8} {per_thousand:>8} {statements:>8} {peak:>8} {:>7}",
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

/// Writes a new file of JSON lines: first the machine, then every measurement. `name` ends the file's name, and that of
/// the charts beside it.
pub(crate) fn keep(
    folder: &Path,
    name: &str,
    machine: &Machine,
    measurements: &[impl Serialize],
    charts: &[Chart],
) -> Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%SZ").to_string();
    let mut lines = serde_json::to_string(machine)? + "\n";
    for measurement in measurements {
        lines += &serde_json::to_string(measurement)?;
        lines.push('\n');
    }
    let write = |name: String, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("Cannot write {}", file.display()))?;
        Ok(file)
    };
    fs::create_dir_all(folder).with_context(|| format!("Cannot make {}", folder.display()))?;
    for chart in charts {
        write(format!("{now}{name}-{}.svg", chart.name), &chart.svg)?;
    }
    write(format!("{now}{name}.jsonl"), &lines)
}
