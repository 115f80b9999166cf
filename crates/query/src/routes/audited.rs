//! What the audit log learns of a query: what was done to which table, and how many rows; no value.

use kernel::{Reason, Result};

use super::answer;
use crate::{
    Outcome,
    request::{Action, Query, Work},
    rules::canonical_table,
};

/// A query, as far as the audit log is concerned. A write that is dropped before its outcome is recorded was cut off: the
/// client has gone or the time is up, and the write may stand all the same.
pub(super) struct Audited {
    action: Action,
    table: String,
    /// How many statements a batch has.
    queries: Option<usize>,
    /// Whether it still is to be written down.
    open: bool,
}

/// What came of it.
#[derive(Default)]
struct Told {
    rows: Option<u64>,
    warning: Option<String>,
    status: u16,
    /// Statements of a batch that failed.
    failed: Option<usize>,
}

impl Audited {
    pub(super) fn begin(query: &Query) -> Self {
        let queries = match &query.work {
            Work::Single(_) => None,
            Work::Batch { items, .. } => Some(items.len()),
        };
        let table = canonical_table(&query.table).to_owned();
        Self { action: query.action, table, queries, open: !query.explain }
    }

    /// Writes it down.
    pub(super) fn record(mut self, outcome: &Result<Outcome>) {
        if std::mem::take(&mut self.open) {
            match outcome {
                Ok(outcome) => {
                    let (word, told) = self.told(outcome);
                    self.write(word, told);
                }
                Err(error) => {
                    self.write(error.reason.word(), Told { status: error.reason.status(), ..Told::default() });
                }
            }
        }
    }

    /// The levels keep both kinds out of a log of the usual level, where `answered` tells enough.
    fn write(&self, outcome: &str, told: Told) {
        let Told { rows, warning, status, failed } = told;
        let (action, table, queries) = (self.action.word(), &*self.table, self.queries);
        let warning = warning.as_deref();
        // Who asks for what tenant is known of the request.
        if self.action.reads() {
            tracing::trace!(target: "audit", action, outcome, status, table, warning, queries, failed);
        } else {
            tracing::debug!(
                target: "audit", action, outcome, status, table, rows_affected = rows, warning, queries, failed,
            );
        }
    }

    fn told(&self, outcome: &Outcome) -> (&'static str, Told) {
        match outcome {
            Outcome::Batch(results, undone) => {
                let failed = results.iter().filter(|result| result.is_err()).count();
                let rows = if *undone { 0 } else { results.iter().flatten().map(rows).sum() };
                let word = match failed {
                    0 => "ok",
                    _ if *undone || failed == results.len() => Reason::BatchFailed.word(),
                    _ => "partly_failed",
                };
                let status = answer::batch_status(results, *undone).as_u16();
                let rows = (!self.action.reads()).then_some(rows);
                (word, Told { rows, status, failed: (failed > 0).then_some(failed), warning: None })
            }
            Outcome::Rows(_, warnings) => ("ok", Told { warning: joined(warnings), status: 200, ..Told::default() }),
            Outcome::Written { rows, warnings, .. } => {
                ("ok", Told { rows: Some(*rows), warning: joined(warnings), status: 200, failed: None })
            }
            Outcome::Count(_) | Outcome::Explanation(_) => ("ok", Told { status: 200, ..Told::default() }),
        }
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        if self.open && !self.action.reads() {
            self.write("cut_off", Told { status: edge::CUT_OFF, ..Told::default() });
        }
    }
}

fn rows(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Written { rows, .. } => *rows,
        _ => 0,
    }
}

fn joined(warnings: &[String]) -> Option<String> {
    (!warnings.is_empty()).then(|| warnings.join("; "))
}
