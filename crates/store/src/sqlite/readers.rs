//! Reading: a few connections a tenant, used by whichever thread needs one.
//!
//! Most reads of a data API touch a handful of pages and take microseconds, less than handing them to another
//! thread. So a read is first tried right where it is asked for, within a budget of virtual machine steps that
//! bounds how long it can hold the thread; one that needs more is interrupted and run again on a thread that may
//! block.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{SqliteConfig, blocking, connection, map_error};
use crate::{Error, Result};

/// Steps between two looks at the budget.
const STEPS: i32 = 1_000;
/// Looks that a read may take on the caller's thread.
const INLINE_LOOKS: u32 = 30;

/// The reading connections of one database.
pub(super) struct Readers {
    path: PathBuf,
    slots: Box<[Mutex<Option<Reader>>]>,
    /// Long reads that may run at once; the rest wait without holding a thread.
    long: Semaphore,
    /// Time that a long read may take.
    long_time: Duration,
}

struct Reader {
    connection: Connection,
    /// When the running statement is interrupted.
    budget: Arc<Mutex<Budget>>,
}

/// What a running statement may still take.
#[derive(Clone, Copy)]
enum Budget {
    Looks(u32),
    Until(Instant),
}

impl Budget {
    /// Takes one look; tells whether that was one too many.
    fn is_spent(&mut self) -> bool {
        match self {
            Self::Looks(0) => true,
            Self::Looks(left) => {
                *left -= 1;
                false
            }
            Self::Until(end) => Instant::now() > *end,
        }
    }
}

impl Readers {
    pub(super) fn new(path: PathBuf, config: SqliteConfig) -> Self {
        let slots = (0..config.readers.max(2)).map(|_| Mutex::new(None)).collect::<Vec<_>>();
        let long_time = Duration::from_secs(config.read_timeout_seconds);
        // One connection stays free for short reads.
        let long = Semaphore::new(slots.len() - 1);
        Self { path, slots: slots.into(), long, long_time }
    }

    /// Runs a read. `work` may run twice, and must not keep what an interrupted run produced.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Fn(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(result) = self.try_inline(&work) {
            return result;
        }
        // Boxed: it is rare, and would make every request's own work as large.
        Box::pin(async move {
            let Ok(_permit) = self.long.acquire().await else { return Err(Error::Timeout) };
            let readers = Arc::clone(self);
            blocking(move || readers.run_long(&work)).await
        })
        .await
    }

    /// The read here and now; none where no open connection is free or where the budget was too small.
    fn try_inline<T>(&self, work: &impl Fn(&mut Connection) -> Result<T>) -> Option<Result<T>> {
        let mut slot = self.slots.iter().find_map(|slot| slot.try_lock().filter(|reader| reader.is_some()))?;
        let reader = slot.as_mut()?;
        *reader.budget.lock() = Budget::Looks(INLINE_LOOKS);
        match work(&mut reader.connection) {
            Err(Error::Timeout) => None,
            other => Some(other),
        }
    }

    fn run_long<T>(&self, work: &impl Fn(&mut Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.free_slot();
        if slot.is_none() {
            *slot = Some(Reader::open(&self.path)?);
        }
        let Some(reader) = slot.as_mut() else { return Err(Error::Timeout) };
        *reader.budget.lock() = Budget::Until(Instant::now() + self.long_time);
        work(&mut reader.connection)
    }

    fn free_slot(&self) -> parking_lot::MutexGuard<'_, Option<Reader>> {
        loop {
            if let Some(slot) = self.slots.iter().rev().find_map(Mutex::try_lock) {
                return slot;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Reader {
    fn open(path: &std::path::Path) -> Result<Self> {
        let mut connection = connection::reader(path).map_err(map_error)?;
        let budget = Arc::new(Mutex::new(Budget::Looks(0)));
        let left = Arc::clone(&budget);
        let look = move || left.lock().is_spent();
        connection.progress_handler(STEPS, Some(look)).map_err(map_error)?;
        Ok(Self { connection, budget })
    }
}
