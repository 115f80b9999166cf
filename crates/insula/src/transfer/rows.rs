//! Rows of a file of either format.

use std::fs::File;

use serde::Serialize;
use store::{Table, Value};

use super::{csv_rows::CsvRows, json_rows::JsonRows, tape::Tape};
use crate::failure::Result;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) byte: u64,
    /// Its line, from 1.
    pub(super) line: u64,
}

/// A row that can be written.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) columns: Vec<usize>,
    pub(super) values: Vec<Value>,
}

/// A row that is refused.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bad {
    /// Its first line in the file.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// The position of a column that can be written.
pub(super) fn column_position(table: &Table, name: &str) -> Result<usize, String> {
    let position = table.position(name).ok_or_else(|| format!("{} has no column {name:?}", table.name))?;
    if table.columns[position].generated {
        return Err(format!("{name} is computed by the database and cannot be written"));
    }
    Ok(position)
}

/// Reads rows of either format.
pub(super) enum Rows {
    Csv(CsvRows),
    Json(JsonRows),
}

impl Rows {
    /// The next row, or why it is refused; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<Row, Bad>>> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Json(rows) => rows.next(),
        }
    }

    /// Where the next row begins.
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::Csv(rows) => rows.mark(),
            Self::Json(rows) => rows.mark(),
        }
    }

    /// What is read from.
    pub(super) fn tape(&mut self) -> &mut Tape<File> {
        match self {
            Self::Csv(rows) => rows.tape(),
            Self::Json(rows) => rows.tape(),
        }
    }
}
