//! SQLite's result codes in the store's words.

use rusqlite::{Error as Sqlite, ErrorCode, ffi};

use crate::Error;

/// Translates an error of the driver. Result codes: <https://www.sqlite.org/rescode.html>.
pub(crate) fn map(error: Sqlite) -> Error {
    let Sqlite::SqliteFailure(failure, message) = &error else { return other(error) };
    let message = message.as_deref().unwrap_or_default();
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Error::Unique(columns(message))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Error::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Error::NotNull(columns(message).into_iter().next()),
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_TRIGGER => Error::Check,
        ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG => {
            Error::ValueRefused(error.into())
        }
        _ => match failure.code {
            ErrorCode::OperationInterrupted => Error::Timeout,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Conflict(error.into()),
            ErrorCode::CannotOpen | ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure => {
                Error::Unavailable(error.into())
            }
            _ => other(error),
        },
    }
}

fn other(error: Sqlite) -> Error {
    let text = error.to_string();
    if text.contains("no such column") || text.contains("no such table") || text.contains("has no column") {
        return Error::SchemaStale(error.into());
    }
    Error::Driver(error.into())
}

/// The columns in `UNIQUE constraint failed: t.a, t.b`.
fn columns(message: &str) -> Vec<String> {
    let Some((_, list)) = message.split_once("constraint failed: ") else { return Vec::new() };
    list.split(", ").filter_map(|name| Some(name.split_once('.')?.1.to_owned())).collect()
}
