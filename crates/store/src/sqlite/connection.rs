//! The file of an SQLite database, and how connections to it are set up.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use super::{SqliteConfig, map_error};
use crate::{Error, Result};

const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 128;
/// Bytes of a file that a reader maps at the most.
const MAPPED: i64 = 256 << 20;
/// Bytes from which on a file is mapped. Of a smaller one the few pages that are read cost less than the whole in memory.
const WORTH_MAPPING: u64 = 1 << 20;

/// A database file that is open.
pub(super) struct File {
    path: PathBuf,
    config: SqliteConfig,
    /// Device and inode of the file as it was first opened.
    inode: OnceLock<(u64, u64)>,
    /// Whether what is deleted is overwritten.
    erases: AtomicBool,
    /// Set when the database is about to be removed.
    closed: AtomicBool,
}

impl File {
    pub(super) fn new(path: &Path, config: SqliteConfig) -> Self {
        let (erases, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { path: path.to_owned(), config, inode: OnceLock::new(), erases, closed }
    }

    /// The connection that writes. It makes the file and switches it to write-ahead logging.
    pub(super) fn writer(&self) -> Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Once it was there, a file that is missing is somebody's mistake, and another one would hide it.
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, self.inode.get().is_none());
        let synchronous = if self.config.durable { "FULL" } else { "NORMAL" };
        let mut pragmas =
            format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON");
        if self.erases.load(Ordering::Relaxed) {
            pragmas += "; PRAGMA secure_delete = ON";
        }
        self.open(flags, &pragmas)
    }

    /// A connection that can only read, and whether it maps the file.
    pub(super) fn reader(&self) -> Result<(Connection, bool)> {
        let mapped = self.is_worth_mapping();
        // Pages are read where the operating system has them, without a copy a connection.
        let size = if mapped { MAPPED } else { 0 };
        let pragmas = format!("PRAGMA query_only = ON; PRAGMA mmap_size = {size}");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok((self.open(flags, &pragmas)?, mapped))
    }

    /// Whether the file is large enough to be mapped.
    pub(super) fn is_worth_mapping(&self) -> bool {
        self.path.metadata().is_ok_and(|file| file.len() >= WORTH_MAPPING)
    }

    /// Whether the file is there.
    pub(super) fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// From now on, connections that write overwrite what is deleted.
    pub(super) fn erase_what_is_deleted(&self) {
        self.erases.store(true, Ordering::Relaxed);
    }

    /// From now on, no connection is opened.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn open(&self, flags: OpenFlags, pragmas: &str) -> Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, flags).map_err(map_error)?;
        self.refuse_another()?;
        set_up(&connection, pragmas).map_err(map_error)?;
        Ok(connection)
    }

    /// Refuses a file that is not the one that was opened first: a tenant may have been removed by another process, and
    /// another made in its place.
    fn refuse_another(&self) -> Result<()> {
        let file = self.path.metadata().map_err(|error| Error::Unavailable(error.into()))?;
        let inode = (file.dev(), file.ino());
        if self.closed.load(Ordering::Acquire) || *self.inode.get_or_init(|| inode) != inode {
            return Err(Error::Unavailable("the file of the database is not the one that was opened".into()));
        }
        Ok(())
    }
}

/// Whether the file is one with a write-ahead log.
pub(super) fn is_wal(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, "journal_mode", |row| Ok(row.get_ref(0)?.as_str()? == "wal"))
}

fn set_up(connection: &Connection, pragmas: &str) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    keep_plans(connection, true)?;
    // LIKE tells upper from lower case, as it does on the other databases.
    connection.execute_batch("PRAGMA case_sensitive_like = ON")?;
    connection.execute_batch(pragmas)
}

/// Whether a prepared statement keeps its plan whatever is bound to it. If not, SQLite prepares it anew whenever a bound
/// value, be it a LIMIT, might suggest another plan.
pub(super) fn keep_plans(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, keep).map(drop)
}
