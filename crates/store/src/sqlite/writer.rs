//! Writing: one connection, and all writes that wait at a moment share one commit.
//!
//! A write waits in its tenant's queue. The first to arrive wakes a thread, which takes everything that waits, runs
//! each write in a savepoint of its own inside one transaction, commits once, and only then answers them all. While
//! the disk syncs, the next group gathers. A tenant without writes holds no thread.
//!
//! A write whose caller has gone before it began is left out. One that takes too long is interrupted, which costs its
//! group the transaction: the writes before it in the group are repeated, those after it begin another one.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kernel::WriteContext;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{caller::Caller, clock::Clock, map_error};
use crate::{Error, Result, Transaction, transaction};

/// Writes that share one commit at the most.
const GROUP: usize = 256;

/// The writing side of one database.
pub(super) struct Writer {
    connection: Mutex<Connection>,
    queue: Mutex<Queue>,
    caller: Caller,
    clock: Clock,
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
/// Nothing comes of it where the caller has gone.
type Job = Box<dyn FnOnce(Result<&mut Connection>) -> Option<Finished> + Send>;

/// A write that has run but is not committed.
struct Finished {
    /// Whether its savepoint is kept.
    keep: bool,
    /// Tells the caller how it went, once the commit has succeeded or failed.
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

impl Writer {
    pub(super) fn new(mut connection: Connection) -> rusqlite::Result<Self> {
        let (caller, clock) = (Caller::install(&connection)?, Clock::install(&mut connection)?);
        let (connection, queue) = (Mutex::new(connection), Mutex::default());
        Ok(Self { connection, queue, caller, clock, alone: AtomicBool::new(false) })
    }

    /// Queues a write and waits until it is on disk. It may take `most`.
    pub(super) async fn submit<T, F>(self: &Arc<Self>, context: WriteContext, most: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (caller, clock) = (self.caller.clone(), self.clock.clone());
        let job: Job = Box::new(move |connection| {
            if sender.is_closed() {
                return None;
            }
            let result = connection.and_then(|connection| {
                caller.set(&context);
                let _running = clock.start(most);
                let connection = transaction::Connection::Sqlite(connection);
                work(&mut Transaction::new(connection, &context))
            });
            let keep = result.is_ok();
            let answer = move |committed: Result<()>| {
                // The caller may have gone; the write stands all the same.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
            };
            Some(Finished { keep, answer: Box::new(answer) })
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
    let mut jobs = group.into_iter();
    loop {
        if let Err(error) = run(connection, "BEGIN IMMEDIATE") {
            refuse(jobs, &error);
            return false;
        }
        let mut finished = Vec::with_capacity(jobs.len());
        for job in jobs.by_ref() {
            finished.extend(run_job(connection, job));
            if connection.is_autocommit() {
                break;
            }
        }
        if !connection.is_autocommit() {
            return commit(connection, finished, grouped);
        }
        // The last write was interrupted, and the transaction with it. Whoever has an error of its own hears that.
        for Finished { keep, answer } in finished {
            answer(if keep { Err(Error::Conflict("another write was interrupted".into())) } else { Ok(()) });
        }
        if jobs.len() == 0 {
            return false;
        }
    }
}

fn commit(connection: &Connection, finished: Vec<Finished>, grouped: bool) -> bool {
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
    let finished = std::panic::catch_unwind(AssertUnwindSafe(|| job(Ok(connection)))).ok().flatten();
    if connection.is_autocommit() {
        return finished;
    }
    if !finished.as_ref().is_some_and(|finished| finished.keep) {
        let _ = run(connection, "ROLLBACK TO write");
    }
    let _ = run(connection, "RELEASE write");
    finished
}

fn refuse(group: impl ExactSizeIterator<Item = Job>, error: &rusqlite::Error) {
    tracing::error!(%error, writes = group.len(), "a group of writes could not begin");
    for finished in group.filter_map(|job| job(Err(again(error)))) {
        (finished.answer)(Ok(()));
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use kernel::WriteContext;
    use tokio::time::timeout;

    use super::{
        super::{SqliteConfig, connection, statement::script},
        Writer,
    };
    use crate::{Error, Result};

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);
    const ENDLESS: &str = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 9 UNION ALL SELECT 9 FROM n) SELECT i FROM n";

    struct Stage {
        writer: Arc<Writer>,
        _folder: tempfile::TempDir,
    }

    impl Stage {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let connection = connection::writer(&folder.path().join("x.db"), SqliteConfig::default()).unwrap();
            let stage = Self { writer: Arc::new(Writer::new(connection).unwrap()), _folder: folder };
            stage.write("CREATE TABLE t (id INTEGER)", LONG).await.unwrap();
            stage
        }

        async fn write(&self, sql: &'static str, most: Duration) -> Result<()> {
            self.writer.submit(WriteContext::system(), most, move |transaction| script(transaction, sql)).await
        }

        /// Keeps the writer from its queue for a moment, so that what is queued meanwhile is one group.
        async fn occupy(&self) {
            let (writer, (held, is_held)) = (Arc::clone(&self.writer), tokio::sync::oneshot::channel());
            std::thread::spawn(move || {
                let _connection = writer.connection.lock();
                held.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(200));
            });
            is_held.await.unwrap();
        }

        fn rows(&self) -> Vec<i64> {
            let connection = self.writer.connection.lock();
            let mut select = connection.prepare("SELECT id FROM t ORDER BY id").unwrap();
            select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_that_nobody_waits_for_is_not_begun() {
        let stage = Stage::new().await;
        stage.occupy().await;
        let given_up = timeout(Duration::from_millis(50), stage.write("INSERT INTO t VALUES (1)", LONG)).await;
        assert!(given_up.is_err());
        stage.write("INSERT INTO t VALUES (2)", LONG).await.unwrap();
        assert_eq!(stage.rows(), [2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_that_takes_too_long_costs_its_group_nothing() {
        let stage = Stage::new().await;
        stage.occupy().await;
        let (before, endless, after) = tokio::join!(
            biased;
            stage.write("INSERT INTO t VALUES (1)", LONG),
            stage.write(ENDLESS, SHORT),
            stage.write("INSERT INTO t VALUES (3)", LONG)
        );
        assert!(matches!(endless, Err(Error::Timeout)), "{endless:?}");
        // It is repeated by whoever called.
        assert!(matches!(before, Err(Error::Conflict(_))), "{before:?}");
        assert!(after.is_ok(), "{after:?}");
        assert_eq!(stage.rows(), [3]);
        stage.write("INSERT INTO t VALUES (4)", SHORT).await.unwrap();
        assert_eq!(stage.rows(), [3, 4]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_follows_what_was_interrupted() {
        let stage = Stage::new().await;
        let stubborn = stage.writer.submit(WriteContext::system(), SHORT, |transaction| {
            assert!(script(transaction, ENDLESS).is_err());
            let insert = crate::Statement::fixed("INSERT INTO t VALUES (1)");
            pollster::block_on(transaction.run(&insert)).map(drop)
        });
        assert!(matches!(stubborn.await, Err(Error::Timeout)));
        assert!(stage.rows().is_empty());
    }
}
