//! Reads and inserts that were compiled before: the SQL text, and where each of its values comes from.
//!
//! A statement is compiled with a mark in the place of each value that another request or caller may have. Once the text is
//! built, the marks among its values tell the places; from then on a request of the same shape only fills them.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::AtomicUsize},
};

use kernel::{Error, Reason, Result};
use sea_query::SelectStatement;
use serde_json::Value as Json;
use store::{BuiltInsert, Change, Dialect, Kind, OutputColumn, Statement, Table, Value};

use super::{
    compare,
    select::{self, Limits},
    write,
};
use crate::{
    request::Item,
    rules::{Environment, Operand},
};

/// What a mark begins with. No value can: U+0000 is refused in texts.
const MARK: char = '\0';

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// The request.
    Asked(Asked),
    /// A row rule asks for it.
    Operand(Operand),
    /// The caller's number, in a code for one's own rows.
    Owner,
    /// The caller, as a system column of a kind keeps it.
    Caller(Kind),
}

/// A value of the request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Its place among the values of the shape.
    index: usize,
    /// The field that it is in, for refusals.
    field: String,
    column: String,
    kind: Kind,
    /// Whether it is the pattern of a `like`.
    pattern: bool,
}

/// Hands out marks while a statement is compiled.
pub(crate) struct Marks<'r> {
    values: &'r [&'r Json],
    slots: RefCell<Vec<Slot>>,
}

impl<'r> Marks<'r> {
    /// Marks for a statement with these values of a request.
    pub(crate) fn new(values: &'r [&'r Json]) -> Self {
        Self { values, slots: RefCell::default() }
    }

    /// A mark in the place of a value.
    pub(crate) fn mark(&self, slot: Slot) -> Value {
        let mut slots = self.slots.borrow_mut();
        slots.push(slot);
        Value::Text(format!("{MARK}{}", slots.len() - 1))
    }

    /// A mark in the place of a value of the request.
    pub(crate) fn asked(&self, value: &Json, field: &str, column: &store::Column, pattern: bool) -> Value {
        let index = self.values.iter().position(|known| std::ptr::eq(*known, value)).unwrap_or(usize::MAX);
        let (field, column, kind) = (field.to_owned(), column.name.to_string(), column.kind.clone());
        self.mark(Slot::Asked(Asked { index, field, column, kind, pattern }))
    }
}

/// A place in a compiled statement.
enum Place {
    Constant(sea_query::Value),
    Slot(Slot),
    Limit,
    Offset,
}

/// A statement with places for its values.
struct Template {
    sql: Arc<str>,
    places: Vec<Place>,
}

/// What the places of a statement are filled from.
pub(crate) struct Request<'r> {
    pub(crate) values: &'r [&'r Json],
    pub(crate) environment: &'r Environment<'r>,
    pub(crate) item: &'r Item,
    pub(crate) limits: &'r Limits,
}

impl Template {
    fn new(statement: Statement, slots: &[Slot]) -> Self {
        let places =
            statement.values.into_iter().map(|value| match marked(&value).and_then(|index| slots.get(index)) {
                Some(slot) => Place::Slot(slot.clone()),
                None => Place::Constant(value),
            });
        Self { sql: statement.sql, places: places.collect() }
    }

    fn fill(&self, request: &Request<'_>) -> Result<Statement> {
        let Request { values, environment, item, limits } = *request;
        let fill = |place: &Place| {
            Ok(match place {
                Place::Constant(value) => value.clone(),
                Place::Slot(Slot::Asked(asked)) => asked.value(environment.dialect, values)?.into(),
                Place::Slot(Slot::Operand(operand)) => operand.evaluate(environment).unwrap_or(Value::Null).into(),
                Place::Slot(Slot::Owner) => environment.principal.number.into(),
                Place::Slot(Slot::Caller(kind)) => {
                    write::caller(environment.principal, kind).unwrap_or(Value::Null).into()
                }
                Place::Limit => Ord::min(item.limit.unwrap_or(limits.default), limits.most).into(),
                Place::Offset => select::offset_of(item)?.unwrap_or_default().into(),
            })
        };
        let values = self.places.iter().map(fill).collect::<Result<_>>()?;
        Ok(Statement { sql: Arc::clone(&self.sql), values })
    }
}

/// A compiled read.
pub(crate) struct Plan {
    template: Template,
    pub(crate) columns: Arc<[OutputColumn]>,
    pub(crate) warnings: Vec<String>,
    /// Bytes of the last answer: the next one is likely to be as large.
    pub(crate) size: AtomicUsize,
}

impl Plan {
    /// The plan of a statement that was compiled with these marks.
    pub(crate) fn new(
        dialect: Dialect,
        statement: &SelectStatement,
        marks: Marks<'_>,
        columns: Arc<[OutputColumn]>,
        warnings: Vec<String>,
    ) -> Self {
        let template = Template::new(dialect.select(statement), &marks.slots.into_inner());
        Self { template, columns, warnings, size: AtomicUsize::new(0) }
    }

    /// Says that the last places are the limit and, where there is one, the offset.
    pub(crate) fn limited(mut self, offset: bool) -> Self {
        let places = &mut self.template.places;
        places.truncate(places.len() - 1 - usize::from(offset));
        places.push(Place::Limit);
        if offset {
            places.push(Place::Offset);
        }
        self
    }

    /// The statement for one request. Errors: 400 `value_invalid` that names the field.
    pub(crate) fn fill(&self, request: &Request<'_>) -> Result<Statement> {
        self.template.fill(request)
    }
}

/// A compiled insert of one row.
pub(crate) struct InsertPlan {
    pub(crate) table: Arc<Table>,
    insert: Template,
    guard: Option<Template>,
    pub(crate) warnings: Vec<String>,
}

impl InsertPlan {
    /// The plan of an insert that was compiled with these marks.
    pub(crate) fn new(built: BuiltInsert, marks: Marks<'_>, warnings: Vec<String>) -> Self {
        let slots = marks.slots.into_inner();
        let BuiltInsert { table, insert, guard } = built;
        let guard = guard.map(|guard| Template::new(guard, &slots));
        Self { table, insert: Template::new(insert, &slots), guard, warnings }
    }

    /// The change for one request. Errors: 400 `value_invalid` that names the field.
    pub(crate) fn fill(&self, request: &Request<'_>) -> Result<Change> {
        Ok(Change::Row(BuiltInsert {
            table: Arc::clone(&self.table),
            insert: self.insert.fill(request)?,
            guard: self.guard.as_ref().map(|guard| guard.fill(request)).transpose()?,
        }))
    }
}

impl Asked {
    fn value(&self, dialect: Dialect, values: &[&Json]) -> Result<Value> {
        let unfit = |error: String| {
            Error::new(Reason::ValueInvalid, format!("Column {}: {error}", self.column)).at(&*self.field)
        };
        let value =
            values.get(self.index).ok_or_else(|| Error::internal("a compiled read asks for a value too many"))?;
        if self.pattern {
            return compare::pattern(value).map(|pattern| Value::Text(pattern.to_owned())).map_err(unfit);
        }
        compare::value(dialect, &self.kind, value).map_err(unfit)
    }
}

fn marked(value: &sea_query::Value) -> Option<usize> {
    match value {
        sea_query::Value::String(Some(text)) => text.strip_prefix(MARK)?.parse().ok(),
        _ => None,
    }
}
