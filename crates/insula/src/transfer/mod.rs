//! Moving rows in and out: CSV and JSON lines, in bounded memory.

mod chunk;
mod counter;
mod csv_rows;
mod export;
mod field;
mod import;
mod json_rows;
mod progress;
mod resume;
mod rows;
mod tape;

use std::{path::Path, sync::Arc};

use store::{Database, Table};

pub(crate) use self::resume::MIGRATIONS;
pub(crate) use self::{
    export::{export, export_columns},
    import::{Import, Report, import},
    progress::Progress,
};
use crate::failure::{Failure, Result};

/// How rows are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values with a header; NULL is an empty field, empty text is `""`.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl Format {
    /// The format that was asked for, else that of the file's ending.
    pub(crate) fn of(asked: Option<Self>, file: &Path) -> Result<Self> {
        let by_ending = || match file.extension()?.to_str()? {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        };
        let unclear = || Failure::Usage(format!("say what {} is: --format csv or --format jsonl", file.display()));
        asked.or_else(by_ending).ok_or_else(unclear)
    }
}

/// A table of the tenant's own, by name.
pub(crate) fn own_table(database: &Database, name: &str) -> Result<Arc<Table>> {
    let schema = database.schema();
    match schema.table(name) {
        Some(table) if !table.is_system() => Ok(Arc::clone(table)),
        _ => {
            let mut names: Vec<_> = schema.tables().filter(|t| !t.is_system()).map(|t| t.name.as_str()).collect();
            names.sort_unstable();
            Err(Failure::Missing(format!("there is no table {name:?}; there are: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests;
