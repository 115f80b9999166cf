//! Single values and rows for the server's own use. Answers to callers never pass through here.

use kernel::time::Timestamp;
use uuid::Uuid;

use crate::{Error, Result};

/// One value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text; also decimals, dates and times in their SQL spelling.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<Value> for sea_query::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::String(None),
            Value::Bool(flag) => Self::Bool(Some(flag)),
            Value::Int(number) => Self::BigInt(Some(number)),
            Value::Float(number) => Self::Double(Some(number)),
            Value::Text(text) => Self::String(Some(text)),
            Value::Bytes(bytes) => Self::Bytes(Some(bytes)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Text(kernel::time::sql(moment))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of the server's own tables, read by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn wrong(&self, index: usize, wanted: &str) -> Error {
        Error::Driver(
            format!("column {index} of a system row is not {wanted}: {:?}", self.0.get(index).map(kind_of)).into(),
        )
    }

    /// A whole number.
    pub fn int(&self, index: usize) -> Result<i64> {
        match self.0.get(index) {
            Some(Value::Int(number)) => Ok(*number),
            Some(Value::Bool(flag)) => Ok(i64::from(*flag)),
            _ => Err(self.wrong(index, "a whole number")),
        }
    }

    /// A whole number or NULL.
    pub fn maybe_int(&self, index: usize) -> Result<Option<i64>> {
        if self.is_null(index) { Ok(None) } else { self.int(index).map(Some) }
    }

    /// A truth value.
    pub fn flag(&self, index: usize) -> Result<bool> {
        self.int(index).map(|number| number != 0)
    }

    /// Text.
    pub fn text(&self, index: usize) -> Result<&str> {
        match self.0.get(index) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.wrong(index, "text")),
        }
    }

    /// Text or NULL.
    pub fn maybe_text(&self, index: usize) -> Result<Option<&str>> {
        if self.is_null(index) { Ok(None) } else { self.text(index).map(Some) }
    }

    /// A UUID that is kept as text.
    pub fn uuid(&self, index: usize) -> Result<Uuid> {
        self.text(index)?.parse().map_err(|_| self.wrong(index, "a UUID"))
    }

    /// A moment, kept in UTC.
    pub fn timestamp(&self, index: usize) -> Result<Timestamp> {
        let text = self.text(index)?;
        format!("{}Z", text.replace(' ', "T")).parse().map_err(|_| self.wrong(index, "a moment"))
    }

    /// A moment or NULL.
    pub fn maybe_timestamp(&self, index: usize) -> Result<Option<Timestamp>> {
        if self.is_null(index) { Ok(None) } else { self.timestamp(index).map(Some) }
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, index: usize) -> bool {
        matches!(self.0.get(index), Some(Value::Null))
    }
}

/// The kind of a value without the value, for logs.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
    }
}
