//! Writing: one connection, and all writes that wait at a moment share one commit.
//!
//! A write waits in its tenant's queue. The first to arrive wakes a thread, which takes everything that waits, runs it in
//! one transaction, commits once, and only then answers them all. A write that fails undoes itself alone. While the disk
//! syncs, the next group gathers. A tenant without writes holds no thread.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use kernel::WriteContext;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{caller::Caller, map_error};
use crate::{Error, Result, Transaction, transaction};

/// Writes that share one commit at the most.
const GROUP: usize = 256;
/// Groups that get savepoints after one in which a write failed.
const CAREFUL: u32 = 64;

/// The writing side of one database.
pub(super) struct Writer {
    connection: Mutex<Connection>,
    queue: Mutex<Queue>,
    caller: Caller,
    /// Set once a constraint was violated that SQLite checks at the commit: then each write is committed alone, so
    /// that one cannot spoil the commit of others.
    alone: AtomicBool,
    /// Groups that still get savepoints, after one in which a write failed.
    careful: AtomicU32,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Box<dyn Job>>,
    /// Whether a thread is at work on this queue.
    running: bool,
}

/// A write that waits for its turn.
trait Job: Send {
    /// Runs it on the writing connection, again where what it did was undone. Tells whether to keep what it did.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Tells the caller how it went, once the commit has succeeded or failed.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Submitted<T, F> {
    work: F,
    context: WriteContext,
    caller: Caller,
    /// What came of it the last time; none where it has not run to its end.
    result: Option<Result<T>>,
    sender: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Submitted<T, F>
where
    T: Send,
    F: Fn(&mut Transaction<'_>) -> Result<T> + Send,
{
    fn run(&mut self, connection: &mut Connection) -> bool {
        self.result = None;
        self.caller.set(&self.context);
        let connection = transaction::Connection::Sqlite(connection);
        let result = (self.work)(&mut Transaction { connection, context: &self.context });
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Driver("a write was abandoned: its work panicked".into())),
        };
        // The caller may have gone; the write stands all the same.
        let _ = self.sender.send(answer);
    }
}

impl Writer {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let caller = Caller::install(&connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
            queue: Mutex::default(),
            caller,
            alone: AtomicBool::new(false),
            careful: AtomicU32::new(0),
        })
    }

    /// Queues a write and waits until it is on disk.
    pub(super) async fn submit<T, F>(self: &Arc<Self>, context: WriteContext, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let caller = self.caller.clone();
        self.enqueue(Box::new(Submitted { work, context, caller, result: None, sender }));
        receiver.await.unwrap_or_else(|_| Err(Error::Driver("a write was abandoned".into())))
    }

    /// Runs a pragma between two groups.
    pub(super) fn run(&self, pragma: &str) -> Result<()> {
        self.connection.lock().execute_batch(pragma).map_err(map_error)
    }

    fn enqueue(self: &Arc<Self>, job: Box<dyn Job>) {
        let mut queue = self.queue.lock();
        queue.waiting.push(job);
        if !std::mem::replace(&mut queue.running, true) {
            let writer = Arc::clone(self);
            tokio::task::spawn_blocking(move || writer.drain());
        }
    }

    /// Commits group after group until nothing waits.
    fn drain(&self) {
        let mut connection = self.connection.lock();
        while let Some(group) = self.next_group() {
            self.commit(&mut connection, group);
        }
    }

    /// Runs and commits a group.
    fn commit(&self, connection: &mut Connection, mut group: Vec<Box<dyn Job>>) {
        let committed = self.run_group(connection, &mut group).and_then(|()| run(connection, "COMMIT"));
        if let Err(error) = &committed {
            tracing::error!(%error, writes = group.len(), "a group of writes could not be committed");
            undo(connection);
        }
        self.answer(group, &committed);
    }

    /// Runs a group in a transaction, which it leaves open.
    ///
    /// Most groups go well as a whole, so that no write gets a savepoint at first: SQLite would keep a copy of every page
    /// that the write touches. Where one fails all are undone, and run again with savepoints.
    fn run_group(&self, connection: &mut Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        run(connection, "BEGIN IMMEDIATE")?;
        let careful = self.careful.load(Ordering::Relaxed);
        if careful == 0 || group.len() == 1 {
            if group.iter_mut().all(|job| run_job(connection, &mut **job)) {
                return Ok(());
            }
            undo(connection);
            run(connection, "BEGIN IMMEDIATE")?;
            if group.len() == 1 {
                return Ok(());
            }
        }
        self.careful.store(careful.checked_sub(1).unwrap_or(CAREFUL), Ordering::Relaxed);
        group.iter_mut().try_for_each(|job| run_in_savepoint(connection, &mut **job))
    }

    /// Tells every caller how it went. Where one of several writes left a deferred constraint violated, all are told to try
    /// again, and the guilty one will hear of it alone.
    fn answer(&self, group: Vec<Box<dyn Job>>, committed: &rusqlite::Result<()>) {
        let spoiled =
            group.len() > 1 && committed.as_ref().is_err_and(|error| matches!(again(error), Error::ForeignKey));
        if spoiled {
            self.alone.store(true, Ordering::Relaxed);
        }
        for job in group {
            job.answer(match committed {
                Err(error) if spoiled => Err(Error::Conflict(error.to_string().into())),
                other => other.as_ref().copied().map_err(again),
            });
        }
    }

    fn next_group(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            queue.running = false;
            return None;
        }
        let most = if self.alone.load(Ordering::Relaxed) { 1 } else { GROUP };
        let size = queue.waiting.len().min(most);
        Some(queue.waiting.drain(..size).collect())
    }
}

/// Runs a write. A panic in it is a failure.
fn run_job(connection: &mut Connection, job: &mut dyn Job) -> bool {
    std::panic::catch_unwind(AssertUnwindSafe(|| job.run(connection))).unwrap_or(false)
}

/// Runs a write in a savepoint of its own, so that its failure undoes it alone.
fn run_in_savepoint(connection: &mut Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    run(connection, "SAVEPOINT write")?;
    if !run_job(connection, job) {
        run(connection, "ROLLBACK TO write")?;
    }
    run(connection, "RELEASE write")
}

fn undo(connection: &Connection) {
    // Some failures have undone it already.
    let _ = run(connection, "ROLLBACK");
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}

/// The same error for every write of a group.
fn again(error: &rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            map_error(rusqlite::Error::SqliteFailure(*failure, message.clone()))
        }
        other => Error::Driver(other.to_string().into()),
    }
}
