//! Lines on their way out: those of every day gather for a moment, those that warn go at once.

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes that may wait. Whoever comes with more waits until there is room: no line is lost.
const MOST: usize = 1 << 20;

/// A log whose lines go out together, in their order. Cloning gives the same log.
///
/// A request that wrote to the log itself would wait for whoever reads the log. A process that is killed may lose the lines
/// of the last moment, none of which is a warning.
#[derive(Clone)]
pub struct Batch(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    more: Condvar,
    /// Held by whoever writes, so that lines keep their order.
    out: Mutex<Out>,
}

struct Out {
    sink: Box<dyn Write + Send>,
    /// The lines that went out last; their room is used again.
    lines: Vec<u8>,
}

impl Batch {
    /// A log that goes there. It has a thread of its own, which ends with the process.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        let out = Out { sink: Box::new(out), lines: Vec::new() };
        let batch = Self(Arc::new(Shared { waiting: Mutex::default(), more: Condvar::new(), out: Mutex::new(out) }));
        let shared = Arc::clone(&batch.0);
        // Without the thread lines go out when there are many, when one warns, and at the end.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || shared.carry());
        batch
    }

    /// Writes out what waits.
    pub fn flush(&self) {
        self.0.flush();
    }
}

impl Shared {
    fn carry(&self) {
        loop {
            let mut waiting = self.waiting.lock();
            self.more.wait_while(&mut waiting, |waiting| waiting.is_empty());
            drop(waiting);
            thread::sleep(GATHER);
            self.flush();
        }
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = self.waiting.lock();
        let first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let full = waiting.len() > MOST;
        drop(waiting);
        if at_once || full {
            self.flush();
        } else if first {
            self.more.notify_one();
        }
    }

    fn flush(&self) {
        let mut out = self.out.lock();
        let Out { sink, lines } = &mut *out;
        lines.clear();
        std::mem::swap(lines, &mut *self.waiting.lock());
        // Nobody can be told where the log itself fails.
        let _ = sink.write_all(lines).and_then(|()| sink.flush());
    }
}

/// One line on its way into a [`Batch`].
pub struct Line<'a> {
    shared: &'a Shared,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.shared.add(bytes, self.at_once);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Batch {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.0, at_once: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { shared: &self.0, at_once: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::Arc,
        time::{Duration, Instant},
    };

    use parking_lot::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{Batch, MOST};
    use crate::Text;

    /// What was written, write by write.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn with_log(work: impl FnOnce(&Batch)) -> Vec<String> {
        let seen = Seen::default();
        let batch = Batch::new(seen.clone());
        let lines = tracing_subscriber::fmt::layer().event_format(Text).with_ansi(false).with_writer(batch.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || work(&batch));
        let seen = seen.0.lock();
        seen.clone()
    }

    #[test]
    fn lines_gather_and_warnings_take_them_along() {
        let seen = with_log(|_| {
            tracing::info!(number = 1, "one");
            tracing::info!("two");
            tracing::warn!("three");
        });
        assert_eq!(seen.len(), 1, "{seen:?}");
        let words: Vec<_> = seen[0].lines().map(|line| line.split_once(": ").map(|(_, said)| said)).collect();
        assert_eq!(words, [Some("one number=1"), Some("two"), Some("three")]);
    }

    #[test]
    fn lines_go_out_by_themselves() {
        let seen = Seen::default();
        let batch = Batch::new(seen.clone());
        batch.0.add(b"a line\n", false);
        let begun = Instant::now();
        while seen.0.lock().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "nothing is written");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(*seen.0.lock(), ["a line\n"]);
    }

    #[test]
    fn nothing_is_lost_where_there_is_much() {
        let seen = Seen::default();
        let batch = Batch::new(seen.clone());
        let line = [b'x'; 1_000];
        let lines = 3 * MOST / line.len();
        (0..lines).for_each(|_| batch.0.add(&line, false));
        batch.flush();
        assert_eq!(seen.0.lock().iter().map(String::len).sum::<usize>(), lines * line.len());
    }
}
