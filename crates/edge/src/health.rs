//! `GET /health`: whether the server and its database are there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::extract::State;
use http::StatusCode;
use kernel::Probe;
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Answer, Routes};

const TIMEOUT: Duration = Duration::from_secs(1);
const FRESH: Duration = Duration::from_secs(1);
/// While one request asks the database, others may take an answer of this age.
const USABLE: Duration = Duration::from_secs(3);

/// How the server is.
#[derive(Serialize, ToSchema)]
struct Report {
    /// Whether all is well.
    success: bool,
    /// `ok` or `degraded`.
    #[schema(example = "ok")]
    status: &'static str,
    /// Always `ok`: it answered.
    #[schema(example = "ok")]
    service: &'static str,
    /// `connected` or `disconnected`.
    #[schema(example = "connected")]
    database: &'static str,
    /// Milliseconds that the database took.
    #[schema(example = 2)]
    latency_ms: u64,
    /// Seconds since the server started.
    #[schema(example = 123)]
    uptime_seconds: u64,
}

#[derive(Clone, Copy)]
struct Finding {
    at: Instant,
    connected: bool,
    latency: Duration,
}

pub(crate) struct Health {
    probe: Arc<dyn Probe>,
    started: Instant,
    last: Mutex<Option<Finding>>,
    asking: AtomicBool,
}

/// Marks that the database is being asked, until dropped.
struct Asking<'a>(&'a AtomicBool);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Health {
    pub(crate) fn new(probe: Arc<dyn Probe>) -> Self {
        Self { probe, started: Instant::now(), last: Mutex::new(None), asking: AtomicBool::new(false) }
    }

    async fn find(&self) -> Finding {
        let last = *self.last.lock();
        if let Some(last) = last.filter(|last| last.at.elapsed() < FRESH) {
            return last;
        }
        let asked_already = self.asking.swap(true, Ordering::AcqRel);
        if let Some(last) = last.filter(|last| asked_already && last.at.elapsed() < USABLE) {
            return last;
        }
        let _asking = Asking(&self.asking);
        let begun = Instant::now();
        let connected = match tokio::time::timeout(TIMEOUT, self.probe.probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database cannot be used");
                false
            }
            Err(_elapsed) => {
                tracing::warn!("the database did not answer within {TIMEOUT:?}");
                false
            }
        };
        let finding = Finding { at: Instant::now(), connected, latency: begun.elapsed() };
        *self.last.lock() = Some(finding);
        finding
    }
}

pub(crate) fn routes(health: Health) -> Routes {
    OpenApiRouter::new().routes(routes!(health_report)).with_state(Arc::new(health))
}

/// Whether the server and its database are there.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    security(()),
    responses(
        (status = 200, body = Report),
        (status = 503, body = Report, description = "The database cannot be used."),
    )
)]
async fn health_report(State(health): State<Arc<Health>>) -> Answer {
    let finding = health.find().await;
    let (status, word, database) = if finding.connected {
        (StatusCode::OK, "ok", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "degraded", "disconnected")
    };
    let report = Report {
        success: finding.connected,
        status: word,
        service: "ok",
        database,
        latency_ms: finding.latency.as_millis() as u64,
        uptime_seconds: health.started.elapsed().as_secs(),
    };
    Answer::with_status(status, report)
}
