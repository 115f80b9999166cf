//! Values that toolkits have filled in.

use std::fmt::Display;

use kernel::{
    Error, Result,
    time::Timestamp,
    toolkits::{GeneratedColumn, GeneratedValue},
};
use serde_json::{Value as Json, json};
use store::{Column, Kind, Table, Value};
use uuid::Uuid;

use crate::rules::Environment;

/// A generated column of a table.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) column: GeneratedColumn,
    position: usize,
}

/// A generated value.
pub(crate) enum Made {
    /// It is known at once: as the column keeps it, and as an answer tells it.
    Now(Value, Json),
    /// Only the running transaction can tell.
    Later,
    /// There is none: no user acts.
    Nothing,
}

impl Generator {
    /// The generated columns of a table. Those that it does not have cannot be filled in; whoever reads toolkits tells.
    pub(crate) fn all(columns: &[GeneratedColumn], table: &Table) -> Vec<Self> {
        let generator =
            |column: &GeneratedColumn| Some(Self { position: table.position(&column.column)?, column: column.clone() });
        columns.iter().filter_map(generator).collect()
    }

    /// Whether a value of the caller's for a column gives way to it.
    pub(crate) fn replaces(&self, position: usize) -> bool {
        self.column.always && self.position == position
    }

    /// Where the column is. Errors: 500 where it cannot be written.
    pub(crate) fn position(&self, table: &Table) -> Result<usize> {
        if table.columns[self.position].generated {
            return Err(self.misfit(table, "the database computes the column"));
        }
        Ok(self.position)
    }

    /// The value for a request, where it is known before the request runs. Errors: 500 where it does not fit.
    pub(crate) fn at_once(&self, table: &Table, environment: &Environment<'_>) -> Result<Made> {
        let kind = &self.definition(table)?.kind;
        let (value, told) = match &self.column.value {
            GeneratedValue::Sequence { .. } | GeneratedValue::Random { .. } => return Ok(Made::Later),
            GeneratedValue::Uuid => (id(kind, Uuid::now_v7()), None),
            GeneratedValue::Now => (moment(kind, environment.now), moment_told(kind, environment.now)),
            GeneratedValue::User => {
                let Some(number) = environment.principal.user() else { return Ok(Made::Nothing) };
                let value = match kind {
                    Kind::Uuid => id(kind, environment.principal.id),
                    kind => counted(kind, number.to_string()),
                };
                (value, None)
            }
        };
        let value = value.map_err(|why| self.misfit(table, why))?;
        let told = told.unwrap_or_else(|| json(&value));
        Ok(Made::Now(value, told))
    }

    /// The counter's name and its first number, if the value is a number of one. Errors: 500 where it is out of range.
    pub(crate) fn sequence(&self, table: &Table) -> Option<Result<(String, i64)>> {
        let GeneratedValue::Sequence { start, .. } = &self.column.value else { return None };
        let first = i64::try_from(*start).map_err(|_| self.misfit(table, "its first number is too large"));
        Some(first.map(|first| (format!("{}.{}", table.name, self.column.column), first)))
    }

    /// Whether another try gives another value.
    pub(crate) const fn is_random(&self) -> bool {
        matches!(self.column.value, GeneratedValue::Random { .. })
    }

    /// A value that was not known at once, with the number that was taken from the counter.
    ///
    /// Errors: 500 where it does not fit the column.
    pub(crate) fn make(&self, table: &Table, number: Option<i64>) -> Result<(Value, Json)> {
        let text = match (&self.column.value, number) {
            (GeneratedValue::Sequence { prefix, digits, suffix, .. }, Some(number)) => {
                format!("{prefix}{number:0>width$}{suffix}", width = usize::from(*digits))
            }
            (GeneratedValue::Random { prefix, alphabet, length }, _) => {
                let alphabet: Vec<char> = alphabet.chars().collect();
                if alphabet.is_empty() {
                    return Err(self.misfit(table, "the alphabet is empty"));
                }
                let random = (0..*length).map(|_| alphabet[rand::random_range(0..alphabet.len())]);
                prefix.chars().chain(random).collect()
            }
            _ => return Err(self.misfit(table, "the value was not made in time")),
        };
        let value = counted(&self.definition(table)?.kind, text).map_err(|why| self.misfit(table, why))?;
        let told = json(&value);
        Ok((value, told))
    }

    /// What it does, for people.
    pub(crate) fn explain(&self) -> Json {
        let GeneratedColumn { column, value, on_insert, on_update, always } = &self.column;
        let value = match value {
            GeneratedValue::Sequence { .. } => "the next number of a counter",
            GeneratedValue::Random { .. } => "random characters",
            GeneratedValue::Uuid => "a UUID",
            GeneratedValue::Now => "the time of the request",
            GeneratedValue::User => "the number of the acting user",
        };
        json!({ "column": column, "value": value, "on_insert": on_insert, "on_update": on_update, "always": always })
    }

    fn definition<'t>(&self, table: &'t Table) -> Result<&'t Column> {
        Ok(&table.columns[self.position(table)?])
    }

    /// The failure of a column that a toolkit describes wrongly.
    fn misfit(&self, table: &Table, why: impl Display) -> Error {
        let (table, column) = (&table.name, &self.column.column);
        tracing::error!(table, column, %why, "a column that a toolkit has filled in cannot take the value");
        Error::internal(format!("generated column {table}.{column}: {why}"))
    }
}

/// A text, or the digits of a whole number, as a column keeps it.
fn counted(kind: &Kind, text: String) -> Result<Value, String> {
    match kind {
        Kind::Text { .. } | Kind::Int { .. } | Kind::BigUnsigned => kind.accept(&Json::String(text)),
        _ => Err("the column is of neither text nor whole numbers".into()),
    }
}

/// An id as a column keeps it.
fn id(kind: &Kind, id: Uuid) -> Result<Value, String> {
    match kind {
        Kind::Text { .. } | Kind::Uuid => kind.accept(&json!(id)),
        _ => Err("the column is of neither text nor UUIDs".into()),
    }
}

/// A moment as a column keeps it.
fn moment(kind: &Kind, now: Timestamp) -> Result<Value, String> {
    let sql = kernel::time::sql(now);
    match (kind, sql.split_once(' ')) {
        (Kind::Date, Some((date, _))) => kind.accept(&json!(date)),
        (Kind::Time, Some((_, time))) => kind.accept(&json!(time)),
        (Kind::DateTime | Kind::Timestamp | Kind::Text { .. }, _) => kind.accept(&json!(kernel::time::rfc3339(now))),
        _ => Err("the column is of neither moments, dates, times nor text".into()),
    }
}

/// A moment as an answer tells it, where that is not what the column keeps.
fn moment_told(kind: &Kind, now: Timestamp) -> Option<Json> {
    matches!(kind, Kind::Timestamp).then(|| Json::String(kernel::time::rfc3339(now)))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Bytes(_) => Json::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
    }
}
