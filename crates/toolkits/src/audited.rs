//! What the audit log learns of a call.

use std::time::Instant;

use axum::response::Response;
use http::StatusCode;
use kernel::{Reason, Result};

use crate::service::Asked;

/// The longest path that is told or logged.
const MOST_TOLD: usize = 200;

/// A call, as far as the audit log is concerned. One that is dropped before its outcome is recorded was cut off.
pub(crate) struct Audited<'a> {
    asked: &'a Asked<'a>,
    begun: Instant,
    /// The toolkit and the endpoint, as far as they are known.
    pub(crate) name: String,
    recorded: bool,
}

impl<'a> Audited<'a> {
    pub(crate) fn begin(asked: &'a Asked<'a>) -> Self {
        let name = format!("{}/{}", asked.toolkit, shortened(asked.path));
        Self { asked, begun: Instant::now(), name, recorded: false }
    }

    /// Writes it down; gives back what toolkit and endpoint are called.
    pub(crate) fn record(mut self, outcome: &Result<Response>) -> String {
        self.recorded = true;
        self.write(
            match outcome {
                Ok(response) if response.status() == StatusCode::METHOD_NOT_ALLOWED => Reason::MethodNotAllowed.word(),
                Ok(_) => "ok",
                Err(error) => error.reason.word(),
            },
            None,
        );
        std::mem::take(&mut self.name)
    }

    fn write(&self, outcome: &str, status: Option<u16>) {
        let Self { asked, begun, name, .. } = self;
        let (toolkit, endpoint) = name.split_once('/').unwrap_or((name, ""));
        tracing::info!(
            target: "audit", action = "toolkit", outcome, status, toolkit, endpoint, method = asked.method.word(),
            tenant = asked.caller.tenant.name, user = asked.caller.principal.user(), client = %asked.info.client,
            duration_ms = begun.elapsed().as_secs_f64() * 1_000.0, request_id = %asked.info.id,
        );
    }
}

impl Drop for Audited<'_> {
    fn drop(&mut self) {
        if !self.recorded {
            self.write("cut_off", Some(edge::CUT_OFF));
        }
    }
}

fn shortened(path: &str) -> &str {
    let end = path.char_indices().nth(MOST_TOLD).map_or(path.len(), |(end, _)| end);
    &path[..end]
}
