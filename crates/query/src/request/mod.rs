//! What callers may ask.

mod check;
pub mod filter;
pub mod join;

use kernel::{
    Error, Reason, Result,
    ability::{self, Ability},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

pub use self::{
    filter::{Filter, Op},
    join::{Join, JoinType},
};

/// Items that one batch may have.
pub const MAX_BATCH: usize = 100;
/// Tables that one query may join.
pub const MAX_JOINS: usize = 8;
/// Columns that one query may order by.
pub const MAX_ORDER: usize = 16;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Reads rows.
    Select,
    /// Makes rows.
    Insert,
    /// Changes rows.
    Update,
    /// Removes rows.
    Delete,
    /// Counts rows.
    Count,
}

impl Action {
    /// The word of the request.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Count => "count",
        }
    }

    /// What the caller's group, and the caller's API key, must be allowed.
    pub(crate) const fn ability(self) -> Ability {
        match self {
            Self::Select | Self::Count => ability::DATA_READ,
            Self::Insert => ability::DATA_INSERT,
            Self::Update => ability::DATA_UPDATE,
            Self::Delete => ability::DATA_DELETE,
        }
    }

    /// Whether it changes nothing.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Select | Self::Count)
    }
}

/// A query: one statement, or a batch of statements of one action on one table.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// What is done.
    pub action: Action,
    /// The target table.
    #[schema(example = "assets")]
    pub table: String,
    /// Columns to return, `name` or `table.name`; all readable ones when absent.
    pub columns: Option<Vec<String>>,
    /// Pairs of column and value that must all be equal; null means IS NULL.
    #[serde(rename = "where")]
    #[schema(value_type = Option<Object>, example = json!({"id": 5}))]
    pub equal: Option<Map<String, Json>>,
    /// A condition; both `where` and `filter` must hold.
    pub filter: Option<Filter>,
    /// Further tables.
    pub joins: Option<Vec<Join>>,
    /// The order of the rows.
    pub order_by: Option<Vec<OrderBy>>,
    /// Rows at the most.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Values to write, by column.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Json>>,
    /// The statements of a batch.
    pub queries: Option<Vec<Item>>,
    /// Whether a batch is undone as a whole when one of its statements fails.
    pub rollback_on_error: Option<bool>,
    /// Answer what would run and why, and run nothing. Needs the ability `explain`.
    pub explain: Option<bool>,
}

/// A statement of a batch: a query without action and table.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Columns to return.
    pub columns: Option<Vec<String>>,
    /// Pairs of column and value that must all be equal.
    #[serde(rename = "where")]
    #[schema(value_type = Option<Object>)]
    pub equal: Option<Map<String, Json>>,
    /// A condition.
    pub filter: Option<Filter>,
    /// Further tables.
    pub joins: Option<Vec<Join>>,
    /// The order of the rows.
    pub order_by: Option<Vec<OrderBy>>,
    /// Rows at the most.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Values to write, by column.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Json>>,
}

/// One column of an order.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderBy {
    /// The column, `name` or `table.name`.
    pub column: String,
    /// `ASC` (default) or `DESC`.
    #[serde(default)]
    pub direction: Direction,
}

/// Which way an order goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Direction {
    /// The smallest first; NULL before everything.
    #[default]
    #[serde(rename = "ASC", alias = "asc")]
    Asc,
    /// The largest first; NULL behind everything.
    #[serde(rename = "DESC", alias = "desc")]
    Desc,
}

/// A request taken apart: what is done to which table, once or as a batch.
#[derive(Debug, Clone)]
pub struct Query {
    /// What is done.
    pub action: Action,
    /// The target table.
    pub table: String,
    /// The statement or the statements.
    pub work: Work,
    /// Whether to explain instead of running.
    pub explain: bool,
}

/// One statement or many.
#[derive(Debug, Clone)]
pub enum Work {
    /// One.
    Single(Box<Item>),
    /// Many, in one transaction.
    Batch {
        /// The statements in their order.
        items: Vec<Item>,
        /// Whether one failure undoes all.
        rollback_on_error: bool,
    },
}

impl TryFrom<QueryRequest> for Query {
    type Error = Error;

    /// Checks which fields go with the action. Errors: 400 that names the field.
    fn try_from(request: QueryRequest) -> Result<Self> {
        let action = request.action;
        let single = Item {
            columns: request.columns,
            equal: request.equal,
            filter: request.filter,
            joins: request.joins,
            order_by: request.order_by,
            limit: request.limit,
            offset: request.offset,
            data: request.data,
        };
        let work = match request.queries {
            None if request.rollback_on_error.is_some() => return Err(stray("rollback_on_error", "a single query")),
            None => {
                single.check(action)?;
                Work::Single(Box::new(single))
            }
            Some(items) => {
                if let Some(field) = single.first_field() {
                    return Err(stray(field, "a batch; it belongs into its queries"));
                }
                check_batch(action, &items)?;
                Work::Batch { items, rollback_on_error: request.rollback_on_error.unwrap_or(false) }
            }
        };
        Ok(Self { action, table: request.table, work, explain: request.explain.unwrap_or(false) })
    }
}

fn check_batch(action: Action, items: &[Item]) -> Result<()> {
    if items.is_empty() || items.len() > MAX_BATCH {
        let message = format!("A batch has 1 to {MAX_BATCH} queries, this one has {}", items.len());
        return Err(Error::new(Reason::BatchInvalid, message).at("queries"));
    }
    for (index, item) in items.iter().enumerate() {
        item.check(action).map_err(|error| within(&format!("queries[{index}]"), error))?;
    }
    Ok(())
}

/// Puts the path of an outer object before the field of an error.
pub fn within(outer: &str, mut error: Error) -> Error {
    error.field = Some(error.field.map_or_else(|| outer.to_owned(), |field| format!("{outer}.{field}")));
    error
}

fn stray(field: &str, what: &str) -> Error {
    Error::new(Reason::FieldInvalid, format!("{field} does not go with {what}")).at(field)
}

impl Item {
    /// The fields that are there.
    fn fields(&self) -> impl Iterator<Item = &'static str> {
        [
            ("columns", self.columns.is_some()),
            ("where", self.equal.is_some()),
            ("filter", self.filter.is_some()),
            ("joins", self.joins.is_some()),
            ("order_by", self.order_by.is_some()),
            ("limit", self.limit.is_some()),
            ("offset", self.offset.is_some()),
            ("data", self.data.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
    }

    fn first_field(&self) -> Option<&'static str> {
        self.fields().next()
    }

    /// Whether it says which rows are meant.
    pub fn has_condition(&self) -> bool {
        self.filter.is_some() || self.equal.as_ref().is_some_and(|equal| !equal.is_empty())
    }

    fn check(&self, action: Action) -> Result<()> {
        let allowed: &[&str] = match action {
            Action::Select => &["columns", "where", "filter", "joins", "order_by", "limit", "offset"],
            Action::Insert => &["data"],
            Action::Update => &["data", "where", "filter", "limit"],
            Action::Delete => &["where", "filter", "limit"],
            Action::Count => &["where", "filter", "joins"],
        };
        if let Some(field) = self.fields().find(|field| !allowed.contains(field)) {
            return Err(stray(field, action.word()));
        }
        if matches!(action, Action::Insert | Action::Update) && self.data.is_none() {
            return Err(Error::new(Reason::FieldMissing, format!("{} needs data", action.word())).at("data"));
        }
        if matches!(action, Action::Update | Action::Delete) && !self.has_condition() {
            return Err(Error::plain(Reason::WhereRequired).at("where"));
        }
        let too_many = |field: &str, most: usize| {
            Error::new(Reason::FieldInvalid, format!("{field} has at most {most} entries")).at(field)
        };
        if self.joins.as_ref().is_some_and(|joins| joins.len() > MAX_JOINS) {
            return Err(too_many("joins", MAX_JOINS));
        }
        if self.order_by.as_ref().is_some_and(|order| order.len() > MAX_ORDER) {
            return Err(too_many("order_by", MAX_ORDER));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, QueryRequest, Work};
    use kernel::Reason;

    fn read(json: &str) -> Result<Query, (Reason, Option<String>)> {
        let request: QueryRequest = serde_json::from_str(json).unwrap();
        Query::try_from(request).map_err(|error| (error.reason, error.field))
    }

    fn refusal(json: &str) -> (Reason, String) {
        let (reason, field) = read(json).unwrap_err();
        (reason, field.unwrap_or_default())
    }

    #[test]
    fn fields_go_with_their_actions() {
        let invalid = |field: &str| (Reason::FieldInvalid, field.to_owned());
        assert_eq!(refusal(r#"{"action":"count","table":"t","limit":1}"#), invalid("limit"));
        assert_eq!(refusal(r#"{"action":"insert","table":"t","data":{},"where":{}}"#), invalid("where"));
        assert_eq!(
            refusal(r#"{"action":"select","table":"t","rollback_on_error":true}"#),
            invalid("rollback_on_error")
        );
        assert_eq!(refusal(r#"{"action":"insert","table":"t"}"#), (Reason::FieldMissing, "data".into()));
        assert_eq!(refusal(r#"{"action":"delete","table":"t","where":{}}"#), (Reason::WhereRequired, "where".into()));
        assert_eq!(
            refusal(r#"{"action":"delete","table":"t","queries":[{"where":{"a":1}},{}]}"#),
            (Reason::WhereRequired, "queries[1].where".into())
        );
        assert_eq!(
            refusal(r#"{"action":"delete","table":"t","queries":[]}"#),
            (Reason::BatchInvalid, "queries".into())
        );
    }

    #[test]
    fn a_batch_keeps_its_items() {
        let query = read(r#"{"action":"insert","table":"t","queries":[{"data":{"a":1}},{"data":{"a":2}}]}"#).unwrap();
        assert!(matches!(query.work, Work::Batch { ref items, rollback_on_error: false } if items.len() == 2));
    }
}
