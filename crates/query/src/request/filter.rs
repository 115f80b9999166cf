//! The filter language: one for asking and for allowing.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

/// How deep nodes may nest.
pub const MAX_DEPTH: usize = 16;
/// Values that one `in` may list.
pub const MAX_LIST: usize = 1_000;
/// Values that one query may compare with, all lists together. SQLite binds at most 32,766.
pub const MAX_VALUES: usize = 10_000;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema, schemars::JsonSchema)]
pub enum Op {
    /// Equal; with null: is NULL.
    #[serde(rename = "=")]
    Eq,
    /// Not equal; with null: is not NULL.
    #[serde(rename = "!=", alias = "<>")]
    Ne,
    /// Greater.
    #[serde(rename = ">")]
    Gt,
    /// Greater or equal.
    #[serde(rename = ">=")]
    Ge,
    /// Less.
    #[serde(rename = "<")]
    Lt,
    /// Less or equal.
    #[serde(rename = "<=")]
    Le,
    /// Like a pattern: `%` any text, `_` any character, `\` before either takes it literally.
    #[serde(rename = "like")]
    Like,
    /// Not like a pattern.
    #[serde(rename = "not_like")]
    NotLike,
    /// One of a list.
    #[serde(rename = "in")]
    In,
    /// None of a list.
    #[serde(rename = "not_in")]
    NotIn,
    /// Is NULL.
    #[serde(rename = "is_null")]
    IsNull,
    /// Is not NULL.
    #[serde(rename = "is_not_null")]
    IsNotNull,
    /// Between two values, both included.
    #[serde(rename = "between")]
    Between,
}

/// A node of a filter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Node")]
pub enum Filter {
    /// A column compared with a value; none where the comparison needs none.
    Leaf {
        /// The column.
        column: String,
        /// The comparison.
        op: Op,
        /// The value, or the list.
        value: Option<Json>,
    },
    /// All must hold.
    And(Vec<Self>),
    /// One must hold.
    Or(Vec<Self>),
    /// The node must not hold.
    Not(Box<Self>),
    /// A row of another table must be there. For row rules alone.
    Exists(Box<Exists>),
}

/// A look at another table, in row rules.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exists {
    /// The other table.
    pub table: String,
    /// Pairs of its columns and values that must be equal.
    #[serde(rename = "where", default)]
    pub equal: Map<String, Json>,
    /// A further condition on it.
    pub filter: Option<Filter>,
}

/// A node as it is written: exactly one of a leaf, `and`, `or`, `not` and `exists`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Filter, no_recursion)]
pub(crate) struct Node {
    /// A column, with `op`.
    column: Option<String>,
    /// The comparison.
    #[schema(inline)]
    op: Option<Op>,
    /// What it is compared with: a value, a list for `in`, `[min, max]` for `between`, nothing for the null tests.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    value: Option<Json>,
    /// Nodes that must all hold.
    #[schema(value_type = Option<Vec<Object>>)]
    and: Option<Vec<Filter>>,
    /// Nodes of which one must hold.
    #[schema(value_type = Option<Vec<Object>>)]
    or: Option<Vec<Filter>>,
    /// A node that must not hold.
    #[schema(value_type = Option<Object>)]
    not: Option<Box<Filter>>,
    #[schema(ignore)]
    exists: Option<Box<Exists>>,
}

impl schemars::JsonSchema for Filter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Filter".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (node, op) = (generator.subschema_for::<Self>(), generator.subschema_for::<Op>());
        let exists = generator.subschema_for::<Exists>();
        let nodes = |meaning: &str| schemars::json_schema!({ "type": "array", "items": node, "minItems": 1, "description": meaning });
        let one = |key: &str, schema: schemars::Schema| {
            schemars::json_schema!({
                "type": "object", "properties": { key: schema }, "required": [key], "additionalProperties": false,
            })
        };
        schemars::json_schema!({
            "description": "A condition: a leaf, or one of `and`, `or`, `not` and `exists`.",
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "column": { "type": "string", "description": "The column." },
                        "op": op,
                        "value": { "description": "The value, or the list." },
                    },
                    "required": ["column", "op"],
                    "additionalProperties": false,
                },
                one("and", nodes("All must hold.")),
                one("or", nodes("One must hold.")),
                one("not", node.clone()),
                one("exists", exists),
            ],
        })
    }
}

/// A field that is there with null is not the same as one that is absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl TryFrom<Node> for Filter {
    type Error = String;

    fn try_from(node: Node) -> Result<Self, String> {
        let one = "a filter node is one of {column, op, value}, {and}, {or} and {not}";
        match node {
            Node { column: Some(column), op: Some(op), value, and: None, or: None, not: None, exists: None } => {
                leaf(column, op, value)
            }
            Node { column: Some(_), op: None, .. } => Err("a filter leaf needs op".into()),
            Node { column: None, op: None, value: None, and, or, not, exists } => match (and, or, not, exists) {
                (Some(nodes), None, None, None) if !nodes.is_empty() => Ok(Self::And(nodes)),
                (None, Some(nodes), None, None) if !nodes.is_empty() => Ok(Self::Or(nodes)),
                (Some(_), None, None, None) | (None, Some(_), None, None) => Err("and and or need a node".into()),
                (None, None, Some(node), None) => Ok(Self::Not(node)),
                (None, None, None, Some(exists)) => Ok(Self::Exists(exists)),
                _ => Err(one.into()),
            },
            _ => Err(one.into()),
        }
    }
}

fn leaf(column: String, op: Op, value: Option<Json>) -> Result<Filter, String> {
    let scalar = |value: &Json| !value.is_array() && !value.is_object();
    match (op, &value) {
        (Op::IsNull | Op::IsNotNull, None | Some(Json::Null)) => Ok(Filter::Leaf { column, op, value: None }),
        (Op::IsNull | Op::IsNotNull, Some(_)) => Err("is_null and is_not_null take no value".into()),
        (_, None) => Err("a filter leaf needs a value".into()),
        (Op::In | Op::NotIn, Some(Json::Array(list))) if list.is_empty() => Err("in needs at least one value".into()),
        (Op::In | Op::NotIn, Some(Json::Array(list))) if list.len() > MAX_LIST => {
            Err(format!("in takes at most {MAX_LIST} values"))
        }
        (Op::In | Op::NotIn, Some(Json::Array(list))) if list.iter().all(|value| scalar(value) && !value.is_null()) => {
            Ok(Filter::Leaf { column, op, value })
        }
        (Op::In | Op::NotIn, Some(_)) => Err("in takes a list of values that are not null".into()),
        (Op::Between, Some(Json::Array(list)))
            if list.len() == 2 && list.iter().all(|value| scalar(value) && !value.is_null()) =>
        {
            Ok(Filter::Leaf { column, op, value })
        }
        (Op::Between, Some(_)) => Err("between takes [min, max]".into()),
        (Op::Eq | Op::Ne, Some(value_)) if scalar(value_) => Ok(Filter::Leaf { column, op, value }),
        (_, Some(Json::Null)) => Err("only = and != can be compared with null".into()),
        (_, Some(value_)) if scalar(value_) => Ok(Filter::Leaf { column, op, value }),
        _ => Err("the value of this comparison is a single value, not a list or an object".into()),
    }
}

impl Filter {
    /// Leaves in the whole tree.
    pub fn leaves(&self) -> usize {
        match self {
            Self::Leaf { .. } => 1,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().map(Self::leaves).sum(),
            Self::Not(node) => node.leaves(),
            Self::Exists(exists) => exists.equal.len() + exists.filter.as_ref().map_or(0, Self::leaves),
        }
    }

    /// Values in the whole tree.
    pub fn values(&self) -> usize {
        match self {
            Self::Leaf { value: Some(Json::Array(values)), .. } => values.len(),
            Self::Leaf { .. } => 1,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().map(Self::values).sum(),
            Self::Not(node) => node.values(),
            Self::Exists(exists) => exists.equal.len() + exists.filter.as_ref().map_or(0, Self::values),
        }
    }

    /// Levels of the tree.
    pub fn depth(&self) -> usize {
        1 + match self {
            Self::Leaf { .. } => 0,
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(node) => node.depth(),
            Self::Exists(exists) => exists.filter.as_ref().map_or(0, Self::depth),
        }
    }
}

impl utoipa::PartialSchema for Filter {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <Node as utoipa::PartialSchema>::schema()
    }
}

impl ToSchema for Filter {
    fn name() -> std::borrow::Cow<'static, str> {
        "Filter".into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Op};
    use proptest::prelude::*;

    fn read(json: &str) -> Result<Filter, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn nodes_are_exactly_one_thing() {
        let leaf = read(r#"{"column":"a","op":"<=","value":5}"#).unwrap();
        assert!(matches!(leaf, Filter::Leaf { op: Op::Le, .. }));
        let tree =
            read(r#"{"and":[{"column":"a","op":"is_null"},{"not":{"column":"b","op":"=","value":null}}]}"#).unwrap();
        assert_eq!((tree.leaves(), tree.depth()), (2, 3));
        for bad in [
            "{}",
            "[]",
            "5",
            r#"{"and":[]}"#,
            r#"{"or":[]}"#,
            r#"{"column":"a"}"#,
            r#"{"column":"a","op":"="}"#,
            r#"{"column":"a","op":"==","value":1}"#,
            r#"{"column":"a","op":"in","value":[]}"#,
            r#"{"column":"a","op":"in","value":[null]}"#,
            r#"{"column":"a","op":"between","value":[1]}"#,
            r#"{"column":"a","op":">","value":null}"#,
            r#"{"column":"a","op":"=","value":[1]}"#,
            r#"{"column":"a","op":"is_null","value":1}"#,
            r#"{"column":"a","op":"=","value":1,"and":[]}"#,
            r#"{"and":[{"column":"a","op":"is_null"}],"or":[{"column":"a","op":"is_null"}]}"#,
            r#"{"column":"a","op":"=","value":1,"extra":2}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = read(&text);
        }

        #[test]
        fn no_tree_of_known_words_panics(text in r#"(\{"(and|or|not|column|op|value|exists)":|\[|\]|\}|,|"=":?|"in"|1|null){0,40}"#) {
            let _ = read(&text);
        }
    }
}
