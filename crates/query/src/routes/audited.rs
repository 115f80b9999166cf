//! What the audit log learns of a query: what was done to which table, and how many rows; no value.

use kernel::{Authenticated, Reason, RequestId, Result};

use super::answer;
use crate::{
    Outcome,
    request::{Action, Query, Work},
    rules::canonical_table,
};

/// A query, as far as the audit log is concerned.
#[derive(Debug, Clone)]
struct Deed {
    action: Action,
    table: String,
    /// How many statements a batch has.
    queries: Option<usize>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
struct Told {
    rows: Option<u64>,
    warning: Option<String>,
    status: u16,
    /// Statements of a batch that failed.
    failed: Option<usize>,
}

/// The query of a request. A write that is dropped before its outcome is recorded was cut off: the client has gone or the
/// time is up, and the write may stand all the same.
pub(super) struct Audited {
    deed: Deed,
    /// Whether it still is to be written down.
    open: bool,
}

/// A write of a program, to be written down once the program is committed.
#[derive(Debug, Clone)]
pub(crate) struct AuditedWrite(Deed, Told);

impl Audited {
    pub(super) fn begin(query: &Query) -> Self {
        Self { deed: Deed::of(query), open: !query.explain }
    }

    /// Writes it down. Who asks for what tenant is known of the request.
    pub(super) fn record(mut self, outcome: &Result<Outcome>) {
        if std::mem::take(&mut self.open) {
            match outcome {
                Ok(outcome) => {
                    let (word, told) = self.deed.told(outcome);
                    self.deed.emit(word, told);
                }
                Err(error) => {
                    self.deed.emit(error.reason.word(), Told { status: error.reason.status(), ..Told::default() });
                }
            }
        }
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        if self.open && !self.deed.action.reads() {
            self.deed.emit("cut_off", Told { status: edge::CUT_OFF, ..Told::default() });
        }
    }
}

impl AuditedWrite {
    /// Nothing of a read, whose program tells enough.
    pub(crate) fn of(query: &Query, outcome: &Outcome) -> Option<Self> {
        if query.action.reads() {
            return None;
        }
        let deed = Deed::of(query);
        let (_, told) = deed.told(outcome);
        Some(Self(deed, told))
    }

    /// Writes it down. No request may be behind it, so that it says itself who writes.
    pub(crate) fn record(self, caller: &Authenticated, request: RequestId) {
        let Self(Deed { action, table, .. }, Told { rows, warning, status, .. }) = self;
        let (action, outcome, request_id) = (action.word(), "ok", tracing::field::display(request));
        let (tenant, user, warning) = (&*caller.tenant.name, caller.principal.user(), warning.as_deref());
        tracing::debug!(
            target: "audit", action, outcome, status, tenant, user, table, rows_affected = rows, warning, request_id,
        );
    }
}

impl Deed {
    fn of(query: &Query) -> Self {
        let queries = match &query.work {
            Work::Single(_) => None,
            Work::Batch { items, .. } => Some(items.len()),
        };
        Self { action: query.action, table: canonical_table(&query.table).to_owned(), queries }
    }

    /// The levels keep both kinds out of a log of the usual level, where `answered` tells enough.
    fn emit(&self, outcome: &str, told: Told) {
        let Told { rows, warning, status, failed } = told;
        let (action, table, queries, warning) = (self.action.word(), &*self.table, self.queries, warning.as_deref());
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

fn rows(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Written { rows, .. } => *rows,
        _ => 0,
    }
}

fn joined(warnings: &[String]) -> Option<String> {
    (!warnings.is_empty()).then(|| warnings.join("; "))
}
