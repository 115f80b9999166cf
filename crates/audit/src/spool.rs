//! The files in which entries wait: one at a time for each process, which is the only one to write it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use serde_json::json;
use uuid::Uuid;

use crate::{
    entry::Line,
    segment::{self, Aside},
};

/// Where entries wait until they are moved into their tenants' tables.
///
/// An entry is one `write` to a file of this process, so that a process that is killed loses none. The file is locked as
/// long as its process lives and writes it; whoever can lock a file may move what is in it.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    most: u64,
    current: Mutex<Option<File>>,
    /// Bytes of all files when they were last counted, and what was written since.
    used: AtomicU64,
    /// Entries since the last report that are in the log alone.
    refused: AtomicU64,
}

impl Spool {
    /// The spool of a data folder. Nothing is made before the first entry. `most` is the bytes that all files may have.
    pub fn new(data: &Path, most: u64) -> Self {
        Self {
            folder: data.join("audit"),
            most,
            current: Mutex::default(),
            used: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this process has written something since [`Self::seal`].
    pub(crate) fn is_dirty(&self) -> bool {
        self.current.lock().is_some()
    }

    /// Ends the file that is being written; the next entry begins another.
    pub(crate) fn seal(&self) {
        self.current.lock().take();
    }

    /// Counts the bytes of all files.
    pub(crate) fn measure(&self) {
        self.used.store(segment::total_size(&self.folder), Ordering::Relaxed);
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
    pub(crate) fn append(&self, line: &Line) {
        let mut bytes = Vec::with_capacity(512);
        if let Err(error) = serde_json::to_writer(&mut bytes, line) {
            return self.refuse(line, &error.to_string());
        }
        bytes.push(b'\n');
        if let Err(error) = self.write(&bytes) {
            self.refuse(line, &error.to_string());
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut current = self.current.lock();
        let file = match &mut *current {
            Some(file) => file,
            None => current.insert(self.begin()?),
        };
        if self.used.load(Ordering::Relaxed) + bytes.len() as u64 > self.most {
            return Err(io::Error::other("audit.max_spool_size is reached"));
        }
        let written = file.write_all(bytes);
        if written.is_err() {
            // What may be the half of a line is the end of its file.
            current.take();
        }
        self.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        written
    }

    /// A new file under the lock of this process. It has its name only then, so that nobody takes it for a dead one's.
    fn begin(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.measure();
        let name = Uuid::now_v7().simple().to_string();
        let unnamed = self.folder.join(format!("{name}.{}", segment::NEW));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&unnamed)?;
        file.try_lock()?;
        fs::rename(unnamed, self.folder.join(format!("{name}.{}", segment::SEGMENT)))?;
        Ok(file)
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
        spool.append(&line("one"));
        spool.append(&line("two"));
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
            spool.append(&line(&number.to_string()));
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
        spool.append(&line("again"));
        spool.seal();
        assert_eq!((all(&spool), spool.take_refused()), (vec!["again".to_owned()], 0));
    }

    #[test]
    fn what_waits_for_one_database_leaves_room_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 4_000);
        spool.append(&line("first"));
        let tenant = uuid::Uuid::now_v7();
        for number in 0..20 {
            assert!(spool.put_aside(tenant, &[line(&number.to_string())]).unwrap());
        }
        let refused = spool.take_refused();
        assert!((1..20).contains(&refused) && segment::total_size(spool.folder()) < 4_000);
        spool.measure();
        spool.append(&line("second"));
        spool.seal();
        let kept = all(&spool);
        assert_eq!(kept[..3], ["first", "second", "0"]);
        assert_eq!((kept.len() as u64, spool.take_refused()), (2 + 20 - refused, 0));
    }

    #[test]
    fn the_half_of_a_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), 1 << 20);
        spool.append(&line("whole"));
        spool.seal();
        let path = segment::list(spool.folder()).unwrap().remove(0);
        let mut text = std::fs::read_to_string(&path).unwrap();
        let half = text[..text.len() / 2].to_owned();
        text.push_str(&half);
        std::fs::write(&path, text).unwrap();
        assert_eq!(all(&spool), ["whole"]);
    }
}
