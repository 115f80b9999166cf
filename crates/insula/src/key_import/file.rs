//! Old keys in a file: CSV with a header, or a JSON object a line.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::row::{Columns, Row};
use crate::{
    failure::{Failure, Result, io},
    transfer::Format,
};

/// Bytes of a line at the most.
const LONGEST_LINE: u64 = 1 << 20;

/// A file with old keys.
pub(crate) struct KeyFile {
    path: PathBuf,
    format: Format,
    columns: Columns,
}

impl KeyFile {
    pub(crate) fn new(path: PathBuf, format: Format, columns: Columns) -> Self {
        Self { path, format, columns }
    }

    /// The file's name, for people.
    pub(crate) fn label(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Its rows from the beginning; none for a row without a key.
    pub(crate) fn rows(&self) -> Result<Box<dyn Iterator<Item = Result<Option<Row>>> + Send>> {
        let file = File::open(&self.path).map_err(io(self.path.display()))?;
        match self.format {
            Format::Csv => csv_rows(file, &self.columns),
            Format::Jsonl => Ok(Box::new(json_rows(file, self.path.clone(), self.columns.clone()))),
        }
    }
}

fn csv_rows(file: File, columns: &Columns) -> Result<Box<dyn Iterator<Item = Result<Option<Row>>> + Send>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(file));
    let unreadable = |error: csv::Error| Failure::Usage(format!("the file cannot be read: {error}"));
    let header = reader.headers().map_err(unreadable)?.clone();
    let position = |name: &str| {
        let found = header.iter().position(|known| known.trim() == name);
        found.ok_or_else(|| Failure::Usage(format!("the file has no column {name:?}")))
    };
    let optional = |name: &Option<String>| name.as_deref().map(position).transpose();
    let key = position(&columns.key)?;
    let (id, owner, name) = (optional(&columns.id)?, optional(&columns.owner)?, optional(&columns.name)?);
    Ok(Box::new(reader.into_records().map(move |record| {
        let record = record.map_err(unreadable)?;
        let field = |position: Option<usize>| position.and_then(|at| record.get(at)).map(str::to_owned);
        Ok(Row::new(record.get(key).unwrap_or_default(), field(id), field(owner), field(name), None))
    })))
}

fn json_rows(file: File, path: PathBuf, columns: Columns) -> impl Iterator<Item = Result<Option<Row>>> + Send {
    let (mut reader, mut number, mut failed) = (BufReader::new(file), 0_u64, false);
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let line = next_line(&mut reader, &path).transpose()?;
        number += 1;
        let row = line.and_then(|line| json_row(&line, number, &columns));
        failed = row.is_err();
        Some(row)
    })
}

/// The next line without its end; none at the end of the file.
fn next_line(reader: &mut BufReader<File>, path: &Path) -> Result<Option<Vec<u8>>> {
    use std::io::Read;
    let mut line = Vec::new();
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(io(path.display()))?;
    if line.len() as u64 == LONGEST_LINE {
        return Err(Failure::Usage(format!("{} has a line of more than 1MB", path.display())));
    }
    Ok((!line.is_empty()).then_some(line))
}

fn json_row(line: &[u8], number: u64, columns: &Columns) -> Result<Option<Row>> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    // The line itself may hold a key, so that the error does not repeat it.
    let object =
        kernel::json::object(line).map_err(|_| Failure::Usage(format!("line {number} is not a JSON object")))?;
    let text = |name: &str| match object.get(name) {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let optional = |name: &Option<String>| name.as_deref().and_then(text);
    let key = text(&columns.key).unwrap_or_default();
    Ok(Row::new(&key, optional(&columns.id), optional(&columns.owner), optional(&columns.name), None))
}
