//! The files in which entries wait: one at a time for each process, which is the only one to write it.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    entry::Line,
    segment::{self, Aside},
};

/// Time in which no file is begun after one could not be.
const PAUSE: Duration = Duration::from_secs(1);

/// Entries of a file that are kept in memory, too.
const MOST_KEPT: usize = 20_000;
/// Entries with which it is time to move them.
const MANY: usize = 10_000;

/// Where entries wait until they are moved into their tenants' tables.
///
/// An entry is one `write` to a file of this process, so that a process that is killed loses none. The file is locked as
/// long as its process lives and writes it; whoever can lock a file may move what is in it.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    most: u64,
    current: Mutex<Current>,
    /// The entries of files that were sealed, where they were kept.
    sealed: Mutex<HashMap<PathBuf, Vec<Line>>>,
    /// Told when many entries wait.
    pub(crate) many: Notify,
    /// Bytes of all files when they were last counted, and what was written since.
    used: AtomicU64,
    /// Entries since the last report that are in the log alone.
    refused: AtomicU64,
}

/// The file that is being written.
#[derive(Debug, Default)]
struct Current {
    /// With the bytes of its whole lines.
    file: Option<(File, u64)>,
    path: PathBuf,
    /// The entries of the file, unless there are too many: whoever moves them need not read them.
    kept: Vec<Line>,
    lines: usize,
    /// When the next may be begun, after one could not.
    not_before: Option<Instant>,
}

impl Spool {
    /// The spool of a data folder. Nothing is made before the first entry. `most` is the bytes that all files may have.
    pub fn new(data: &Path, most: u64) -> Self {
        Self {
            folder: data.join("audit"),
            most,
            current: Mutex::default(),
            sealed: Mutex::default(),
            many: Notify::new(),
            used: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this process has written something since [`Self::seal`].
    pub(crate) fn is_dirty(&self) -> bool {
        self.current.lock().file.is_some()
    }

    /// Ends the file that is being written; the next entry begins another.
    pub(crate) fn seal(&self) {
        let mut current = self.current.lock();
        current.file.take();
        let (kept, lines) = (std::mem::take(&mut current.kept), std::mem::take(&mut current.lines));
        if !kept.is_empty() && kept.len() == lines {
            self.sealed.lock().insert(std::mem::take(&mut current.path), kept);
        }
    }

    /// The entries of a sealed file, where they were kept; only once.
    pub(crate) fn take_kept(&self, path: &Path) -> Option<Vec<Line>> {
        self.sealed.lock().remove(path)
    }

    /// Counts the bytes of all files, after some were moved.
    pub(crate) fn measure(&self) {
        self.count();
        self.current.lock().not_before = None;
    }

    fn count(&self) {
        self.used.store(segment::total_size(&self.folder), Ordering::Relaxed);
    }

    /// Whether so much waits that it should be moved as fast as can be.
    pub(crate) fn is_crowded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.most / 8
    }

    /// Puts entries of a tenant aside whose database is down; tells whether that is done. Others keep a quarter of the room
    /// for theirs.
    pub(crate) fn put_aside(&self, tenant: Uuid, lines: &[Line]) -> io::Result<bool> {
        let done = segment::put_aside(&self.folder, tenant, lines, self.most / 4 * 3)?;
        if done == Aside::Full {
            for line in lines {
                self.refuse(line, "too much waits for databases that are down");
            }
        }
        Ok(done != Aside::Busy)
    }

    /// How many entries were refused since this was last asked.
    pub(crate) fn take_refused(&self) -> u64 {
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// Writes an entry down. Where that cannot be done, standard error gets it: events cannot be logged from here.
    pub(crate) fn append(&self, line: Line) {
        let mut bytes = Vec::with_capacity(1024);
        if let Err(error) = line.write(&mut bytes) {
            return self.refuse(&line, &error.to_string());
        }
        let mut current = self.current.lock();
        match self.write(&mut current, &bytes) {
            Ok(()) => {
                current.lines += 1;
                if current.kept.len() < MOST_KEPT {
                    current.kept.push(line);
                }
                if current.lines == MANY {
                    self.many.notify_one();
                }
            }
            Err(error) => {
                drop(current);
                self.refuse(&line, &error.to_string());
            }
        }
    }

    fn write(&self, current: &mut Current, bytes: &[u8]) -> io::Result<()> {
        let Current { file, not_before, path, kept, lines } = current;
        let (open, good) = if let Some(open) = file {
            self.require_room(bytes)?;
            open
        } else {
            if not_before.is_some_and(|moment| Instant::now() < moment) {
                return Err(io::Error::other("no file can be begun"));
            }
            // Looking for room costs a look at every file.
            let begun = self.begin(bytes).inspect_err(|_| *not_before = Some(Instant::now() + PAUSE))?;
            (*path, *lines) = (begun.1, 0);
            kept.clear();
            file.insert((begun.0, 0))
        };
        if let Err(error) = open.write_all(bytes) {
            // On a full disk what was written of the line goes, and the file stays: the next entry shall not begin another.
            if open.set_len(*good).is_err() {
                *file = None;
                *not_before = Some(Instant::now() + PAUSE);
            }
            return Err(error);
        }
        *good += bytes.len() as u64;
        self.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn require_room(&self, bytes: &[u8]) -> io::Result<()> {
        if self.used.load(Ordering::Relaxed) + bytes.len() as u64 > self.most {
            return Err(io::Error::other("audit.max_spool_size is reached"));
        }
        Ok(())
    }

    /// A new file under the lock of this process, where there is room for its first line. It has its name only then, so
    /// that nobody takes it for a dead one's.
    fn begin(&self, first: &[u8]) -> io::Result<(File, PathBuf)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.count();
        self.require_room(first)?;
        let name = Uuid::now_v7().simple().to_string();
        let unnamed = self.folder.join(format!("{name}.{}", segment::NEW));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&unnamed)?;
        file.try_lock()?;
        let path = self.folder.join(format!("{name}.{}", segment::SEGMENT));
        fs::rename(unnamed, &path)?;
        Ok((file, path))
    }

    fn refuse(&self, line: &Line, why: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let message = "an entry of the audit log is kept here alone";
        let report = json!({ "level": "ERROR", "target": "audit", "message": message, "why": why, "line": line });
        let _ = writeln!(io::stderr().lock(), "{report}");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Seek, SeekFrom},
    };

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::Spool;
    use crate::{
        entry::Line,
        segment::{self, Segment},
    };

    fn line(action: &str) -> Line {
        let mut line = Line::default();
        action.clone_into(&mut line.entry.action);
        line
    }

    fn all(spool: &Spool) -> Vec<String> {
        let mut found = Vec::new();
        for path in segment::list(spool.folder()).unwrap() {
            let Some(mut segment) = Segment::claim(path).unwrap() else { continue };
            found.extend(segment.next().unwrap().into_iter().map(|line| line.entry.action));
        }
        found
    }

    #[test]
    fn what_is_written_is_its_writers_until_it_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 1 << 20);
        assert!(!spool.folder().exists() && !spool.is_dirty(), "nothing is made for nothing");
        spool.append(line("one"));
        spool.append(line("two"));
        let path = segment::list(spool.folder()).unwrap().remove(0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "a line is in the file when it was written: {text}");
        assert!(all(&spool).is_empty() && Segment::claim(path).unwrap().is_none());
        spool.seal();
        assert_eq!(all(&spool), ["one", "two"]);
    }

    #[test]
    fn a_full_spool_keeps_the_oldest_and_counts_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 2_000);
        for number in 0..25 {
            spool.append(line(&number.to_string()));
            if number % 7 == 0 {
                spool.seal();
            }
        }
        spool.seal();
        let kept = all(&spool);
        assert!(kept.len() > 3 && segment::total_size(spool.folder()) <= 2_000);
        assert_eq!(kept, (0..kept.len()).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(spool.take_refused(), 25 - kept.len() as u64);
        // Whoever moves them makes room.
        for path in segment::list(spool.folder()).unwrap() {
            Segment::claim(path).unwrap().unwrap().remove().unwrap();
        }
        spool.measure();
        spool.append(line("again"));
        spool.seal();
        assert_eq!((all(&spool), spool.take_refused()), (vec!["again".to_owned()], 0));
    }

    #[test]
    fn what_waits_for_one_database_leaves_room_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 2_000);
        spool.append(line("first"));
        let tenant = uuid::Uuid::now_v7();
        for number in 0..20 {
            assert!(spool.put_aside(tenant, &[line(&number.to_string())]).unwrap());
        }
        let refused = spool.take_refused();
        assert!((1..20).contains(&refused) && segment::total_size(spool.folder()) < 2_000);
        spool.measure();
        spool.append(line("second"));
        spool.seal();
        let kept = all(&spool);
        assert_eq!(kept[..3], ["first", "second", "0"]);
        assert_eq!((kept.len() as u64, spool.take_refused()), (2 + 20 - refused, 0));
    }

    /// A file that cannot grow: a disk that is full.
    fn full_disk(length: u64) -> File {
        let file = memfd_create("spool", MemfdFlags::ALLOW_SEALING).unwrap();
        let file = File::from(file);
        file.set_len(length).unwrap();
        fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        file
    }

    #[test]
    fn on_a_full_disk_the_file_is_kept_without_the_half_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 1 << 20);
        spool.append(line("whole"));
        let page = 4_096;
        let mut full = full_disk(page);
        full.seek(SeekFrom::Start(page - 10)).unwrap();
        spool.current.lock().file = Some((full, page - 10));
        for _ in 0..3 {
            spool.append(line("lost"));
        }
        assert_eq!((spool.take_refused(), spool.is_dirty()), (3, true));
        let length = spool.current.lock().file.as_ref().map(|(file, good)| (file.metadata().unwrap().len(), *good));
        assert_eq!(length, Some((page - 10, page - 10)));
        assert_eq!(segment::list(spool.folder()).unwrap().len(), 1, "no file was begun for them");
    }

    #[test]
    fn where_there_is_no_room_no_file_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 500);
        spool.append(line("fits"));
        spool.seal();
        spool.append(line(&"too long ".repeat(50)));
        assert_eq!(segment::list(spool.folder()).unwrap().len(), 1);
        assert!(!spool.is_dirty());
        // Nor is it tried again for each that follows.
        segment::list(spool.folder()).unwrap().into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
        spool.append(line("at once"));
        assert_eq!(spool.take_refused(), 2);
        spool.measure();
        spool.append(line("later"));
        spool.seal();
        assert_eq!(all(&spool), ["later"]);
    }

    #[test]
    fn the_half_of_a_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 1 << 20);
        spool.append(line("whole"));
        spool.seal();
        let path = segment::list(spool.folder()).unwrap().remove(0);
        let mut text = std::fs::read_to_string(&path).unwrap();
        let half = text[..text.len() / 2].to_owned();
        text.push_str(&half);
        std::fs::write(&path, text).unwrap();
        assert_eq!(all(&spool), ["whole"]);
    }
}
