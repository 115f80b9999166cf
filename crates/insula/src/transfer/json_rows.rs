//! Rows of a file with a JSON object a line.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    sync::Arc,
};

use store::Table;

use super::{
    field,
    rows::{Bad, Mark, Row, column_position},
    tape::Tape,
};
use crate::failure::{Result, io};

/// Reads rows.
pub(super) struct JsonRows {
    table: Arc<Table>,
    reader: BufReader<Tape<File>>,
    line: Vec<u8>,
    mark: Mark,
}

impl JsonRows {
    pub(super) fn new(table: Arc<Table>, tape: Tape<File>, begin: Mark) -> Self {
        Self { table, reader: BufReader::with_capacity(64 << 10, tape), line: Vec::new(), mark: begin }
    }

    /// Where the next row begins.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn tape(&mut self) -> &mut Tape<File> {
        self.reader.get_mut()
    }

    pub(super) fn next(&mut self) -> Result<Option<Result<Row, Bad>>> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line).map_err(io("the file cannot be read"))?;
            if read == 0 {
                return Ok(None);
            }
            let line = self.mark.line;
            self.mark = Mark { byte: self.mark.byte + read as u64, line: line + 1 };
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.row(line).map_err(|problem| Bad { line, problem })));
            }
        }
    }

    fn row(&self, line: u64) -> Result<Row, String> {
        let object = kernel::json::object(&self.line).map_err(|error| format!("not a JSON object: {error}"))?;
        let mut given = Vec::with_capacity(object.len());
        for (name, json) in &object {
            let position = column_position(&self.table, name)?;
            if let Some(value) = field::from_json(&self.table.columns[position], json)? {
                given.push((position, value));
            }
        }
        if given.is_empty() {
            return Err("the object names no column".to_owned());
        }
        given.sort_unstable_by_key(|(position, _)| *position);
        let (columns, values) = given.into_iter().unzip();
        Ok(Row { line, columns, values })
    }
}
