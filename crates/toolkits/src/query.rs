//! A query with a name, ready to be asked.

use std::sync::Arc;

use kernel::{Error, Reason, Result};
use serde_json::{Map, Value, json};

use crate::{
    file::{Expectation, PseudoQuery, QueryAction},
    placeholder::{Slot, Source, Template},
};

/// Looks up what placeholders stand for.
type Ask<'a> = &'a dyn Fn(&Source, Slot) -> Result<Option<Value>>;

/// Columns with their values.
type Pairs = Vec<(String, Template)>;

/// A query of a toolkit. All of it is fixed but values.
#[derive(Debug)]
pub(crate) struct PreparedQuery {
    pub(crate) name: String,
    pub(crate) action: QueryAction,
    /// What has no placeholder.
    fixed: Map<String, Value>,
    equal: Option<Pairs>,
    filter: Option<Node>,
    data: Option<Pairs>,
    limit: Option<Template>,
    offset: Option<Template>,
    expect: Option<Expectation>,
    pub(crate) single: bool,
    /// The columns of a select by their own names, where it lists them.
    pub(crate) columns: Option<Vec<String>>,
}

/// A node of a filter.
#[derive(Debug)]
enum Node {
    Leaf {
        fixed: Map<String, Value>,
        value: Option<Template>,
        slot: Slot,
    },
    Nodes(String, Vec<Self>),
    Not(Box<Self>),
    /// What is no node; the data API refuses it.
    Fixed(Value),
}

impl PreparedQuery {
    /// Prepares a query. Errors: the key below the query's, and what is wrong.
    pub(crate) fn new(name: &str, query: &PseudoQuery) -> Result<Arc<Self>, (String, String)> {
        let mut fixed = Map::new();
        fixed.insert("action".to_owned(), json!(query.action.word()));
        fixed.insert("table".to_owned(), json!(query.table));
        let list = |list: &Option<Vec<Value>>| list.clone().map(Value::Array);
        let columns = query.columns.as_ref().map(|columns| json!(columns));
        for (key, value) in [("columns", columns), ("joins", list(&query.joins)), ("order_by", list(&query.order_by))] {
            if let Some(value) = value {
                fixed.insert(key.to_owned(), value);
            }
        }
        let one = |key: &str, value: &Option<Value>| {
            value.as_ref().map(Template::parse).transpose().map_err(|problem| (key.to_owned(), problem))
        };
        let prepared = Self {
            name: name.to_owned(),
            action: query.action,
            fixed,
            equal: pairs("where", query.equal.as_ref())?,
            filter: query.filter.as_ref().map(Node::parse).transpose().map_err(|problem| ("filter".into(), problem))?,
            data: pairs("data", query.data.as_ref())?,
            limit: one("limit", &query.limit)?,
            offset: one("offset", &query.offset)?,
            expect: query.expect.clone(),
            single: query.single,
            columns: query.columns.as_ref().map(|columns| {
                columns.iter().map(|column| column.rsplit('.').next().unwrap_or_default().to_owned()).collect()
            }),
        };
        prepared.check(query)?;
        Ok(Arc::new(prepared))
    }

    fn check(&self, query: &PseudoQuery) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        if query.single && query.action != QueryAction::Select {
            return wrong("single", "only a select has rows of which the first can be taken; leave it out");
        }
        let optional = |source: &&Source| matches!(source, Source::Payload { optional: true, .. });
        let dropped = self.equal.iter().flatten().flat_map(|(_, template)| template.sources()).any(|it| optional(&it));
        if dropped && !self.action.reads() {
            return wrong(
                "where",
                "a condition of a write cannot be left out; write the placeholder without the question mark",
            );
        }
        if self.filter.as_ref().is_some_and(|node| node.sources().iter().any(optional)) {
            return wrong("filter", "a condition in a filter cannot be left out; write it into `where`");
        }
        if let Some(expect) = &query.expect {
            let bounds = [expect.rows, expect.min, expect.max];
            if bounds.iter().all(Option::is_none) {
                return wrong("expect", "nothing is expected; write rows = 1, or min and max");
            }
            if expect.rows.is_some() && (expect.min.is_some() || expect.max.is_some()) {
                return wrong("expect", "write either rows, or min and max");
            }
            if expect.min.zip(expect.max).is_some_and(|(min, max)| min > max) {
                return wrong("expect", "min is above max");
            }
        }
        Ok(())
    }

    /// The placeholders, each with the key it is at.
    pub(crate) fn sources(&self) -> Vec<(String, &Source)> {
        let mut sources = Vec::new();
        for (section, pairs) in [("where", &self.equal), ("data", &self.data)] {
            for (column, template) in pairs.iter().flatten() {
                sources.extend(template.sources().into_iter().map(|it| (format!("{section}.{column}"), it)));
            }
        }
        for (key, template) in [("limit", &self.limit), ("offset", &self.offset)] {
            sources.extend(template.iter().flat_map(Template::sources).map(|it| (key.to_owned(), it)));
        }
        sources.extend(self.filter.iter().flat_map(Node::sources).map(|it| ("filter".to_owned(), it)));
        sources
    }

    /// The query as `POST /query` takes it.
    pub(crate) fn build(&self, ask: Ask<'_>) -> Result<Value> {
        let mut query = self.fixed.clone();
        for (key, pairs, slot) in [("where", &self.equal, Slot::Condition), ("data", &self.data, Slot::Data)] {
            if let Some(pairs) = pairs {
                let mut values = Map::new();
                for (column, template) in pairs {
                    if let Some(value) = template.resolve(slot, ask)? {
                        values.insert(column.clone(), value);
                    }
                }
                query.insert(key.to_owned(), Value::Object(values));
            }
        }
        if let Some(filter) = &self.filter {
            query.insert("filter".to_owned(), filter.build(ask)?);
        }
        for (key, template) in [("limit", &self.limit), ("offset", &self.offset)] {
            if let Some(value) = template.as_ref().map(|it| it.resolve(Slot::Number, ask)).transpose()?.flatten() {
                query.insert(key.to_owned(), value);
            }
        }
        Ok(Value::Object(query))
    }

    /// The field of the payload that a field of the query came from.
    pub(crate) fn origin(&self, field: &str) -> Option<String> {
        let found = self.sources().into_iter().find(|(key, _)| key == field);
        match found {
            Some((_, Source::Payload { path, .. })) => Some(path.join(".")),
            _ => None,
        }
    }

    /// Refuses an answer that is not as expected, with 409 `step_refused`.
    pub(crate) fn require(&self, answer: &Value) -> Result<()> {
        let Some(expect) = &self.expect else { return Ok(()) };
        let rows = match (self.action, &answer["data"]) {
            (QueryAction::Select, Value::Array(rows)) => rows.len() as u64,
            (QueryAction::Count, number) => number.as_u64().unwrap_or(0),
            _ => answer["rows_affected"].as_u64().unwrap_or(0),
        };
        let met = expect.rows.is_none_or(|exactly| rows == exactly)
            && expect.min.is_none_or(|min| rows >= min)
            && expect.max.is_none_or(|max| rows <= max);
        if met {
            return Ok(());
        }
        let message = expect.message.clone().unwrap_or_else(|| format!("{} did not find what it expects", self.name));
        Err(Error::new(Reason::StepRefused, message))
    }

    /// What callers see of an answer: the rows, the first of them, the number, the key, or how many rows were written.
    pub(crate) fn result(&self, answer: &Value) -> Value {
        match (self.action, answer.get("data")) {
            (QueryAction::Select, Some(Value::Array(rows))) if self.single => {
                rows.first().cloned().unwrap_or(Value::Null)
            }
            (QueryAction::Insert, data) => {
                let mut made = Map::new();
                made.insert("id".to_owned(), data.cloned().unwrap_or(Value::Null));
                if let Some(Value::Object(generated)) = answer.get("generated") {
                    made.extend(generated.clone());
                }
                Value::Object(made)
            }
            (QueryAction::Update | QueryAction::Delete, _) => json!({ "rows_affected": answer["rows_affected"] }),
            (_, data) => data.cloned().unwrap_or(Value::Null),
        }
    }
}

fn pairs(key: &str, pairs: Option<&Map<String, Value>>) -> Result<Option<Pairs>, (String, String)> {
    let Some(pairs) = pairs else { return Ok(None) };
    let parse = |(column, value): (&String, &Value)| match Template::parse(value) {
        Ok(template) => Ok((column.clone(), template)),
        Err(problem) => Err((format!("{key}.{column}"), problem)),
    };
    pairs.iter().map(parse).collect::<Result<_, _>>().map(Some)
}

impl Node {
    fn parse(value: &Value) -> Result<Self, String> {
        let Value::Object(fields) = value else { return Ok(Self::Fixed(value.clone())) };
        if let Some(Value::Array(nodes)) = fields.get("and").filter(|_| fields.len() == 1) {
            return Ok(Self::Nodes("and".to_owned(), nodes.iter().map(Self::parse).collect::<Result<_, _>>()?));
        }
        if let Some(Value::Array(nodes)) = fields.get("or").filter(|_| fields.len() == 1) {
            return Ok(Self::Nodes("or".to_owned(), nodes.iter().map(Self::parse).collect::<Result<_, _>>()?));
        }
        if let Some(node) = fields.get("not").filter(|_| fields.len() == 1) {
            return Ok(Self::Not(Box::new(Self::parse(node)?)));
        }
        if fields.contains_key("exists") {
            return Err("`exists` is for row rules; use joins".to_owned());
        }
        let mut fixed = fields.clone();
        let value = fixed.shift_remove("value");
        let listed = matches!(fields.get("op").and_then(Value::as_str), Some("in" | "not_in" | "between"));
        let slot = if listed { Slot::List } else { Slot::Condition };
        Ok(Self::Leaf { fixed, value: value.as_ref().map(Template::parse).transpose()?, slot })
    }

    fn build(&self, ask: Ask<'_>) -> Result<Value> {
        Ok(match self {
            Self::Leaf { fixed, value, slot } => {
                let mut leaf = fixed.clone();
                if let Some(value) = value.as_ref().map(|value| value.resolve(*slot, ask)).transpose()?.flatten() {
                    leaf.insert("value".to_owned(), value);
                }
                Value::Object(leaf)
            }
            Self::Nodes(word, nodes) => {
                let nodes = nodes.iter().map(|node| node.build(ask)).collect::<Result<Vec<_>>>()?;
                Value::Object(Map::from_iter([(word.clone(), Value::Array(nodes))]))
            }
            Self::Not(node) => json!({ "not": node.build(ask)? }),
            Self::Fixed(value) => value.clone(),
        })
    }

    fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Leaf { value, .. } => value.iter().flat_map(Template::sources).collect(),
            Self::Nodes(_, nodes) => nodes.iter().flat_map(Self::sources).collect(),
            Self::Not(node) => node.sources(),
            Self::Fixed(_) => Vec::new(),
        }
    }
}
