//! What became of the log-ins.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use crate::summary::median;

const OK: u16 = 200;
const BUSY: u16 = 503;

/// The answer to one log-in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// Whether a session has begun.
    pub(super) is_success: bool,
    pub(super) retry_after: Option<u64>,
    /// The time since the storm began.
    pub(super) waited: Duration,
}

/// The answers to all log-ins of a phase, or of several.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct LogIns {
    /// How often all log-ins were sent at once.
    pub(super) storms: usize,
    /// How many answers there were of each status.
    pub(super) statuses: BTreeMap<u16, usize>,
    /// How many got no answer.
    pub(super) unanswered: usize,
    /// How many answers with status 503 did not say when to come back.
    pub(super) without_retry_after: usize,
    /// Sessions that began, each second.
    pub(super) per_second: f64,
    /// The longest time from the beginning of a storm to the answer, in microseconds.
    pub(super) longest_us: u64,
    #[serde(skip)]
    successes: usize,
}

impl LogIns {
    /// Counts an answer, or that there was none.
    pub(super) fn add(&mut self, answered: Option<Answered>) {
        let Some(Answered { status, is_success, retry_after, waited }) = answered else {
            self.unanswered += 1;
            return;
        };
        *self.statuses.entry(status).or_default() += 1;
        self.successes += usize::from(is_success);
        self.without_retry_after += usize::from(status == BUSY && retry_after.is_none());
        self.longest_us = self.longest_us.max(waited.as_micros() as u64);
    }

    /// Says how long all of it took.
    pub(super) fn finish(&mut self, took: Duration) {
        self.per_second = self.successes as f64 / took.as_secs_f64();
    }

    /// Several phases as one, with the median of their sessions a second; none where there are none.
    pub(super) fn total<'a>(phases: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let (mut total, mut speeds) = (Self::default(), Vec::new());
        for phase in phases {
            total.storms += phase.storms;
            for (status, count) in &phase.statuses {
                *total.statuses.entry(*status).or_default() += count;
            }
            total.unanswered += phase.unanswered;
            total.without_retry_after += phase.without_retry_after;
            total.longest_us = total.longest_us.max(phase.longest_us);
            total.successes += phase.successes;
            speeds.push(phase.per_second);
        }
        total.per_second = median(speeds)?;
        Some(total)
    }

    /// Whether each began a session or was asked to come back.
    fn kept(&self) -> bool {
        let expected = self.statuses.keys().all(|status| [OK, BUSY].contains(status));
        expected && self.unanswered == 0 && self.without_retry_after == 0
    }
}

impl fmt::Display for LogIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { storms, statuses, unanswered, without_retry_after, per_second, longest_us, .. } = self;
        let statuses: Vec<_> = statuses.iter().map(|(status, count)| format!("{status} × {count}")).collect();
        writeln!(f, "log-ins, all at once {storms} times: {}, no answer × {unanswered}", statuses.join(", "))?;
        writeln!(f, "{per_second:.1} log-ins a second, the longest wait {} ms", longest_us / 1_000)?;
        let word = if self.kept() { "kept" } else { "MISSED" };
        write!(f, "each gets 200, or 503 with Retry-After: {word} ({without_retry_after} of 503 without)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, LogIns};
    use std::time::Duration;

    fn answered(status: u16, retry_after: Option<u64>, milliseconds: u64) -> Answered {
        let waited = Duration::from_millis(milliseconds);
        Answered { status, is_success: status == 200, retry_after, waited }
    }

    fn phase(answers: &[Answered], seconds: u64) -> LogIns {
        let mut log_ins = LogIns { storms: 1, ..LogIns::default() };
        for answer in answers {
            log_ins.add(Some(*answer));
        }
        log_ins.finish(Duration::from_secs(seconds));
        log_ins
    }

    #[test]
    fn answers_are_counted_by_status() {
        let quick = phase(&[answered(200, None, 900), answered(200, None, 40), answered(503, Some(1), 3)], 1);
        assert_eq!(quick.statuses.clone().into_iter().collect::<Vec<_>>(), [(200, 2), (503, 1)]);
        assert!((quick.per_second - 2.0).abs() < 1e-9 && quick.kept());
        assert_eq!(quick.longest_us, 900_000);

        let slow = phase(&[answered(200, None, 2_000)], 2);
        let total = LogIns::total([&quick, &slow].into_iter()).unwrap();
        assert_eq!((total.storms, total.statuses[&200], total.longest_us), (2, 3, 2_000_000));
        assert!((total.per_second - 1.25).abs() < 1e-9);
        assert!(LogIns::total(std::iter::empty()).is_none());
    }

    #[test]
    fn only_a_session_or_a_time_to_come_back_is_as_promised() {
        assert!(!phase(&[answered(503, None, 1)], 1).kept());
        assert!(!phase(&[answered(429, Some(1), 1)], 1).kept());
        let mut broken = phase(&[answered(200, None, 1)], 1);
        broken.add(None);
        assert!(!broken.kept());
    }
}
