//! Runs statements on an SQLite connection.

use rusqlite::{CachedStatement, Connection, types::ValueRef};

use super::{connection, map_error};
use crate::{
    Kind, OutputColumn, Result, Row, Statement, Transaction, Value, bind,
    cell::{self, Cell},
    tally, transaction,
};

/// Prepares, or takes from the connection's cache, and binds.
fn prepare<'c>(connection: &'c Connection, statement: &Statement) -> Result<CachedStatement<'c>> {
    tally::add(1);
    let mut prepared = prepared(connection, &statement.sql).map_err(map_error)?;
    for (index, value) in statement.values.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, bind::Sqlite(value)).map_err(map_error)?;
    }
    Ok(prepared)
}

/// LIKE is the one thing that an index serves only when the plan may depend on the bound pattern.
fn prepared<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    if !sql.contains(" LIKE ") {
        return connection.prepare_cached(sql);
    }
    connection::keep_plans(connection, false)?;
    let prepared = connection.prepare_cached(sql);
    connection::keep_plans(connection, true)?;
    prepared
}

/// Runs a statement without an answer and tells how many rows it touched.
pub(crate) fn execute(connection: &Connection, statement: &Statement) -> Result<u64> {
    let rows = prepare(connection, statement)?.raw_execute().map_err(map_error)?;
    Ok(rows as u64)
}

/// Runs a statement without values and answer.
pub(crate) fn control(connection: &Connection, sql: &str) -> Result<()> {
    tally::add(1);
    connection.prepare_cached(sql).and_then(|mut prepared| prepared.raw_execute()).map(drop).map_err(map_error)
}

/// Runs a statement once for each of some rows of values.
pub(crate) fn execute_each(connection: &Connection, sql: &str, rows: &[Vec<sea_query::Value>]) -> Result<()> {
    tally::add(rows.len());
    let mut prepared = prepared(connection, sql).map_err(map_error)?;
    for row in rows {
        for (index, value) in row.iter().enumerate() {
            prepared.raw_bind_parameter(index + 1, bind::Sqlite(value)).map_err(map_error)?;
        }
        prepared.raw_execute().map_err(map_error)?;
    }
    Ok(())
}

/// Reads rows for the server's own use.
pub(crate) fn rows(connection: &Connection, statement: &Statement) -> Result<Vec<Row>> {
    let mut prepared = prepare(connection, statement)?;
    let width = prepared.column_count();
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(map_error)? {
        let values = (0..width).map(|index| row.get_ref(index).map(owned)).collect::<Result<_, _>>();
        found.push(Row(values.map_err(map_error)?));
    }
    Ok(found)
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Float(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// Writes rows as a JSON array, straight from SQLite's memory.
pub(crate) fn json(
    connection: &Connection,
    statement: &Statement,
    columns: &[OutputColumn],
    out: &mut Vec<u8>,
) -> Result<u64> {
    let mut prepared = prepare(connection, statement)?;
    let mut found = prepared.raw_query();
    let mut rows = cell::Rows::begin(out, columns);
    while let Some(row) = found.next().map_err(map_error)? {
        let get = |index| row.get_ref(index).map_err(map_error);
        rows.push(
            |position| Ok(matches!(get(position)?, ValueRef::Integer(1..))),
            |out, kind, index| {
                write_value(out, kind, get(index)?);
                Ok(())
            },
        )?;
    }
    Ok(rows.end())
}

fn write_value(out: &mut Vec<u8>, kind: &Kind, value: ValueRef<'_>) {
    let cell = match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Float(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Cell::Text(text),
            Err(_) => Cell::Bytes(text),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    };
    cell::write(out, kind, &cell);
}

/// Runs several statements of SQL text.
pub(crate) fn script(transaction: &mut Transaction<'_>, sql: &str) -> Result<()> {
    match &mut transaction.connection {
        transaction::Connection::Sqlite(connection) => connection.execute_batch(sql).map_err(map_error),
        _ => Ok(()),
    }
}
