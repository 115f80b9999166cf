//! An export into a folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use store::{OpenTenant, TenantRecord};

use super::{Exported, Sink, on_blocking_thread, write};
use crate::{
    failure::{Failure, Result, io},
    transfer::Progress,
};

/// What was written where.
#[derive(Debug, Serialize)]
pub(crate) struct Folded {
    /// The folder.
    pub(crate) folder: PathBuf,
    #[serde(flatten)]
    pub(crate) exported: Exported,
}

/// Writes a tenant to a folder that does not exist yet, and that appears whole or not at all.
///
/// Errors: [`Failure::Usage`] where there is something at the folder's place.
pub(crate) async fn export_to_folder(
    record: Arc<TenantRecord>,
    open: Arc<OpenTenant>,
    to: PathBuf,
    with_password_hashes: bool,
    mut progress: Progress,
) -> Result<Folded> {
    on_blocking_thread(async move {
        if to.exists() {
            return Err(Failure::Usage(format!("{} is there already; name a folder that is not", to.display())));
        }
        let beside = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Temporary folders have mode 0700.
        let unfinished =
            tempfile::Builder::new().prefix(".insula-export-").tempdir_in(beside).map_err(io(to.display()))?;
        let mut folder = Folder(unfinished.path().to_owned());
        let exported = write(&record, &open, with_password_hashes, &mut folder, &mut progress).await?;
        fs::rename(&folder.0, &to).map_err(io(to.display()))?;
        // What is gone from its place cannot be removed there.
        let _ = unfinished.keep();
        Ok(Folded { folder: to, exported })
    })
    .await
}

/// The folder that is written.
struct Folder(PathBuf);

impl Sink for Folder {
    fn begin(&mut self, name: &str) -> Result<File> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io(folder.display()))?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(io(path.display()))
    }

    fn finish(&mut self, name: &str, file: File) -> Result<()> {
        file.sync_all().map_err(io(name))
    }
}
