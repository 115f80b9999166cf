//! The messages: how they are made and how they are read.

use std::{cell::RefCell, path::Path};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags, Params};
use serde::{Serialize, Serializer};

use crate::workload::SCHEMA;

const READ_ONE: &str = "SELECT id, room, author, body, created_at FROM message WHERE id = ?1";
const READ_TWENTY: &str = "SELECT id, room, author, body, created_at FROM message ORDER BY id LIMIT 20 OFFSET ?1";

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// A row as it is sent.
#[derive(Serialize)]
struct Message<'a> {
    id: i64,
    room: i64,
    author: i64,
    body: &'a str,
    #[serde(serialize_with = "rfc3339")]
    created_at: &'a str,
}

/// Makes the table and its rows, when they are not there.
pub(crate) fn create(data: &Path) -> Result<()> {
    let connection = Connection::open(data).with_context(|| format!("Cannot open {}", data.display()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    if !connection.table_exists(None, "message")? {
        connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;")).context("Cannot make the rows")?;
    }
    Ok(())
}

/// The answer that holds the message with this id, or none.
pub(crate) fn one(data: &Path, id: i64) -> Result<Vec<u8>> {
    answer(data, READ_ONE, [id])
}

/// The answer that holds twenty messages.
pub(crate) fn twenty(data: &Path, offset: i64) -> Result<Vec<u8>> {
    answer(data, READ_TWENTY, [offset])
}

fn answer(data: &Path, sql: &str, parameters: impl Params) -> Result<Vec<u8>> {
    READER.with_borrow_mut(|reader| {
        let connection = match reader {
            Some(connection) => connection,
            None => reader.insert(open(data)?),
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut json = br#"{"success":true,"data":["#.to_vec();
        let empty = json.len();
        while let Some(row) = rows.next()? {
            if json.len() > empty {
                json.push(b',');
            }
            let message = Message {
                id: row.get(0)?,
                room: row.get(1)?,
                author: row.get(2)?,
                body: row.get_ref(3)?.as_str()?,
                created_at: row.get_ref(4)?.as_str()?,
            };
            serde_json::to_writer(&mut json, &message)?;
        }
        json.extend_from_slice(b"]}");
        Ok(json)
    })
}

fn open(data: &Path) -> Result<Connection> {
    // No lock in SQLite itself: a connection never leaves its thread.
    let connection =
        Connection::open_with_flags(data, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    Ok(connection)
}

/// `2026-01-01 00:00:07` as `2026-01-01T00:00:07Z`.
fn rfc3339<S: Serializer>(sql: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    match sql.split_once(' ') {
        Some((date, time)) => serializer.collect_str(&format_args!("{date}T{time}Z")),
        None => serializer.serialize_str(sql),
    }
}

#[cfg(test)]
mod tests {
    use super::{create, one, twenty};
    use serde_json::Value;

    #[test]
    fn rows_are_made_once_and_read_as_json() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("bare.db");
        create(&data)?;
        create(&data)?;
        let row: Value = serde_json::from_slice(&one(&data, 7)?)?;
        assert_eq!(row["data"][0]["id"], 7);
        assert_eq!(row["data"][0]["created_at"], "2026-01-01T00:00:07Z");
        assert_eq!(one(&data, 100_001)?, br#"{"success":true,"data":[]}"#);
        let rows: Value = serde_json::from_slice(&twenty(&data, 40)?)?;
        assert_eq!(rows["data"].as_array().map(Vec::len), Some(20));
        assert_eq!(rows["data"][0]["id"], 41);
        Ok(())
    }
}
