//! What was promised of one server beside another, and whether it is kept.

use std::fmt::Write as _;

use crate::{
    report::Measurement,
    summary::{Promise, Summary, Verdict},
};

/// So many requests per second of one server by those of another, in one workload.
pub(crate) struct Ratio {
    pub(crate) workloads: &'static [&'static str],
    pub(crate) of: &'static str,
    pub(crate) beside: &'static str,
    /// With so many connections; with any number where none is said.
    pub(crate) connections: Option<usize>,
    pub(crate) at_least: f64,
}

/// A line for each promise that was measured.
pub(crate) fn lines(promises: &[Ratio], measurements: &[Measurement]) -> String {
    let mut lines = String::new();
    for promise in promises {
        let &Ratio { of, beside, connections, at_least, .. } = promise;
        for case in crate::report::cases(measurements) {
            if !promise.workloads.contains(&case.0) || connections.is_some_and(|only| only != case.1) {
                continue;
            }
            let summary = |server| Summary::of_case(measurements, case, server);
            if let Some((ours, theirs)) = summary(of).zip(summary(beside)) {
                let verdict = Verdict::of(ours.per_second, theirs.per_second, Promise::AtLeast(at_least));
                let name = format!("{} × {}", case.0, case.1);
                let _ = writeln!(lines, "{name:<22} {of} by {beside}: {verdict}");
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Ratio, lines};
    use crate::{load::Speed, report::Measurement};

    #[test]
    fn only_what_was_measured_and_promised_has_a_line() {
        let round = |workload, server, connections, per_second| Measurement {
            workload,
            connections,
            server,
            round: 1,
            seconds: 1.0,
            processor_us: None,
            statements: None,
            peak_kib: None,
            speed: Speed { requests: 1, errors: 0, per_second, p50: 1, p95: 1, p99: 1, longest: 1 },
        };
        let rounds = [
            round("read", "insula", 16, 50.0),
            round("read", "bare", 16, 100.0),
            round("read", "insula", 64, 90.0),
            round("read", "bare", 64, 100.0),
            round("list", "insula", 64, 1.0),
        ];
        let promise = |connections| {
            [Ratio { workloads: &["read", "list"], of: "insula", beside: "bare", connections, at_least: 0.7 }]
        };
        let lines_of = |connections| lines(&promise(connections), &rounds);
        assert_eq!(lines_of(Some(64)), "read × 64              insula by bare: 0.90 (at least 0.70: kept)\n");
        assert!(lines_of(None).starts_with("read × 16              insula by bare: 0.50 (at least 0.70: MISSED)\n"));
        assert_eq!(lines_of(None).lines().count(), 2);
    }
}
