//! A few threads of low priority for work that keeps a core busy: hashing, which must not starve queries.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use kernel::{Error, Reason, Result};
use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They start with the first piece of work and end with the pool.
pub(crate) struct HashPool {
    threads: usize,
    /// Pieces of work that may wait.
    queue: usize,
    /// Time that a piece of work may wait.
    patience: Duration,
    load: Arc<Load>,
    jobs: OnceLock<Sender<Job>>,
}

/// What there is to do.
#[derive(Default)]
struct Load {
    /// Running and waiting together.
    pieces: AtomicUsize,
    /// What a piece took of late, in microseconds.
    usual: AtomicU64,
}

/// A piece of work that counts until it is dropped.
struct Piece(Arc<Load>);

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.pieces.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Load {
    fn note(&self, took: Duration) {
        let took = took.as_micros() as u64;
        // Two at once may lose one of the two: it is an estimate.
        let usual = match self.usual.load(Ordering::Relaxed) {
            0 => took,
            usual => (usual * 7 + took) / 8,
        };
        self.usual.store(usual, Ordering::Relaxed);
    }
}

impl HashPool {
    pub(crate) fn new(threads: NonZeroUsize, queue: usize, patience: Duration) -> Self {
        Self { threads: threads.get(), queue, patience, load: Arc::default(), jobs: OnceLock::new() }
    }

    /// Does a piece of work on one of the threads. It is left undone where nobody waits for it any more.
    ///
    /// Errors: 503 `busy` where too much waits already, in number or in time.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let piece = self.enter()?;
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if reply.is_closed() {
                return;
            }
            let begun = Instant::now();
            let value = work();
            piece.0.note(begun.elapsed());
            // It counts no more when the answer is there.
            drop(piece);
            let _ = reply.send(value);
        };
        self.jobs.get_or_init(|| self.start()).send(Box::new(job)).map_err(|_| Error::internal("no thread hashes"))?;
        answer.await.map_err(|_| Error::internal("hashing a password failed"))
    }

    fn enter(&self) -> Result<Piece> {
        let before = self.load.pieces.fetch_add(1, Ordering::AcqRel);
        let piece = Piece(Arc::clone(&self.load));
        self.check(before)?;
        Ok(piece)
    }

    /// Refuses what [`Self::run`] would refuse now, before anything was done for it. Errors: 503 `busy`.
    pub(crate) fn require_room(&self) -> Result<()> {
        self.check(self.load.pieces.load(Ordering::Acquire))
    }

    /// Whether one more has room beside so many.
    fn check(&self, others: usize) -> Result<()> {
        let waiting = (others + 1).saturating_sub(self.threads);
        let usual = Duration::from_micros(self.load.usual.load(Ordering::Relaxed));
        let wait = usual.saturating_mul(waiting.div_ceil(self.threads) as u32);
        if waiting <= self.queue && wait <= self.patience {
            return Ok(());
        }
        let seconds = wait.as_secs() + 1;
        Err(Error::new(Reason::Busy, "Too many log-ins at once; try again shortly").retry_after(seconds))
    }

    fn start(&self) -> Sender<Job> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..self.threads {
            let receiver = Arc::clone(&receiver);
            let thread = std::thread::Builder::new().name(format!("hash-{number}"));
            if let Err(error) = thread.spawn(move || serve(&receiver)) {
                tracing::error!(%error, "a thread that hashes passwords did not start");
            }
        }
        sender
    }
}

fn serve(jobs: &Mutex<Receiver<Job>>) {
    lower_priority();
    loop {
        // The lock is free again before the work begins.
        let Ok(job) = jobs.lock().recv() else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("hashing a password panicked");
        }
    }
}

/// On Linux a priority is a thread's own; elsewhere it would be that of the whole program.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "a thread that hashes passwords keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::HashPool;
    use kernel::Reason;
    use std::{
        num::NonZeroUsize,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        time::Duration,
    };

    fn pool(queue: usize, patience: Duration) -> Arc<HashPool> {
        Arc::new(HashPool::new(NonZeroUsize::MIN, queue, patience))
    }

    type Task = tokio::task::JoinHandle<kernel::Result<()>>;

    /// Keeps the one thread busy until the gate is dropped.
    async fn occupy(pool: &Arc<HashPool>) -> (Task, mpsc::Sender<()>) {
        let pool = Arc::clone(pool);
        let (gate, opened) = mpsc::channel::<()>();
        let (began, has_begun) = tokio::sync::oneshot::channel();
        let work = move || {
            let _ = began.send(());
            let _ = opened.recv();
        };
        let task = tokio::spawn(async move { pool.run(work).await });
        has_begun.await.unwrap();
        (task, gate)
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_is_refused_at_once() {
        let pool = pool(1, Duration::MAX);
        let (running, gate) = occupy(&pool).await;
        let waiting = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(|| 7).await }
        });
        while pool.load.pieces.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        for error in [pool.run(|| 0).await.unwrap_err(), pool.require_room().unwrap_err()] {
            assert_eq!((error.reason, error.retry_after), (Reason::Busy, Some(1)));
        }
        drop(gate);
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        running.await.unwrap().unwrap();
        pool.require_room().unwrap();
        assert_eq!(pool.run(|| 8).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn what_would_wait_too_long_is_refused_at_once() {
        let pool = pool(1_000, Duration::from_secs(10));
        pool.load.note(Duration::from_secs(11));
        let (running, gate) = occupy(&pool).await;
        let error = pool.run(|| 0).await.unwrap_err();
        assert_eq!((error.reason, error.retry_after), (Reason::Busy, Some(12)));
        drop(gate);
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_left_undone_and_a_panic_harms_nobody_else() {
        let pool = pool(10, Duration::MAX);
        let (running, gate) = occupy(&pool).await;
        let done = Arc::new(AtomicUsize::new(0));
        let given_up = tokio::spawn({
            let (pool, done) = (Arc::clone(&pool), Arc::clone(&done));
            async move { pool.run(move || done.fetch_add(1, Ordering::Relaxed)).await }
        });
        while pool.load.pieces.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        drop(gate);
        running.await.unwrap().unwrap();
        assert_eq!(pool.run(|| panic!("a bad hash")).await.map(|()| 0).unwrap_err().reason, Reason::Internal);
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
        assert_eq!((done.load(Ordering::Relaxed), pool.load.pieces.load(Ordering::Relaxed)), (0, 0));
    }
}
