//! Export: the rows of a table or view, page by page in the order of the key.

use std::{io::Write, sync::Arc};

use sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::{Value as Json, value::RawValue};
use store::{Database, Dialect, Kind, OutputColumn, Table, Value};

use super::{Format, Progress, field};
use crate::failure::{Failure, Result, io};

/// Rows of a page, unless they are large.
const PAGE: u64 = 1_000;
/// Bytes of a page after which the next may have more rows.
const LIGHT: usize = 4 << 20;

/// Writes all rows. Columns that the database computes are left out, so that what is written can be read back.
///
/// Pages are read one after another: rows that others change meanwhile may be there in either state.
pub(crate) async fn export(
    database: &Database,
    table: &Arc<Table>,
    format: Format,
    out: &mut (dyn Write + Send),
    progress: &mut Progress,
) -> Result<u64> {
    export_columns(database, table, |_| true, format, out, progress).await
}

/// The same with some of the columns.
pub(crate) async fn export_columns(
    database: &Database,
    table: &Arc<Table>,
    wanted: impl Fn(&str) -> bool,
    format: Format,
    out: &mut (dyn Write + Send),
    progress: &mut Progress,
) -> Result<u64> {
    let pages = Pages::new(table, wanted);
    let cannot = || io("the rows cannot be written");
    if format == Format::Csv {
        out.write_all(&pages.csv_header()).map_err(cannot())?;
    }
    let (mut rows, mut after, mut size) = (0, None, PAGE);
    loop {
        let page = match database.read_json(&pages.select(after.as_deref(), rows, size), &pages.output).await {
            Err(store::Error::TooLarge) if size > 1 => {
                size = size.div_ceil(4);
                continue;
            }
            read => read?,
        };
        let lines: Vec<&RawValue> = serde_json::from_slice(&page.bytes).map_err(unreadable)?;
        let mut text = Vec::with_capacity(page.bytes.len());
        for line in &lines {
            match format {
                Format::Jsonl => text.extend_from_slice(line.get().as_bytes()),
                Format::Csv => pages.csv_row(line, &mut text)?,
            }
            text.push(b'\n');
        }
        out.write_all(&text).map_err(cannot())?;
        rows += page.rows;
        progress.at(rows, rows);
        match lines.last() {
            Some(last) if page.rows == size => after = Some(pages.key(last)?),
            _ => break,
        }
        if page.bytes.len() < LIGHT {
            size = std::cmp::min(size * 2, PAGE);
        }
    }
    out.flush().map_err(cannot())?;
    Ok(rows)
}

fn unreadable(error: serde_json::Error) -> Failure {
    Failure::Refused(kernel::Error::internal(error))
}

struct Pages {
    table: Arc<Table>,
    /// Positions of the columns that are written.
    columns: Vec<usize>,
    output: Arc<[OutputColumn]>,
    /// Whether rows can be told apart by a key that is written.
    keyed: bool,
}

impl Pages {
    fn new(table: &Arc<Table>, wanted: impl Fn(&str) -> bool) -> Self {
        let written = |index: &usize| !table.columns[*index].generated && wanted(&table.columns[*index].name);
        let columns: Vec<usize> = (0..table.columns.len()).filter(written).collect();
        let output = |index: &usize| OutputColumn::new(&table.columns[*index].name, table.columns[*index].kind.clone());
        let output = columns.iter().map(output).collect();
        let keyed = !table.key.is_empty() && table.key.iter().all(|position| columns.contains(position));
        Self { table: Arc::clone(table), columns, output, keyed }
    }

    /// The page after a key, or after so many rows where there is no key.
    fn select(&self, after: Option<&[Value]>, rows: u64, size: u64) -> SelectStatement {
        let mut select = Query::select();
        select.from(self.table.reference()).limit(size);
        for position in &self.columns {
            let column = self.table.col(None, *position);
            let text = self.table.columns[*position].read_as_text;
            select.expr(if text { column.cast_as(Alias::new("text")) } else { column });
        }
        if self.keyed {
            for column in self.table.key_columns() {
                select.order_by_expr(column, Order::Asc);
            }
            if let Some(after) = after {
                select.cond_where(self.beyond(after));
            }
        } else {
            for position in &self.columns {
                let column = self.table.col(None, *position);
                // PostgreSQL has no order of json.
                let json = self.table.dialect == Dialect::Postgres && self.table.columns[*position].kind == Kind::Json;
                select.order_by_expr(if json { column.cast_as(Alias::new("text")) } else { column }, Order::Asc);
            }
            select.offset(rows);
        }
        select
    }

    /// The rows beyond a key: `a > x OR a = x AND b > y …`.
    fn beyond(&self, key: &[Value]) -> Condition {
        let columns = self.table.key_columns();
        (0..columns.len()).fold(Condition::any(), |any, last| {
            let same = columns[..last].iter().zip(key);
            let same = same
                .fold(Condition::all(), |all, (column, value)| all.add(column.clone().eq(Expr::from(value.clone()))));
            any.add(same.add(columns[last].clone().gt(Expr::from(key[last].clone()))))
        })
    }

    /// The key of a row that was read, empty where there is none.
    fn key(&self, row: &RawValue) -> Result<Vec<Value>> {
        if !self.keyed {
            return Ok(Vec::new());
        }
        let row = kernel::json::object(row.get().as_bytes()).map_err(unreadable)?;
        let value = |position: &usize| {
            let column = &self.table.columns[*position];
            let json = row.get(&*column.name).unwrap_or(&Json::Null);
            column.kind.accept(json).map_err(|problem| Failure::Other(format!("{}: {problem}", column.name)))
        };
        self.table.key.iter().map(value).collect()
    }

    fn csv_header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (index, position) in self.columns.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            field::quote(&self.table.columns[*position].name, &mut line);
        }
        line.push(b'\n');
        line
    }

    fn csv_row(&self, row: &RawValue, line: &mut Vec<u8>) -> Result<()> {
        let row = kernel::json::object(row.get().as_bytes()).map_err(unreadable)?;
        for (index, position) in self.columns.iter().enumerate() {
            let column = &self.table.columns[*position];
            let json = row.get(&*column.name).unwrap_or(&Json::Null);
            if index > 0 {
                line.push(b',');
            }
            if json.is_null() && self.columns.len() == 1 {
                return Err(Failure::Usage(
                    "a CSV file cannot have NULL in its only column; use --format jsonl".to_owned(),
                ));
            }
            field::to_csv(&column.kind, json, line);
        }
        Ok(())
    }
}
