//! Rows of a CSV file.

use std::{fs::File, sync::Arc};

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use store::Table;

use super::{
    field,
    rows::{Bad, Mark, Row, column_position},
    tape::Tape,
};
use crate::failure::{Failure, Result};

/// Reads rows.
pub(super) struct CsvRows {
    table: Arc<Table>,
    /// Position of each field's column in the table.
    columns: Vec<usize>,
    reader: Reader<Tape<File>>,
    record: StringRecord,
    /// Where the reader began in the file.
    begin: Mark,
}

impl CsvRows {
    /// Reads the header: the columns, and where the first row begins.
    pub(super) fn header(file: File, table: &Table) -> Result<(Vec<usize>, Mark)> {
        let mut reader = ReaderBuilder::new().from_reader(file);
        let header = reader.headers().map_err(|error| Failure::Usage(format!("the header cannot be read: {error}")))?;
        let columns: Vec<usize> = header
            .iter()
            .map(|name| column_position(table, name.trim()).map_err(Failure::Usage))
            .collect::<Result<_>>()?;
        if let Some(twice) = columns.iter().enumerate().find(|(i, column)| columns[..*i].contains(column)) {
            return Err(Failure::Usage(format!("the header has {} twice", table.columns[*twice.1].name)));
        }
        let position = reader.position();
        Ok((columns, Mark { byte: position.byte(), line: position.line() }))
    }

    pub(super) fn new(table: Arc<Table>, columns: Vec<usize>, tape: Tape<File>, begin: Mark) -> Self {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(64 << 10).from_reader(tape);
        Self { table, columns, reader, record: StringRecord::new(), begin }
    }

    /// Where the next row begins.
    pub(super) fn mark(&self) -> Mark {
        let position = self.reader.position();
        Mark { byte: self.begin.byte + position.byte(), line: self.begin.line + position.line() - 1 }
    }

    pub(super) fn tape(&mut self) -> &mut Tape<File> {
        self.reader.get_mut()
    }

    pub(super) fn next(&mut self) -> Result<Option<Result<Row, Bad>>> {
        let from = self.mark();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => {
                return match error.into_kind() {
                    ErrorKind::Io(error) => Err(Failure::Io("the file cannot be read".to_owned(), error)),
                    ErrorKind::Utf8 { .. } => Ok(Some(Err(Bad { line: from.line, problem: "not UTF-8".to_owned() }))),
                    other => Err(Failure::Other(format!("line {}: {other:?}", from.line))),
                };
            }
        }
        // Blank lines before the row belong to it as far as positions go.
        let line = self.record.position().map_or(from.line, |position| self.begin.line + position.line() - 1);
        Ok(Some(self.row(line, from).map_err(|problem| Bad { line, problem })))
    }

    fn row(&self, line: u64, from: Mark) -> Result<Row, String> {
        if self.record.len() != self.columns.len() {
            return Err(format!("{} fields where the header has {}", self.record.len(), self.columns.len()));
        }
        let columns = || self.columns.iter().map(|position| &self.table.columns[*position]);
        let unclear = |(text, column): (&str, &store::Column)| text.is_empty() && field::keeps_empty(&column.kind);
        let quoted = if self.record.iter().zip(columns()).any(unclear) {
            field::quoted_fields(self.reader.get_ref().between(from.byte, self.mark().byte))
        } else {
            Vec::new()
        };
        let mut row = Row { line, columns: Vec::new(), values: Vec::new() };
        for (index, (text, column)) in self.record.iter().zip(columns()).enumerate() {
            if let Some(value) = field::from_csv(column, text, quoted.get(index).copied().unwrap_or(false))? {
                row.columns.push(self.columns[index]);
                row.values.push(value);
            }
        }
        if row.columns.is_empty() {
            return Err("the row is empty".to_owned());
        }
        Ok(row)
    }
}
