//! How connections to an SQLite file are set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use super::SqliteConfig;

const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 128;
/// Bytes of a file that a reader maps at the most.
const MAPPED: i64 = 256 << 20;

/// The connection that writes. It makes the file and switches it to write-ahead logging.
pub(super) fn writer(path: &Path, config: SqliteConfig) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    common(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if config.durable { "FULL" } else { "NORMAL" })?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

/// A connection that can only read.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    common(&connection)?;
    connection.pragma_update(None, "query_only", "ON")?;
    // Pages are read where the operating system has them, without a copy a connection.
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    Ok(connection)
}

fn common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // LIKE tells upper from lower case, as it does on the other databases.
    connection.pragma_update(None, "case_sensitive_like", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    keep_plans(connection, true)
}

/// Whether a prepared statement keeps its plan whatever is bound to it. If not, SQLite prepares it anew whenever a bound
/// value, be it a LIMIT, might suggest another plan.
pub(super) fn keep_plans(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, keep).map(drop)
}
