//! Reading: a few connections a tenant, used by whichever thread needs one.
//!
//! Most reads of a data API touch a handful of pages and take microseconds, less than handing them to another
//! thread. So a read is first tried right where it is asked for, within a budget of virtual machine steps that
//! bounds how long it can hold the thread; one that needs more is interrupted and run again on a thread that may
//! block.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{SqliteConfig, blocking, connection, map_error};
use crate::{Error, Result};

/// Steps between two looks at the budget.
const STEPS: i32 = 1_000;
/// Looks that a read may take on the caller's thread: about a fifth of a millisecond of work.
const INLINE_LOOKS: u32 = 10;
/// Looks a second, roughly, from which the time limit of long reads is made.
const LOOKS_A_SECOND: u64 = 40_000;

/// The reading connections of one database.
pub(super) struct Readers {
    path: PathBuf,
    slots: Box<[Mutex<Option<Reader>>]>,
    /// Long reads that may run at once; the rest wait without holding a thread.
    long: Semaphore,
    long_looks: u32,
}

struct Reader {
    connection: Connection,
    /// Looks left before the running statement is interrupted.
    budget: Arc<AtomicU32>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, config: SqliteConfig) -> Self {
        let slots = (0..config.readers.max(2)).map(|_| Mutex::new(None)).collect::<Vec<_>>();
        let long_looks = u32::try_from(config.read_timeout_seconds * LOOKS_A_SECOND).unwrap_or(u32::MAX);
        // One connection stays free for short reads.
        let long = Semaphore::new(slots.len() - 1);
        Self { path, slots: slots.into(), long, long_looks }
    }

    /// Runs a read. `work` may run twice, and must not keep what an interrupted run produced.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Fn(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(result) = self.try_inline(&work) {
            return result;
        }
        let Ok(_permit) = self.long.acquire().await else { return Err(Error::Timeout) };
        let readers = Arc::clone(self);
        blocking(move || readers.run_long(&work)).await
    }

    /// The read here and now; none where no open connection is free or where the budget was too small.
    fn try_inline<T>(&self, work: &impl Fn(&Connection) -> Result<T>) -> Option<Result<T>> {
        let mut slot = self.slots.iter().find_map(|slot| slot.try_lock().filter(|reader| reader.is_some()))?;
        let reader = slot.as_mut()?;
        reader.budget.store(INLINE_LOOKS, Ordering::Relaxed);
        match work(&reader.connection) {
            Err(Error::Timeout) => None,
            other => Some(other),
        }
    }

    fn run_long<T>(&self, work: &impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.free_slot();
        if slot.is_none() {
            *slot = Some(Reader::open(&self.path)?);
        }
        let Some(reader) = slot.as_mut() else { return Err(Error::Timeout) };
        reader.budget.store(self.long_looks, Ordering::Relaxed);
        work(&reader.connection)
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
        let budget = Arc::new(AtomicU32::new(0));
        let left = Arc::clone(&budget);
        let look = move || match left.load(Ordering::Relaxed) {
            0 => true,
            more => {
                left.store(more - 1, Ordering::Relaxed);
                false
            }
        };
        connection.progress_handler(STEPS, Some(look)).map_err(map_error)?;
        Ok(Self { connection, budget })
    }
}
