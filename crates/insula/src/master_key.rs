//! The installation's key: where it comes from, and changing it while servers run.
//!
//! In the data folder it is `master.key`. A new one is first written beside it, then all tenants' keys are wrapped
//! under it in one transaction, then it takes the old one's place. Whatever moment that is interrupted at, both files
//! are there until the control database names the one that counts.

mod command;

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use kernel::{Reason, Secret, seal::SealingKey};
use store::{MasterKeys, Tenants};

use crate::{
    config::{self, Config},
    failure::{Failure, Result, io},
    private_file,
};

const FILE: &str = "master.key";
const NEXT: &str = "master.key.next";

/// The installation's key, and those that open what is not wrapped under it.
#[derive(Debug)]
pub(crate) struct Given {
    /// The installation's key.
    pub(crate) key: SealingKey,
    others: Vec<SealingKey>,
    /// The data folder, where the key lies there.
    folder: Option<PathBuf>,
}

impl Given {
    /// The key of the configuration, or that of the data folder, which is made where it is missing.
    pub(crate) async fn of(config: &Config) -> Result<Self> {
        let mut others: Vec<_> = config.previous_master_key.iter().map(configured).collect::<Result<_>>()?;
        let key = match (&config.master_key, &config.master_key_command) {
            (Some(key), _) => configured(key)?,
            (None, Some(command)) => command::run(command).await?,
            (None, None) => {
                others.extend(read_if_there(&config.data.join(NEXT))?);
                return Ok(Self { key: of_folder(config)?, others, folder: Some(config.data.clone()) });
            }
        };
        Ok(Self { key, others, folder: None })
    }

    /// The same without making one. Errors: [`Failure::Missing`] where there is none.
    pub(crate) async fn present(config: &Config) -> Result<Self> {
        let configured = config.master_key.is_some() || config.master_key_command.is_some();
        if !configured && !config.data.join(FILE).exists() {
            return Err(Failure::Missing(format!("there is no {FILE} in {}", config.data.display())));
        }
        Self::of(config).await
    }

    /// All of them as the store wants them. In the data folder, a key that appears later is found there.
    pub(crate) fn keys(&self) -> MasterKeys {
        let (key, others) = (self.key.clone(), self.others.clone());
        let Some(folder) = self.folder.clone() else { return MasterKeys::new(key, others) };
        // The next one first: it may take the other's place in between.
        let read = move || [NEXT, FILE].iter().filter_map(|name| read_if_there(&folder.join(name)).ok()?).collect();
        MasterKeys::with_source(key, others, read)
    }

    /// Finishes or undoes a change of the key that was interrupted. One that is under way is left alone.
    pub(crate) async fn settle(&mut self, tenants: &Tenants) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let next = folder.join(NEXT);
        if !next.exists() {
            return Ok(());
        }
        let Some(lock) = Lock::take(folder)? else { return Ok(()) };
        if let Some(key) = read_if_there(&next)? {
            if key.id() == tenants.master_key_id().await? {
                lock.swap()?;
                self.key = key;
            } else {
                fs::remove_file(&next).map_err(io(next.display()))?;
            }
        }
        Ok(())
    }

    /// Wraps the keys of all tenants under another key: under the configured one if they are not yet, else under a new
    /// one in the data folder.
    ///
    /// Errors: [`Failure::Usage`] where the key is configured, so that another must be made and configured first.
    pub(crate) async fn rotate(
        &self,
        tenants: &Tenants,
        tell: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Rotated> {
        let Some(folder) = &self.folder else {
            if tenants.master_key_id().await? == self.key.id() {
                return Err(Failure::Usage(
                    "the installation's key is configured and all tenants are under it already; make another: insula \
                     key rotate-master --to-file FILE (or --generate, to print it for a secret manager)"
                        .to_owned(),
                ));
            }
            return rewrap(tenants, &self.key, tell).await;
        };
        let message = "Another process changes the installation's key just now";
        let lock = Lock::take(folder)?.ok_or_else(|| kernel::Error::new(Reason::Conflict, message))?;
        // Another process may have changed it since this one began.
        let key = read(&folder.join(FILE))?;
        if tenants.master_key_id().await? != key.id() {
            return rewrap(tenants, &key, tell).await;
        }
        let new = SealingKey::generate();
        lock.write_next(&new)?;
        let rotated = rewrap(tenants, &new, tell).await?;
        lock.swap()?;
        Ok(rotated)
    }
}

/// What a change of the key did.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// Tenants whose keys were wrapped anew.
    pub(crate) rewrapped: u64,
    /// The id of the key that they are under.
    pub(crate) key_id: String,
}

async fn rewrap(tenants: &Tenants, key: &SealingKey, tell: impl Fn(u64) + Send + Sync + 'static) -> Result<Rotated> {
    let rewrapped = tenants.rewrap(key, tell).await?;
    Ok(Rotated { rewrapped, key_id: key.id().to_owned() })
}

/// The right to change the key of a data folder, which one process has at a time.
struct Lock<'f> {
    folder: &'f Path,
    /// The file with the key; locked until it is closed.
    _file: File,
}

impl<'f> Lock<'f> {
    /// None where another process has it.
    fn take(folder: &'f Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let cannot = || io(path.display());
        let file = File::open(&path).map_err(cannot())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(cannot()(error)),
        }
        // The file may have been replaced before it was locked.
        let same = file.metadata().map_err(cannot())?.ino() == fs::metadata(&path).map_err(cannot())?.ino();
        Ok(same.then_some(Self { folder, _file: file }))
    }

    fn write_next(&self, key: &SealingKey) -> Result<()> {
        private_file::write(&self.folder.join(NEXT), &key.to_text())?;
        self.sync()
    }

    /// Puts the next key in the place of the old one.
    fn swap(&self) -> Result<()> {
        let next = self.folder.join(NEXT);
        fs::rename(&next, self.folder.join(FILE)).map_err(io(next.display()))?;
        self.sync()
    }

    /// Makes names of files survive a loss of power.
    fn sync(&self) -> Result<()> {
        File::open(self.folder).and_then(|folder| folder.sync_all()).map_err(io(self.folder.display()))
    }
}

/// Writes a new key to a file, or takes the one that is there.
pub(crate) fn make_file(file: &Path) -> Result<SealingKey> {
    private_file::write_new(file, &SealingKey::generate().to_text())?;
    read(file)
}

/// The key of the data folder, made where it is missing.
fn of_folder(config: &Config) -> Result<SealingKey> {
    let file = config.data.join(FILE);
    if !file.exists() {
        if config.previous_master_key.is_none() {
            refuse_orphans(&config.data)?;
        }
        private_file::write_new(&file, &SealingKey::generate().to_text())?;
    }
    read(&file)
}

/// A new key beside old data would open nothing of it.
fn refuse_orphans(data: &Path) -> Result<()> {
    if !data.join("control.db").exists() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{0} has tenants but no {FILE}; put back its copy or set master_key_file, for without it nothing sealed in {0} can be read",
        data.display()
    )))
}

fn configured(key: &Secret) -> Result<SealingKey> {
    SealingKey::from_text(key.expose()).ok_or_else(|| unfit("the configuration"))
}

fn read_if_there(file: &Path) -> Result<Option<SealingKey>> {
    if file.exists() { read(file).map(Some) } else { Ok(None) }
}

fn read(file: &Path) -> Result<SealingKey> {
    let text = config::read_secret(file).map_err(Failure::Usage)?;
    SealingKey::from_text(&text).ok_or_else(|| unfit(file.display()))
}

fn unfit(place: impl std::fmt::Display) -> Failure {
    Failure::Usage(format!("{place} does not hold a master key: 32 bytes as base64"))
}
