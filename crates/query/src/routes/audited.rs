//! What the audit log learns of a query: what was done to which table, and how many rows; no value.

use std::net::IpAddr;

use edge::{Caller, RequestInfo};
use kernel::{Authenticated, Reason, RequestId, Result};

use super::answer;
use crate::{
    Outcome,
    request::{Action, Query, Work},
    rules::canonical_table,
};

/// A query, as far as the audit log is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Audited {
    action: Action,
    table: String,
    /// How many statements a batch has.
    queries: Option<usize>,
    explain: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    rows: Option<u64>,
    warning: Option<String>,
    status: u16,
    /// Statements of a batch that failed.
    failed: Option<usize>,
}

impl Audited {
    pub(crate) fn new(query: &Query) -> Self {
        let queries = match &query.work {
            Work::Single(_) => None,
            Work::Batch { items, .. } => Some(items.len()),
        };
        let table = canonical_table(&query.table).to_owned();
        Self { action: query.action, table, queries, explain: query.explain }
    }

    /// Writes it down. The levels keep both kinds out of a log of the usual level, where `answered` tells enough.
    pub(super) fn record(&self, caller: &Caller, info: &RequestInfo, outcome: &Result<Outcome>) {
        if self.explain {
            return;
        }
        let (word, told) = match outcome {
            Ok(outcome) => self.told(outcome),
            Err(error) => (error.reason.word(), Told { status: error.reason.status(), ..Told::default() }),
        };
        self.emit(&caller.0, Some(info.client), info.id, word, told);
    }

    /// What is to be written down of a write of a program, once it is committed; nothing of a read, whose program tells
    /// enough.
    pub(crate) fn write(query: &Query, outcome: &Outcome) -> Option<(Self, Told)> {
        if query.action.reads() {
            return None;
        }
        let audited = Self::new(query);
        let (_, told) = audited.told(outcome);
        Some((audited, told))
    }

    /// Writes down a write of a program that was committed. Where the client is tells the span, if there is one.
    pub(crate) fn record_write(&self, caller: &Authenticated, request: RequestId, told: Told) {
        self.emit(caller, None, request, "ok", told);
    }

    fn emit(&self, caller: &Authenticated, client: Option<IpAddr>, request: RequestId, word: &str, told: Told) {
        let Told { rows, warning, status, failed } = told;
        let (action, table, queries) = (self.action.word(), &*self.table, self.queries);
        let (tenant, user, warning) = (&*caller.tenant.name, caller.principal.user(), warning.as_deref());
        let (client, request_id) = (client.map(tracing::field::display), tracing::field::display(request));
        if self.action.reads() {
            tracing::trace!(
                target: "audit", action, outcome = word, status, tenant, user, table, warning, queries, failed, client,
                request_id,
            );
        } else {
            tracing::debug!(
                target: "audit", action, outcome = word, status, tenant, user, table, rows_affected = rows, warning,
                queries, failed, client, request_id,
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
