//! Writing: one connection, and all writes that wait at a moment share one commit.
//!
//! A write waits in its tenant's queue. The first to arrive wakes a thread, which takes everything that waits, runs
//! each write in a savepoint of its own inside one transaction, commits once, and only then answers them all. While
//! the disk syncs, the next group gathers. A tenant without writes holds no thread.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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

/// The writing side of one database.
pub(super) struct Writer {
    connection: Mutex<Connection>,
    queue: Mutex<Queue>,
    caller: Caller,
    /// Set once a constraint was violated that SQLite checks at the commit: then each write is committed alone, so
    /// that one cannot spoil the commit of others.
    alone: AtomicBool,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Job>,
    /// Whether a thread is at work on this queue.
    running: bool,
}

/// Runs on the writing connection; is told the error instead where no transaction could begin.
type Job = Box<dyn FnOnce(Result<&mut Connection>) -> Finished + Send>;

/// A write that has run but is not committed.
struct Finished {
    /// Whether its savepoint is kept.
    keep: bool,
    /// Tells the caller how it went, once the commit has succeeded or failed.
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let caller = Caller::install(&connection)?;
        Ok(Self { connection: Mutex::new(connection), queue: Mutex::default(), caller, alone: AtomicBool::new(false) })
    }

    /// Queues a write and waits until it is on disk.
    pub(super) async fn submit<T, F>(self: &Arc<Self>, context: WriteContext, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let caller = self.caller.clone();
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(|connection| {
                caller.set(&context);
                let connection = transaction::Connection::Sqlite(connection);
                work(&mut Transaction { connection, context: &context })
            });
            let keep = result.is_ok();
            let answer = move |committed: Result<()>| {
                // The caller may have gone; the write stands all the same.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
            };
            Finished { keep, answer: Box::new(answer) }
        });
        self.enqueue(job);
        receiver.await.unwrap_or_else(|_| Err(Error::Driver("a write was abandoned: its work panicked".into())))
    }

    /// Runs a pragma between two groups.
    pub(super) fn run(&self, pragma: &str) -> Result<()> {
        self.connection.lock().execute_batch(pragma).map_err(map_error)
    }

    fn enqueue(self: &Arc<Self>, job: Job) {
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
            let grouped = group.len() > 1;
            if commit_group(&mut connection, group, grouped) {
                self.alone.store(true, Ordering::Relaxed);
            }
        }
    }

    fn next_group(&self) -> Option<Vec<Job>> {
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

/// Runs and commits a group. Tells whether one of several writes left a deferred constraint violated; then all of them
/// are told to try again, and the guilty one will hear of it alone.
fn commit_group(connection: &mut Connection, group: Vec<Job>, grouped: bool) -> bool {
    if let Err(error) = run(connection, "BEGIN IMMEDIATE") {
        refuse(group, &error);
        return false;
    }
    let finished: Vec<_> = group.into_iter().filter_map(|job| run_job(connection, job)).collect();
    let committed = run(connection, "COMMIT");
    if committed.is_err() {
        // A failed commit may leave the transaction open; nothing of the group may linger.
        let _ = run(connection, "ROLLBACK");
    }
    let spoiled = grouped && committed.as_ref().is_err_and(|error| matches!(again(error), Error::ForeignKey));
    for Finished { answer, .. } in finished {
        answer(match &committed {
            Err(error) if spoiled => Err(Error::Conflict(error.to_string().into())),
            other => other.as_ref().copied().map_err(again),
        });
    }
    spoiled
}

/// Runs one write in its savepoint. A panic in it undoes it alone.
fn run_job(connection: &mut Connection, job: Job) -> Option<Finished> {
    if run(connection, "SAVEPOINT write").is_err() {
        return None;
    }
    let finished = std::panic::catch_unwind(AssertUnwindSafe(|| job(Ok(connection)))).ok();
    if !finished.as_ref().is_some_and(|finished| finished.keep) {
        let _ = run(connection, "ROLLBACK TO write");
    }
    let _ = run(connection, "RELEASE write");
    finished
}

fn refuse(group: Vec<Job>, error: &rusqlite::Error) {
    tracing::error!(%error, writes = group.len(), "a group of writes could not begin");
    for job in group {
        (job(Err(again(error))).answer)(Ok(()));
    }
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
