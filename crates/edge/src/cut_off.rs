//! What the audit log hears of requests that are cut off.

use axum::{extract::Request, middleware::Next, response::Response};

/// The status of an entry whose request was cut off before it was answered.
pub const CUT_OFF: u16 = 499;

/// A layer for routes whose handlers write their entries at the end: where a request that may change something is cut off
/// before that, because the client has gone or the time is up, its entry says so. What it asked for may be done.
pub async fn tell_if_cut_off(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let mut unanswered = Unanswered(true);
    let response = next.run(request).await;
    unanswered.0 = false;
    response
}

/// Whether a request still is to be answered.
struct Unanswered(bool);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if self.0 {
            tracing::info!(target: "audit", action = "request", outcome = "cut_off", status = CUT_OFF);
        }
    }
}
