//! A row of an old table or file, and the columns that are read of it.

use std::fmt::Write;

use kernel::Secret;
use store::Value;

/// Which columns say what.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// The old key.
    pub(crate) key: String,
    /// What tells the row from others.
    pub(crate) id: Option<String>,
    /// Whose the key is.
    pub(crate) owner: Option<String>,
    /// What to call it.
    pub(crate) name: Option<String>,
}

/// A row whose key is not empty.
pub(crate) struct Row {
    /// The key without blanks around it.
    pub(crate) text: Secret,
    pub(crate) id: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) name: Option<String>,
    /// What finds the row again in its table: the id, and the key as it lies there.
    pub(crate) place: Option<(Value, Value)>,
}

impl Row {
    /// A row of these fields; none where the key is empty.
    pub(crate) fn new(
        text: &str,
        id: Option<String>,
        owner: Option<String>,
        name: Option<String>,
        place: Option<(Value, Value)>,
    ) -> Option<Self> {
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let text = text.trim();
        let row = Self { text: Secret::new(text), id: filled(id), owner: filled(owner), name: filled(name), place };
        (!text.is_empty()).then_some(row)
    }
}

/// A value as text; bytes that are no text as hexadecimal.
pub(super) fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Bytes(bytes) => Some(std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), str::to_owned)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
