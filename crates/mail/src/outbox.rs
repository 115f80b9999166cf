//! The folder that letters go to where there is no mail server.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::SendError;

/// A folder with one file a letter; their names sort by the time of sending.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(pub(crate) PathBuf);

impl Outbox {
    /// Writes a letter into a file of mode 0600, whole or not at all, and gives its path.
    pub(crate) async fn put(&self, letter: Vec<u8>) -> Result<PathBuf, SendError> {
        let folder = self.0.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, &letter)).await;
        written.map_err(io::Error::other).flatten().map_err(|error| SendError::Folder(self.0.clone(), error))
    }
}

fn write(folder: &Path, letter: &[u8]) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = tempfile::Builder::new().prefix(".unfinished").tempfile_in(folder)?;
    file.write_all(letter)?;
    let path = folder.join(format!("{}.eml", Uuid::now_v7()));
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}
