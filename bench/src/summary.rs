//! Several rounds of one case as one: medians, and how far the rounds lie apart.

use std::fmt;

use crate::{load::Speed, report::Measurement};

/// Several rounds of one case on one server.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) per_second: f64,
    /// The distance of the fastest round from the slowest, as a part of the median.
    pub(crate) spread: f64,
    pub(crate) p50: u32,
    pub(crate) p95: u32,
    pub(crate) p99: u32,
    /// The slowest answer of all rounds.
    pub(crate) longest: u32,
    pub(crate) processor_us: Option<f64>,
    pub(crate) statements: Option<f64>,
    /// The most memory of all rounds.
    pub(crate) peak_kib: Option<u64>,
    pub(crate) errors: usize,
}

impl Summary {
    /// Sums up rounds; none where there are none.
    pub(crate) fn of<'a>(rounds: impl IntoIterator<Item = &'a Measurement>) -> Option<Self> {
        let rounds: Vec<_> = rounds.into_iter().collect();
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
            longest: rounds.iter().map(|round| round.speed.longest).max()?,
            processor_us: median(rounds.iter().filter_map(|round| round.processor_us).collect()),
            statements: median(rounds.iter().filter_map(|round| round.statements).collect()),
            peak_kib: rounds.iter().filter_map(|round| round.peak_kib).max(),
            errors: rounds.iter().map(|round| round.speed.errors).sum(),
        })
    }

    /// Sums up the rounds of one workload with one number of connections on one server.
    pub(crate) fn of_case(measurements: &[Measurement], case: (&str, usize), server: &str) -> Option<Self> {
        Self::of(measurements.iter().filter(|one| (one.workload, one.connections) == case && one.server == server))
    }
}

/// The value in the middle, or between the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (upper, lower) = (values.len() / 2, values.len().checked_sub(1)? / 2);
    Some(f64::midpoint(*values.get(lower)?, *values.get(upper)?))
}

/// How many times as much, and how many times as much was promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    ratio: f64,
    promise: Promise,
}

/// The number that was promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Promise {
    AtMost(f64),
    AtLeast(f64),
}

impl Verdict {
    /// `value` beside what it is compared with, of which it was promised to be so many times at the most.
    pub(crate) fn new(value: f64, by: f64, limit: f64) -> Self {
        Self { ratio: value / by, promise: Promise::AtMost(limit) }
    }

    /// `value` beside what it is compared with.
    pub(crate) fn of(value: f64, by: f64, promise: Promise) -> Self {
        Self { ratio: value / by, promise }
    }

    /// Whether the promise is kept. What cannot be divided keeps none.
    pub(crate) fn kept(self) -> bool {
        match self.promise {
            Promise::AtMost(limit) => self.ratio <= limit,
            Promise::AtLeast(limit) => self.ratio >= limit,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.kept() { "kept" } else { "MISSED" };
        let (least, limit) = match self.promise {
            Promise::AtMost(limit) => ("at most", limit),
            Promise::AtLeast(limit) => ("at least", limit),
        };
        write!(f, "{:.2} ({least} {limit:.2}: {word})", self.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::{Promise, Summary, Verdict, median};
    use crate::{load::Speed, report::Measurement};

    #[test]
    fn medians_stand_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn a_summary_tells_how_far_the_rounds_lie_apart() {
        let round = |server, per_second, p99| Measurement {
            workload: "read",
            connections: 16,
            server,
            round: 1,
            seconds: 1.0,
            processor_us: None,
            statements: None,
            peak_kib: Some(7),
            speed: Speed { requests: 1, errors: 1, per_second, p50: 10, p95: 20, p99, longest: 10 * p99 },
        };
        let rounds = [round("a", 90.0, 30), round("a", 100.0, 50), round("b", 1.0, 1), round("a", 110.0, 40)];
        let summary = Summary::of_case(&rounds, ("read", 16), "a").unwrap();
        assert!((summary.per_second - 100.0).abs() < 1e-9 && (summary.spread - 0.2).abs() < 1e-9);
        assert_eq!((summary.p50, summary.p99, summary.longest, summary.errors), (10, 40, 500, 3));
        assert!(Summary::of_case(&rounds, ("read", 64), "a").is_none());
    }

    #[test]
    fn a_promise_is_kept_up_to_its_limit() {
        assert!(Verdict::new(23.0, 20.0, 1.15).kept());
        assert_eq!(Verdict::new(23.0, 20.0, 1.15).to_string(), "1.15 (at most 1.15: kept)");
        assert_eq!(Verdict::new(50.0, 20.0, 2.0).to_string(), "2.50 (at most 2.00: MISSED)");
        assert!(!Verdict::new(0.0, 0.0, 2.0).kept());
        assert_eq!(Verdict::of(69.0, 100.0, Promise::AtLeast(0.7)).to_string(), "0.69 (at least 0.70: MISSED)");
        assert!(Verdict::of(70.0, 100.0, Promise::AtLeast(0.7)).kept());
        assert!(!Verdict::of(0.0, 0.0, Promise::AtLeast(0.7)).kept());
    }
}
