//! How fast closed tenants are opened to store their entries: so that requests have the machine meanwhile.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// Time between two openings: more than twice what one takes with its entries.
const STEP: Duration = Duration::from_millis(5);

/// One opening after the other, with time in between.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next may be.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits until it is the caller's turn.
    pub(crate) async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock();
            let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            *next = Some(turn + STEP);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{Duration, Pace, STEP};

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_at_once_and_the_others_one_after_the_other() {
        let (pace, begin) = (Pace::default(), Instant::now());
        pace.turn().await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        futures_util::future::join_all([pace.turn(), pace.turn(), pace.turn()]).await;
        assert_eq!(begin.elapsed(), STEP * 3);
        tokio::time::sleep(STEP * 10).await;
        pace.turn().await;
        assert_eq!(begin.elapsed(), STEP * 13, "what was not used is not saved up");
    }
}
