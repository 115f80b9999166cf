//! Texts that begin with `$`: what they stand for when a query runs.

use std::time::Duration;

use kernel::{Error, Reason, Result, Span, time::Timestamp};
use serde_json::{Map, Value, json};

use crate::{context::Context, reading::nearest};

/// Values that one placeholder for a list may stand for.
const MOST_VALUES: usize = 1_000;
/// Names that no query may have, because they stand for something else.
pub(crate) const RESERVED: [&str; 9] =
    ["payload", "user_id", "username", "power", "toolkit_group", "request_id", "now", "today", "db_context"];

/// A value of a query: fixed, or known when it runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// As the file has it.
    Fixed(Value),
    /// What a placeholder stands for.
    Source(Source),
    /// Several.
    List(Vec<Self>),
    /// Several with names, as JSON columns take them.
    Object(Vec<(String, Self)>),
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A field of the payload, by its path; all of it where the path is empty.
    Payload {
        path: Vec<String>,
        optional: bool,
    },
    UserId,
    Username,
    Power,
    ToolkitGroup,
    RequestId,
    /// The moment of the call, so much later or earlier.
    Now(Shift),
    /// Its date in UTC.
    Today(Shift),
    /// What an earlier query answered.
    Answer {
        query: String,
        column: String,
    },
}

/// Some time later, or earlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shift {
    span: Duration,
    back: bool,
}

/// Where in a query a value stands, which decides what may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// What a column is compared with: a single value that is not null.
    Condition,
    /// What is compared with by `in`: a list of such values.
    List,
    /// What is written: anything that its column takes.
    Data,
    /// A whole number that is not negative.
    Number,
}

/// An answer that a later query may speak of.
pub(crate) struct Known<'a> {
    pub(crate) name: &'a str,
    pub(crate) answer: &'a Value,
}

/// All that placeholders can stand for at one moment.
pub(crate) struct Scope<'a> {
    pub(crate) context: &'a Context,
    pub(crate) now: Timestamp,
    pub(crate) answers: &'a [Known<'a>],
}

impl Template {
    /// Reads a value of the file. Errors: what is wrong with a placeholder in it.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) if text.starts_with("$$") => Self::Fixed(json!(text[1..])),
            Value::String(text) if text.starts_with('$') => Self::Source(Source::parse(text)?),
            Value::Array(values) => Self::List(values.iter().map(Self::parse).collect::<Result<_, _>>()?),
            // A date of TOML has a form of its own.
            Value::Object(fields) => match fields.get("$__toml_private_datetime") {
                Some(date) => Self::Fixed(date.clone()),
                None => Self::Object(
                    fields
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), Self::parse(value)?)))
                        .collect::<Result<_, String>>()?,
                ),
            },
            other => Self::Fixed(other.clone()),
        })
    }

    /// The placeholders in it.
    pub(crate) fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Source(source) => vec![source],
            Self::List(list) => list.iter().flat_map(Self::sources).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, field)| field.sources()).collect(),
        }
    }

    /// The value; none where the placeholder is optional and there is nothing for it.
    pub(crate) fn resolve(
        &self,
        slot: Slot,
        ask: &dyn Fn(&Source, Slot) -> Result<Option<Value>>,
    ) -> Result<Option<Value>> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Source(source) => ask(source, slot),
            Self::List(list) => {
                let inner = if slot == Slot::List { Slot::Condition } else { slot };
                let values = list.iter().map(|template| Ok(template.resolve(inner, ask)?.unwrap_or(Value::Null)));
                Ok(Some(Value::Array(values.collect::<Result<_>>()?)))
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (name, template) in fields {
                    if let Some(value) = template.resolve(slot, ask)? {
                        object.insert(name.clone(), value);
                    }
                }
                Ok(Some(Value::Object(object)))
            }
        }
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('$').unwrap_or(text);
        if let Some(rest) = name.strip_prefix("payload") {
            let (rest, optional) = rest.strip_suffix('?').map_or((rest, false), |rest| (rest, true));
            let path = match rest.strip_prefix('.') {
                Some(path) => path.split('.').map(str::to_owned).collect(),
                None if rest.is_empty() => Vec::new(),
                None => return Err(unknown(text)),
            };
            let whole: &Vec<String> = &path;
            if whole.iter().any(String::is_empty) {
                return Err(format!("{text} is no field; write $payload.<field>"));
            }
            return Ok(Self::Payload { path, optional });
        }
        match name {
            "user_id" => return Ok(Self::UserId),
            "username" => return Ok(Self::Username),
            "power" => return Ok(Self::Power),
            "toolkit_group" => return Ok(Self::ToolkitGroup),
            "request_id" => return Ok(Self::RequestId),
            _ => {}
        }
        for (word, make) in [("now", Self::Now as fn(Shift) -> Self), ("today", Self::Today)] {
            match name.strip_prefix(word).map(|rest| (rest, rest.starts_with(['+', '-']))) {
                Some(("", _)) => return Ok(make(Shift::default())),
                Some((rest, true)) => return Shift::parse(rest).map(make),
                _ => {}
            }
        }
        match name.split_once('.') {
            Some((query, column)) if kernel::identifier::is_identifier(query) && !column.is_empty() => {
                Ok(Self::Answer { query: query.to_owned(), column: column.to_owned() })
            }
            _ => Err(unknown(text)),
        }
    }

    /// What it stands for. Errors: 400 `field_missing`, `field_invalid` at the payload's field; 409 `step_refused` where
    /// an earlier query found nothing.
    pub(crate) fn value(&self, slot: Slot, scope: &Scope<'_>) -> Result<Option<Value>> {
        let context = scope.context;
        Ok(Some(match self {
            Self::Payload { path, optional } => return payload(context, path, *optional, slot),
            // No row belongs to the user 0, and none to null: a condition on a missing user finds nothing.
            Self::UserId if slot == Slot::Condition => json!(context.user_id.unwrap_or(0)),
            Self::UserId => json!(context.user_id),
            Self::Username => json!(context.username),
            Self::Power => json!(context.power),
            Self::ToolkitGroup => json!(context.toolkit_group.as_deref().unwrap_or_default()),
            Self::RequestId => json!(context.request_id),
            Self::Now(shift) => json!(kernel::time::rfc3339(shift.from(scope.now)?)),
            Self::Today(shift) => json!(shift.from(scope.now)?.strftime("%Y-%m-%d").to_string()),
            Self::Answer { query, column } => answered(scope, query, column, slot)?,
        }))
    }

    /// A value that may stand in its place, for a look at the form of a query.
    #[expect(clippy::unnecessary_wraps, reason = "it takes the place of a lookup")]
    pub(crate) fn sample(slot: Slot) -> Result<Option<Value>> {
        Ok(Some(match slot {
            Slot::Condition | Slot::Data => json!("x"),
            Slot::List => json!(["x"]),
            Slot::Number => json!(1),
        }))
    }
}

fn unknown(text: &str) -> String {
    let name = text.trim_start_matches('$').split(['.', '+', '-', '?']).next().unwrap_or_default();
    let hint = nearest(name, &RESERVED[..8]);
    format!("{text} stands for nothing; {hint} A text that begins with a dollar is written with two")
}

impl Shift {
    fn parse(text: &str) -> Result<Self, String> {
        let span: Span = text[1..].parse()?;
        Ok(Self { span: span.0, back: text.starts_with('-') })
    }

    fn from(self, now: Timestamp) -> Result<Timestamp> {
        let moved = if self.back { now.checked_sub(self.span) } else { now.checked_add(self.span) };
        moved.map_err(Error::internal)
    }
}

fn payload(context: &Context, path: &[String], optional: bool, slot: Slot) -> Result<Option<Value>> {
    let field = || path.join(".");
    let found = match path.split_first() {
        None => return Ok(Some(Value::Object(context.payload.clone()))),
        Some((first, rest)) => rest
            .iter()
            .try_fold(context.payload.get(first), |value, name| Some(value?.as_object()?.get(name)))
            .flatten(),
    };
    let invalid = |message: &str| Err(Error::new(Reason::FieldInvalid, message).at(field()));
    match (found, slot) {
        (None, _) | (Some(Value::Null), Slot::Condition | Slot::List | Slot::Number) if optional => Ok(None),
        (None, _) => Err(Error::new(Reason::FieldMissing, "This field is required").at(field())),
        (Some(Value::Object(_) | Value::Array(_) | Value::Null), Slot::Condition) => {
            invalid("The field has the wrong type: expected a single value")
        }
        (Some(Value::Array(values)), Slot::List) => {
            if values.len() > MOST_VALUES
                || values.iter().any(|value| value.is_object() || value.is_array() || value.is_null())
            {
                return invalid("The field has the wrong type: expected a list of single values");
            }
            Ok(found.cloned())
        }
        (Some(_), Slot::List) => invalid("The field has the wrong type: expected a list"),
        (Some(value), Slot::Number) => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            match number {
                Some(number) => Ok(Some(json!(number))),
                None => invalid("The field has the wrong type: expected a whole number that is not negative"),
            }
        }
        (Some(value), Slot::Condition | Slot::Data) => Ok(Some(value.clone())),
    }
}

fn answered(scope: &Scope<'_>, query: &str, column: &str, slot: Slot) -> Result<Value> {
    let refused = |what: String| Error::new(Reason::StepRefused, what);
    let known = scope.answers.iter().find(|known| known.name == query);
    let answer = known.ok_or_else(|| Error::internal(format!("{query} has not run")))?.answer;
    let data = answer.get("data");
    let value = match (column, data) {
        ("rows_affected", _) => answer.get("rows_affected"),
        (_, Some(Value::Array(rows))) => {
            let row = rows.first().ok_or_else(|| refused(format!("{query} found nothing")))?;
            row.get(column)
        }
        (_, Some(Value::Object(key))) => key.get(column),
        ("data" | "id", data) => data,
        _ => None,
    };
    let value = value.or_else(|| answer.get("generated")?.get(column));
    let value = value.ok_or_else(|| refused(format!("{query} has no {column} that may be seen")))?;
    if value.is_null() && slot != Slot::Data {
        return Err(refused(format!("{query} has no {column}")));
    }
    Ok(value.clone())
}

#[cfg(test)]
#[path = "placeholder_tests.rs"]
mod tests;
