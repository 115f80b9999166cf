//! Reading: a few connections a tenant, used by whichever thread needs one.
//!
//! Most reads of a data API touch a handful of pages and take microseconds, less than handing them to another
//! thread. So a read is first tried right where it is asked for, within a budget of virtual machine steps that
//! bounds how long it can hold the thread; one that needs more is interrupted and run again on a thread that may
//! block.
//!
//! The first connection stays open as long as the database does. More are opened when reads meet, and closed when they have
//! not been used for a while.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{SqliteConfig, blocking, connection::File, map_error};
use crate::{Error, Result};

/// Steps between two looks at the budget.
const STEPS: i32 = 1_000;
/// Looks that a read may take on the caller's thread.
const INLINE_LOOKS: u32 = 30;

/// The reading connections of one database.
pub(super) struct Readers {
    file: Arc<File>,
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
    /// Whether it maps the file.
    mapped: bool,
    /// Whether it was used since the last look.
    used: bool,
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
    /// Opens the first connection, and does something with it.
    pub(super) fn open<T>(
        file: &Arc<File>,
        config: SqliteConfig,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut first = Reader::open(file)?;
        *first.budget.lock() = Budget::Until(Instant::now() + Duration::from_secs(config.read_timeout_seconds));
        let done = work(&mut first.connection)?;
        let mut slots = vec![Mutex::new(Some(first))];
        slots.resize_with(config.readers.max(2), Mutex::default);
        let long_time = Duration::from_secs(config.read_timeout_seconds);
        // One connection stays free for short reads.
        let long = Semaphore::new(slots.len() - 1);
        Ok((Self { file: Arc::clone(file), slots: slots.into(), long, long_time }, done))
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
        reader.used = true;
        *reader.budget.lock() = Budget::Looks(INLINE_LOOKS);
        match work(&mut reader.connection) {
            Err(Error::Timeout) => None,
            other => Some(other),
        }
    }

    fn run_long<T>(&self, work: &impl Fn(&mut Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.free_slot();
        if slot.is_none() {
            *slot = Some(Reader::open(&self.file)?);
        }
        let Some(reader) = slot.as_mut() else { return Err(Error::Timeout) };
        reader.used = true;
        *reader.budget.lock() = Budget::Until(Instant::now() + self.long_time);
        work(&mut reader.connection)
    }

    /// Gives back what has not been used since the last time: all connections but the first, and the memory of that one.
    pub(super) fn rest(&self) {
        let is_large = self.file.is_worth_mapping();
        for (position, slot) in self.slots.iter().enumerate() {
            // Whoever holds it uses it.
            let Some(mut slot) = slot.try_lock() else { continue };
            let Some(reader) = slot.as_mut() else { continue };
            let used = std::mem::replace(&mut reader.used, false);
            if position > 0 && (!used || reader.mapped != is_large) {
                *slot = None;
            } else if reader.mapped != is_large {
                // The file has become large, or small.
                match Reader::open(&self.file) {
                    Ok(another) => *slot = Some(another),
                    Err(error) => tracing::warn!(%error, "a database could not be opened again"),
                }
            } else if !used && let Err(error) = reader.connection.release_memory() {
                tracing::warn!(%error, "the memory of a database was not given back");
            }
        }
    }

    /// Takes the connections that nobody uses.
    pub(super) fn take(&self) -> Vec<Connection> {
        let idle = self.slots.iter().filter_map(|slot| slot.try_lock()?.take());
        idle.map(|reader| reader.connection).collect()
    }

    /// A place that is not the first, preferably one with an open connection. There are as many as long reads may run.
    fn free_slot(&self) -> parking_lot::MutexGuard<'_, Option<Reader>> {
        loop {
            let mut free = None;
            for slot in self.slots.iter().skip(1).filter_map(Mutex::try_lock) {
                if slot.is_some() {
                    return slot;
                }
                free = free.or(Some(slot));
            }
            if let Some(slot) = free {
                return slot;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Reader {
    fn open(file: &File) -> Result<Self> {
        let (mut connection, mapped) = file.reader()?;
        let budget = Arc::new(Mutex::new(Budget::Looks(0)));
        let left = Arc::clone(&budget);
        let look = move || left.lock().is_spent();
        connection.progress_handler(STEPS, Some(look)).map_err(map_error)?;
        Ok(Self { connection, budget, mapped, used: true })
    }
}
