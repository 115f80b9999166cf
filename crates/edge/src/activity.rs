//! Whether anybody is asking anything, for a restart that waits until nobody does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;

/// A body of at most this many bytes is on its way as soon as it is known.
const SHORT: u64 = 64 << 10;

/// The requests that are being answered, and when the last one was.
#[derive(Debug)]
pub struct Activity {
    begun: Instant,
    running: AtomicUsize,
    /// Microseconds from the beginning to the end of the last request.
    last: AtomicU64,
}

/// One request that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Arc<Activity>);

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), running: AtomicUsize::new(0), last: AtomicU64::new(0) })
    }

    /// Time since the last request was answered, or since the start; none while requests are being answered. Those for
    /// `/health` do not count.
    pub fn idle(&self) -> Option<Duration> {
        if self.running.load(Ordering::Acquire) > 0 {
            return None;
        }
        let last = Duration::from_micros(self.last.load(Ordering::Acquire));
        Some(self.begun.elapsed().saturating_sub(last))
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(self))
    }
}

impl Running {
    /// A body with which the request lasts until it is sent, where that takes a while.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        match body.size_hint().exact() {
            Some(size) if size <= SHORT => body,
            // The closure holds on to it.
            _ => Body::new(body.inspect_frame(move |_| {
                let _held = &self;
            })),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.last.fetch_max(self.0.begun.elapsed().as_micros() as u64, Ordering::AcqRel);
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::{Activity, SHORT};

    #[test]
    fn a_request_lasts_until_its_answer_is_sent() {
        let activity = Activity::new();
        assert!(activity.idle().is_some());
        let (one, two) = (activity.begin(), activity.begin());
        drop(one);
        assert_eq!(activity.idle(), None, "the other is running");
        let body = two.until_sent(Body::from(vec![0; SHORT as usize + 1]));
        assert_eq!(axum::body::HttpBody::size_hint(&body).exact(), Some(SHORT + 1));
        assert_eq!(activity.idle(), None, "it is being sent");
        drop(body);
        assert!(activity.idle().is_some());
        let _body = activity.begin().until_sent(Body::from("short"));
        assert!(activity.idle().is_some());
    }
}
