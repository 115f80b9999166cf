//! The messages on SQLite: how they are made and how they are read.

use std::{cell::RefCell, path::Path};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags, Params, params_from_iter};

use super::{
    Rule,
    answer::{Answer, Message},
};
use crate::{
    rows,
    workload::{self, ROWS},
};

const READ_ONE: &str = "SELECT id, room, author, body, created_at FROM message WHERE id = ?1";
const LIST: &str = "SELECT id, room, author, body, created_at FROM message ORDER BY id LIMIT 20 OFFSET ?1";
const LIST_OWN: &str = "SELECT id, room, author, body, created_at FROM message_own \
    WHERE author = ?2 ORDER BY id LIMIT 20 OFFSET ?1";
const LIST_MEMBER: &str = "SELECT id, room, author, body, created_at FROM message_room \
    WHERE EXISTS (SELECT 1 FROM room_members WHERE room = message_room.room AND member = ?2) \
    ORDER BY id LIMIT 20 OFFSET ?1";
const COUNT: &str = "SELECT count(*) FROM message";
const COUNT_OWN: &str = "SELECT count(*) FROM message_own WHERE author = ?1";
const COUNT_MEMBER: &str = "SELECT count(*) FROM message_room \
    WHERE EXISTS (SELECT 1 FROM room_members WHERE room = message_room.room AND member = ?1)";

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Makes the tables and their rows, when they are not there.
pub(crate) fn create(data: &Path) -> Result<()> {
    let connection = Connection::open(data).with_context(|| format!("Cannot open {}", data.display()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    if !connection.table_exists(None, "message")? {
        let rows = rows::sqlite(&workload::Rule::ALL.map(workload::Rule::table), ROWS);
        connection.execute_batch(&format!("BEGIN; {rows} COMMIT;")).context("Cannot make the rows")?;
    }
    Ok(())
}

/// The answer that holds the message with this id, or none.
pub(crate) fn one(data: &Path, id: i64) -> Result<Answer> {
    messages(data, READ_ONE, [id])
}

/// The answer that holds twenty messages.
pub(crate) fn twenty(data: &Path, rule: Rule, caller: i64, offset: i64) -> Result<Answer> {
    match rule {
        Rule::None => messages(data, LIST, [offset]),
        Rule::Owner => messages(data, LIST_OWN, [offset, caller]),
        Rule::Member => messages(data, LIST_MEMBER, [offset, caller]),
    }
}

/// The answer that says how many messages there are.
pub(crate) fn count(data: &Path, rule: Rule, caller: i64) -> Result<Answer> {
    let (sql, parameter) = match rule {
        Rule::None => (COUNT, None),
        Rule::Owner => (COUNT_OWN, Some(caller)),
        Rule::Member => (COUNT_MEMBER, Some(caller)),
    };
    reading(data, |connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let count = statement.query_row(params_from_iter(parameter), |row| row.get(0))?;
        Ok(Answer::number(count))
    })
}

fn messages(data: &Path, sql: &str, parameters: impl Params) -> Result<Answer> {
    reading(data, |connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut answer = Answer::rows();
        while let Some(row) = rows.next()? {
            answer.message(&Message {
                id: row.get(0)?,
                room: row.get(1)?,
                author: row.get(2)?,
                body: row.get_ref(3)?.as_str()?,
                created_at: rfc3339(row.get_ref(4)?.as_str()?),
                name: None,
            })?;
        }
        Ok(answer.end())
    })
}

fn reading<T>(data: &Path, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    READER.with_borrow_mut(|reader| {
        let connection = match reader {
            Some(connection) => connection,
            None => reader.insert(open(data)?),
        };
        read(connection)
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
fn rfc3339(sql: &str) -> impl std::fmt::Display {
    let (date, time) = sql.split_once(' ').unwrap_or((sql, ""));
    std::fmt::from_fn(move |f| write!(f, "{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::{count, create, one, twenty};
    use crate::bare::{Rule, answer::Answer};
    use serde_json::Value;

    fn json(answer: Answer) -> serde_json::Result<Value> {
        serde_json::from_slice(&answer.into_bytes())
    }

    #[test]
    fn rows_are_made_once_and_read_as_json() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("bare.db");
        create(&data)?;
        create(&data)?;
        let row = json(one(&data, 7)?)?;
        assert_eq!(row["data"][0]["id"], 7);
        assert_eq!(row["data"][0]["created_at"], "2026-01-01T00:00:07Z");
        assert_eq!(one(&data, 100_001)?.into_bytes(), br#"{"success":true,"data":[]}"#);
        let rows = json(twenty(&data, Rule::None, 7, 40)?)?;
        assert_eq!((rows["data"].as_array().map(Vec::len), &rows["data"][0]["id"]), (Some(20), &41.into()));
        let own = json(twenty(&data, Rule::Owner, 7, 20)?)?;
        assert_eq!((&own["data"][0]["id"], &own["data"][1]["author"]), (&20_006.into(), &7.into()));
        let rooms = json(twenty(&data, Rule::Member, 7, 0)?)?;
        assert_eq!((&rooms["data"][0]["id"], &rooms["data"][1]["id"]), (&6.into(), &16.into()));
        let counts = [Rule::None, Rule::Owner, Rule::Member].map(|rule| count(&data, rule, 7).map(Answer::into_bytes));
        let number = |number: i64| format!(r#"{{"success":true,"data":{number}}}"#).into_bytes();
        for (count, expected) in counts.into_iter().zip([100_000, 100, 10_000]) {
            assert_eq!(count?, number(expected));
        }
        Ok(())
    }
}
