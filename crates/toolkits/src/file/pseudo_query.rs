//! Queries with a name.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A query as `POST /query` takes it. In `where`, `data`, the `value`s of `filter`, `limit` and `offset` a text that
/// begins with `$` is replaced when the query runs; everything else is fixed.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PseudoQuery {
    /// What is done.
    pub action: QueryAction,
    /// The target table.
    pub table: String,
    /// Columns to return; all readable ones where absent.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// Pairs of column and value that must all be equal.
    #[serde(rename = "where", default)]
    pub equal: Option<Map<String, Value>>,
    /// A condition, in the language of filters.
    #[serde(default)]
    pub filter: Option<Value>,
    /// Further tables.
    #[serde(default)]
    pub joins: Option<Vec<Value>>,
    /// The order of the rows.
    #[serde(default)]
    pub order_by: Option<Vec<Value>>,
    /// Rows at the most: a number, or a text that begins with `$`.
    #[serde(default)]
    pub limit: Option<Value>,
    /// Rows to skip.
    #[serde(default)]
    pub offset: Option<Value>,
    /// Values to write, by column.
    #[serde(default)]
    pub data: Option<Map<String, Value>>,
    /// What must have come of it; where it has not, all queries of the call are undone.
    #[serde(default)]
    pub expect: Option<Expectation>,
    /// Whether the answer of a select is its first row, or null, in place of a list.
    #[serde(default)]
    pub single: bool,
}

/// What a query does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryAction {
    /// Reads rows.
    Select,
    /// Makes a row.
    Insert,
    /// Changes rows.
    Update,
    /// Removes rows.
    Delete,
    /// Counts rows.
    Count,
}

impl QueryAction {
    /// The word of the data API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Count => "count",
        }
    }

    /// Whether it changes nothing.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Select | Self::Count)
    }
}

/// How many rows a query must have read, counted or written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expectation {
    /// Exactly so many.
    pub rows: Option<u64>,
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
    /// What the caller is told otherwise.
    pub message: Option<String>,
}
