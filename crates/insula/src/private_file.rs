//! Files that only their owner may read, there whole or not at all.

use std::{fs, io::Write, os::unix::fs::DirBuilderExt, path::Path};

use tempfile::NamedTempFile;

use crate::failure::{Result, io};

/// Makes a folder of mode 0700 where it is missing.
pub(crate) fn folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path.display()))
}

/// Writes a file of mode 0600, in place of one that may be there.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let file = written(path, text)?;
    file.persist(path).map_err(|error| error.error).map_err(io(path.display())).map(drop)
}

/// Writes a file of mode 0600 unless there is one; tells whether it did.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<bool> {
    match written(path, text)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error).map_err(io(path.display())),
    }
}

fn written(path: &Path, text: &str) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(io(path.display()))
}
