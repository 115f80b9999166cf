//! The time that a write may take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Interrupts what a connection does once its time is up. While nothing runs it interrupts nothing.
#[derive(Clone)]
pub(super) struct Clock {
    started: Instant,
    /// Milliseconds after the start at which time is up; 0 while nothing runs.
    until: Arc<AtomicU64>,
}

/// Stops the clock at its end.
pub(super) struct Running<'c>(&'c AtomicU64);

impl Clock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), until: Arc::default() }
    }

    /// Looks after what runs on a connection.
    pub(super) fn install(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let look = self.clone();
        connection.progress_handler(STEPS, Some(move || look.is_over()))
    }

    /// From now on what runs may take so long.
    pub(super) fn start(&self, most: Duration) -> Running<'_> {
        self.until.store(millis(self.started.elapsed().saturating_add(most)), Ordering::Relaxed);
        Running(&self.until)
    }

    fn is_over(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until > 0 && millis(self.started.elapsed()) > until
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
