//! The files of a spool as those see them who read them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use uuid::Uuid;

use crate::entry::Line;

/// The ending of a file of entries.
pub(crate) const SEGMENT: &str = "jsonl";
/// The ending of a file that has no entry yet.
pub(crate) const NEW: &str = "new";
/// The ending of a file with the entries of one tenant whose database was down.
pub(crate) const WAITING: &str = "waiting";

/// Entries that are read at once.
pub(crate) const BATCH: usize = 500;
/// Bytes of a line that is read; entries are far shorter.
const MAX_LINE: u64 = 1 << 20;
/// Age at which a file that never got a name is one of a process that was killed.
const ABANDONED: Duration = Duration::from_mins(10);

/// Which files there are to be moved, the oldest first; tenants' waiting ones after those.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(SEGMENT | WAITING) => found.push(path),
            Some(NEW) if is_abandoned(&path) => drop(fs::remove_file(path)),
            _ => {}
        }
    }
    found.sort_by_key(|path| (waiting_tenant(path).is_some(), path.clone()));
    Ok(found)
}

fn is_abandoned(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED)
}

/// The bytes of all files.
pub(crate) fn total_size(folder: &Path) -> u64 {
    size_of(folder, |_| true)
}

fn size_of(folder: &Path, counts: impl Fn(&Path) -> bool) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| if counts(&entry.path()) { Some(entry.metadata().ok()?.len()) } else { None };
    entries.filter_map(|entry| size(entry.ok()?)).sum()
}

/// The tenant whose entries wait in a file.
pub(crate) fn waiting_tenant(path: &Path) -> Option<Uuid> {
    let name = path.file_stem()?.to_str()?;
    (path.extension()? == WAITING).then(|| name.parse().ok()).flatten()
}

/// A file that nobody else reads or writes.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    reader: BufReader<File>,
}

impl Segment {
    /// Locks a file; none where it is another's, or has been moved meanwhile.
    pub(crate) fn claim(path: PathBuf) -> io::Result<Option<Self>> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        Ok(lock(&file)?.then(|| Self { path, reader: BufReader::new(file) }))
    }

    /// The next entries; none at the end. Lines that are none are told and left out.
    pub(crate) fn next(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut bytes = Vec::new();
        while lines.len() < BATCH {
            bytes.clear();
            if (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let text = bytes.trim_ascii();
            if text.is_empty() {
                continue;
            }
            match serde_json::from_slice(text) {
                Ok(line) => lines.push(line),
                // The end of a file whose process was killed while it wrote, before it answered.
                Err(error) => tracing::warn!(file = %self.path.display(), %error, "a line of the audit log is broken"),
            }
        }
        Ok(lines)
    }

    /// Removes the file: all that is in it lies elsewhere.
    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// What became of entries that were to be put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// They wait.
    Waiting,
    /// Somebody else moves what waits; try again.
    Busy,
    /// There is no room.
    Full,
}

/// Puts entries of a tenant aside, where all that waits has at most so many bytes.
pub(crate) fn put_aside(folder: &Path, tenant: Uuid, lines: &[Line], most: u64) -> io::Result<Aside> {
    let path = folder.join(format!("{tenant}.{WAITING}"));
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if !lock(&file)? {
        return Ok(Aside::Busy);
    }
    // Whatever a process that was killed left there ends here.
    let mut bytes = vec![b'\n'];
    for line in lines {
        line.write(&mut bytes)?;
    }
    if size_of(folder, |path| waiting_tenant(path).is_some()) + bytes.len() as u64 > most {
        return Ok(Aside::Full);
    }
    file.write_all(&bytes)?;
    Ok(Aside::Waiting)
}

/// Locks a file unless somebody else has it or it has been removed.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(false),
        other => other?,
    }
    Ok(file.metadata()?.nlink() > 0)
}
