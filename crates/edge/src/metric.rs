//! Numbers for Prometheus: requests by method, route and status, their durations, how many are running.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use http::Method;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;

const REQUESTS: &str = "insula_http_requests_total";
const DURATION: &str = "insula_http_request_duration_seconds";
const IN_FLIGHT: &str = "insula_http_requests_in_flight";
const LIMITED: &str = "insula_http_rate_limited_total";
const STATEMENTS: &str = "insula_database_statements_total";
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

static EXPORTER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
/// Tells how many statements were run.
static COUNT: OnceLock<fn() -> u64> = OnceLock::new();

/// The edge's numbers. All parts of the program share the one recorder.
pub(crate) struct Metrics {
    in_flight: Gauge,
    /// By route, then by method and status: both are few, so that looking one up costs no allocation.
    requests: RwLock<HashMap<String, Vec<Requests>>>,
}

#[derive(Clone)]
struct Requests {
    method: &'static str,
    status: u16,
    count: Counter,
    duration: Histogram,
}

impl Metrics {
    /// Installs the recorder, once for the whole process, and registers the edge's numbers. `statements` tells how many
    /// statements this process has run.
    pub(crate) fn install(statements: fn() -> u64) -> Self {
        let _ = COUNT.set(statements);
        EXPORTER.get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS);
            builder
                .and_then(PrometheusBuilder::install_recorder)
                .inspect_err(|error| tracing::warn!(%error, "there will be no metrics"))
                .ok()
        });
        describe_counter!(REQUESTS, "Requests answered, by method, route and status.");
        describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from a request's head to its answer's head.");
        describe_gauge!(IN_FLIGHT, "Requests that are being answered.");
        describe_counter!(LIMITED, "Requests refused with 429, by limiter.");
        describe_counter!(
            STATEMENTS,
            "Statements run on databases, those of background work and of transactions included."
        );
        Self { in_flight: gauge!(IN_FLIGHT), requests: RwLock::default() }
    }

    fn requests(&self, route: &str, method: &'static str, status: u16) -> Requests {
        let known = self
            .requests
            .read()
            .get(route)
            .and_then(|known| known.iter().find(|known| known.method == method && known.status == status).cloned());
        if let Some(known) = known {
            return known;
        }
        let count = counter!(
            REQUESTS, "method" => method, "route" => route.to_owned(), "status" => status.to_string()
        );
        let duration = histogram!(DURATION, "method" => method, "route" => route.to_owned());
        let new = Requests { method, status, count, duration };
        self.requests.write().entry(route.to_owned()).or_default().push(new.clone());
        new
    }
}

/// Counts a request that was refused by a limiter.
pub(crate) fn limited(limiter: &'static str) {
    counter!(LIMITED, "limiter" => limiter).increment(1);
}

/// All numbers in Prometheus' text format; none where another recorder was installed.
pub(crate) fn render() -> Option<String> {
    if let Some(count) = COUNT.get() {
        counter!(STATEMENTS).absolute(count());
    }
    Some(EXPORTER.get()?.as_ref()?.render())
}

/// Housekeeping of the exporter, to be called every few seconds.
pub(crate) fn upkeep() {
    if let Some(Some(exporter)) = EXPORTER.get() {
        exporter.run_upkeep();
    }
}

/// One running request. When it is dropped without an end, its client went away.
pub(crate) struct Outcome {
    metrics: Arc<Metrics>,
    method: &'static str,
    begun: Instant,
    ended: bool,
}

/// The status that stands for a client that did not wait.
const CLIENT_GONE: u16 = 499;
/// The route of requests that reached none.
const NO_ROUTE: &str = "none";

impl Outcome {
    pub(crate) fn begin(metrics: &Arc<Metrics>, method: &Method, begun: Instant) -> Self {
        metrics.in_flight.increment(1.0);
        Self { metrics: metrics.clone(), method: word(method), begun, ended: false }
    }

    pub(crate) fn end(mut self, route: Option<&str>, status: u16, duration: Duration) {
        self.ended = true;
        let requests = self.metrics.requests(route.unwrap_or(NO_ROUTE), self.method, status);
        requests.count.increment(1);
        requests.duration.record(duration);
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.metrics.in_flight.decrement(1.0);
        if !self.ended {
            tracing::info!(method = self.method, after = ?self.begun.elapsed(), "the client went away");
            self.metrics.requests(NO_ROUTE, self.method, CLIENT_GONE).count.increment(1);
        }
    }
}

/// The label of methods that strangers invent.
pub(crate) const OTHER: &str = "other";

/// The method as a label.
pub(crate) fn word(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|word| method.as_str() == *word).unwrap_or(OTHER)
}
