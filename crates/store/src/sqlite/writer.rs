//! Writing: one connection, and all writes that wait at a moment share one commit.
//!
//! A write waits in its tenant's queue. The first to arrive wakes a thread, which takes everything that waits, runs it in
//! one transaction, commits once, and only then answers them all. A write that fails undoes itself alone. While the disk
//! syncs, the next group gathers. A tenant without writes holds no thread, and after a while no connection for them.
//!
//! A write whose caller has gone before it began is left out. One that takes too long is interrupted, which costs its group
//! the transaction: the other writes of the group are run again.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use kernel::WriteContext;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{caller::Caller, clock::Clock, connection::File, map_error};
use crate::{Error, Result, Transaction, tally, transaction};

/// Writes that share one commit at the most.
const GROUP: usize = 256;
/// Groups that get savepoints after one in which a write failed.
const CAREFUL: u32 = 64;

/// The writing side of one database.
pub(super) struct Writer {
    file: Arc<File>,
    connection: Mutex<Open>,
    queue: Mutex<Queue>,
    caller: Caller,
    clock: Clock,
    /// Set once a constraint was violated that SQLite checks at the commit: then each write is committed alone, so
    /// that one cannot spoil the commit of others.
    alone: AtomicBool,
    /// Groups that still get savepoints, after one in which a write failed.
    careful: AtomicU32,
}

/// The connection, where something was written lately.
#[derive(Default)]
struct Open {
    connection: Option<Connection>,
    /// Whether it was used since the last look.
    used: bool,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Box<dyn Job>>,
    /// Whether a thread is at work on this queue.
    running: bool,
}

/// A write that waits for its turn.
trait Job: Send {
    /// Whether anybody waits for it.
    fn is_wanted(&self) -> bool;
    /// Runs it on the writing connection, again where what it did was undone. Tells whether to keep what it did.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Tells the caller how it went, once the commit has succeeded or failed.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Submitted<T, F> {
    work: F,
    context: WriteContext,
    /// Time that it may take.
    most: Duration,
    caller: Caller,
    clock: Clock,
    /// What came of it the last time; none where it has not run to its end.
    result: Option<Result<T>>,
    sender: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Submitted<T, F>
where
    T: Send,
    F: Fn(&mut Transaction<'_>) -> Result<T> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.sender.is_closed()
    }

    fn run(&mut self, connection: &mut Connection) -> bool {
        self.result = None;
        self.caller.set(&self.context);
        let _running = self.clock.start(self.most);
        let connection = transaction::Connection::Sqlite(connection);
        let result = (self.work)(&mut Transaction::new(connection, &self.context));
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
    /// It opens its connection when something is written.
    pub(super) fn new(file: Arc<File>) -> Self {
        Self {
            file,
            connection: Mutex::default(),
            queue: Mutex::default(),
            caller: Caller::default(),
            clock: Clock::new(),
            alone: AtomicBool::new(false),
            careful: AtomicU32::new(0),
        }
    }

    /// Opens the connection, which makes the file what it shall be.
    pub(super) fn open(&self) -> Result<()> {
        self.opened(&mut self.connection.lock()).map(drop)
    }

    /// Closes the connection where nothing was written since the last time.
    pub(super) fn rest(&self) {
        // Whoever holds it uses it.
        if let Some(mut open) = self.connection.try_lock()
            && !std::mem::replace(&mut open.used, false)
        {
            open.connection = None;
        }
    }

    /// Takes the connection, unless something is being written and not done within some time.
    pub(super) fn take(&self, patience: Duration) -> Option<Connection> {
        self.connection.try_lock_for(patience)?.connection.take()
    }

    fn opened<'o>(&self, open: &'o mut Open) -> Result<&'o mut Connection> {
        open.used = true;
        match &mut open.connection {
            Some(connection) => Ok(connection),
            none => {
                let mut connection = self.file.writer()?;
                self.caller.install(&connection).map_err(map_error)?;
                self.clock.install(&mut connection).map_err(map_error)?;
                Ok(none.insert(connection))
            }
        }
    }

    /// Queues a write and waits until it is on disk. It may take `most`.
    pub(super) async fn submit<T, F>(self: &Arc<Self>, context: WriteContext, most: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (caller, clock) = (self.caller.clone(), self.clock.clone());
        self.enqueue(Box::new(Submitted { work, context, most, caller, clock, result: None, sender }));
        receiver.await.unwrap_or_else(|_| Err(Error::Driver("a write was abandoned".into())))
    }

    /// Runs a pragma between two groups.
    pub(super) fn run(&self, pragma: &str) -> Result<()> {
        self.opened(&mut self.connection.lock())?.execute_batch(pragma).map_err(map_error)
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
        let mut open = self.connection.lock();
        while let Some(group) = self.next_group() {
            match self.opened(&mut open) {
                Ok(connection) => self.commit(connection, group),
                Err(error) => {
                    tracing::error!(%error, writes = group.len(), "a database could not be opened for writing");
                    for job in group {
                        job.answer(Err(Error::Unavailable(error.to_string().into())));
                    }
                }
            }
        }
    }

    /// Runs and commits a group.
    fn commit(&self, connection: &mut Connection, mut group: Vec<Box<dyn Job>>) {
        group.retain(|job| job.is_wanted());
        let ran = self.run_group(connection, &mut group);
        if group.is_empty() {
            return;
        }
        let committed = ran.and_then(|()| run(connection, "COMMIT"));
        if let Err(error) = &committed {
            tracing::error!(%error, writes = group.len(), "a group of writes could not be committed");
            undo(connection);
        }
        self.answer(group, &committed);
    }

    /// Runs a group in a transaction, which it leaves open unless nothing is left of the group: whoever cannot be run again
    /// is answered and taken out.
    ///
    /// Most groups go well as a whole, so that no write gets a savepoint at first: SQLite would keep a copy of every page
    /// that the write touches. Where one fails all are undone, and run again with savepoints.
    fn run_group(&self, connection: &mut Connection, group: &mut Vec<Box<dyn Job>>) -> rusqlite::Result<()> {
        let left = self.careful.load(Ordering::Relaxed);
        let mut careful = left > 0 && group.len() > 1;
        if careful {
            self.careful.store(left - 1, Ordering::Relaxed);
        }
        while !group.is_empty() {
            run(connection, "BEGIN IMMEDIATE")?;
            let mut jobs = group.iter_mut();
            let failed = if careful {
                jobs.position(|job| run_in_savepoint(connection, &mut **job).is_err())
            } else {
                jobs.position(|job| !run_job(connection, &mut **job) || connection.is_autocommit())
            };
            let Some(failed) = failed else { return Ok(()) };
            // An interrupt takes the whole transaction with it.
            let interrupted = connection.is_autocommit();
            undo(connection);
            if interrupted || careful || group.len() == 1 {
                group.remove(failed).answer(if interrupted { Err(Error::Timeout) } else { Ok(()) });
            } else {
                careful = true;
                self.careful.store(CAREFUL, Ordering::Relaxed);
            }
        }
        Ok(())
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
    tally::add(1);
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
        super::{SqliteConfig, connection::File, statement::script},
        Writer,
    };
    use crate::{Error, Result, database::at_once};

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
            let file = File::new(&folder.path().join("x.db"), SqliteConfig::default());
            let stage = Self { writer: Arc::new(Writer::new(Arc::new(file))), _folder: folder };
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
            let mut open = self.writer.connection.lock();
            let mut select = self.writer.opened(&mut open).unwrap().prepare("SELECT id FROM t ORDER BY id").unwrap();
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
        assert!(before.is_ok() && after.is_ok(), "{before:?} {after:?}");
        assert_eq!(stage.rows(), [1, 3]);
        stage.write("INSERT INTO t VALUES (4)", SHORT).await.unwrap();
        assert_eq!(stage.rows(), [1, 3, 4]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_follows_what_was_interrupted() {
        let stage = Stage::new().await;
        let stubborn = stage.writer.submit(WriteContext::system(), SHORT, |transaction| {
            assert!(script(transaction, ENDLESS).is_err());
            let insert = crate::Statement::fixed("INSERT INTO t VALUES (1)");
            at_once(Box::pin(transaction.run(&insert))).map(drop)
        });
        assert!(matches!(stubborn.await, Err(Error::Timeout)));
        assert!(stage.rows().is_empty());
    }
}
