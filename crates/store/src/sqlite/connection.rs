//! How connections to an SQLite file are set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, limits::Limit};

use super::SqliteConfig;

const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 128;

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
    Ok(connection)
}

fn common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // LIKE tells upper from lower case, as it does on the other databases.
    connection.pragma_update(None, "case_sensitive_like", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    Ok(())
}
