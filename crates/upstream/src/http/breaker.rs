//! Leaves a service alone for a while after it has failed several times in a row.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Counts the failures of one service.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Failures in a row after which it opens; 0 never.
    limit: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// Whether one call tries if the service is well again.
    trying: bool,
}

/// One call that was let through. Dropped without a verdict it says nothing about the service.
#[derive(Debug)]
pub(super) struct Passage {
    breaker: Arc<Breaker>,
    trial: bool,
}

impl Breaker {
    pub(super) fn new(limit: u32, pause: Duration) -> Arc<Self> {
        Arc::new(Self { limit, pause, state: Mutex::default() })
    }

    /// Lets a call through. Errors: how long to wait.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Passage, Duration> {
        let mut state = self.state.lock();
        let trial = match state.open_until {
            None => false,
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() || state.trying {
                    return Err(left.max(Duration::from_secs(1)));
                }
                state.trying = true;
                true
            }
        };
        Ok(Passage { breaker: Arc::clone(self), trial })
    }
}

impl Passage {
    /// The service answered.
    pub(super) fn well(self) {
        let mut state = self.breaker.state.lock();
        state.failures = 0;
        state.open_until = None;
    }

    /// The service failed. Tells whether it is left alone from now on.
    pub(super) fn failed(self) -> bool {
        let mut state = self.breaker.state.lock();
        state.failures = state.failures.saturating_add(1);
        let opens = self.breaker.limit > 0 && (self.trial || state.failures == self.breaker.limit);
        if opens {
            state.open_until = Some(Instant::now() + self.breaker.pause);
        }
        opens
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.trial {
            self.breaker.state.lock().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Breaker;
    use std::{thread::sleep, time::Duration};

    const PAUSE: Duration = Duration::from_millis(30);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_success() {
        let breaker = Breaker::new(2, PAUSE);
        assert!(!breaker.enter().unwrap().failed());
        breaker.enter().unwrap().well();
        assert!(!breaker.enter().unwrap().failed());
        assert!(breaker.enter().unwrap().failed());
        assert!(breaker.enter().is_err());
        sleep(PAUSE);
        let trial = breaker.enter().unwrap();
        assert!(breaker.enter().is_err(), "one call tries at a time");
        assert!(trial.failed(), "one failure is enough now");
        assert!(breaker.enter().is_err());
        sleep(PAUSE);
        drop(breaker.enter().unwrap());
        breaker.enter().unwrap().well();
        let several = [breaker.enter().unwrap(), breaker.enter().unwrap()];
        assert_eq!(several.map(super::Passage::failed), [false, true]);
    }

    #[test]
    fn a_limit_of_0_never_opens() {
        let breaker = Breaker::new(0, PAUSE);
        assert!((0..100).all(|_| !breaker.enter().unwrap().failed()));
    }
}
