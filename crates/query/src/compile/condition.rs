//! The conditions of a request.

use kernel::{Error, Reason, Result};
use sea_query::{Condition, Expr};
use serde_json::Value as Json;
use store::Value;

use super::{
    compare::{self, Operands},
    scope::{Resolved, Scope},
};
use crate::request::{
    Filter, Item, Op,
    filter::{MAX_DEPTH, MAX_LIST, MAX_VALUES},
};

/// `where` and `filter` of a request together; none where there is neither.
///
/// Errors: 400 that names the field.
pub(crate) fn compile(scope: &Scope<'_>, item: &Item, most: u64) -> Result<Option<Condition>> {
    let pairs = item.equal.as_ref().map_or(0, serde_json::Map::len);
    let leaves = pairs + item.filter.as_ref().map_or(0, Filter::leaves);
    if leaves as u64 > most {
        let message = format!("The query has {leaves} conditions, {most} are allowed");
        return Err(Error::new(Reason::TooManyConditions, message).at("filter"));
    }
    let values = pairs + item.filter.as_ref().map_or(0, Filter::values);
    if values > MAX_VALUES {
        let message = format!("The query compares with {values} values, {MAX_VALUES} are allowed");
        return Err(Error::new(Reason::TooManyConditions, message).at("filter"));
    }
    if item.filter.as_ref().is_some_and(|filter| filter.depth() > MAX_DEPTH) {
        return Err(Error::plain(Reason::FilterTooDeep).at("filter"));
    }
    let mut all = Condition::all();
    for (name, value) in item.equal.iter().flatten() {
        let field = format!("where.{}", shortened(name));
        if !is_scalar(value) {
            return Err(Error::new(Reason::ValueInvalid, "where compares with a single value").at(field));
        }
        all = all.add(leaf(scope, name, Op::Eq, Some(value), &field).map_err(|error| error.at(&*field))?);
    }
    if let Some(filter) = &item.filter {
        all = all.add(node(scope, filter, "filter")?);
    }
    Ok((!all.is_empty()).then_some(all))
}

fn is_scalar(value: &Json) -> bool {
    !value.is_array() && !value.is_object()
}

/// A stranger's name, no longer than a name can be.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn node(scope: &Scope<'_>, filter: &Filter, path: &str) -> Result<Condition> {
    let inner = |nodes: &[Filter], word: &str, start: Condition| {
        nodes
            .iter()
            .enumerate()
            .try_fold(start, |all, (index, child)| Ok(all.add(node(scope, child, &format!("{path}.{word}[{index}]"))?)))
    };
    match filter {
        Filter::And(nodes) => inner(nodes, "and", Condition::all()),
        Filter::Or(nodes) => inner(nodes, "or", Condition::any()),
        Filter::Not(child) => Ok(node(scope, child, &format!("{path}.not"))?.not()),
        Filter::Leaf { column, op, value } => {
            let leaf = leaf(scope, column, *op, value.as_ref(), path).map_err(|error| error.at(path))?;
            Ok(Condition::all().add(leaf))
        }
        Filter::Exists(_) => {
            let message = "exists is for row rules; a query reaches other tables by joins";
            Err(Error::new(Reason::FilterInvalid, message).at(format!("{path}.exists")))
        }
    }
}

fn leaf(scope: &Scope<'_>, name: &str, op: Op, value: Option<&Json>, field: &str) -> Result<Expr> {
    let at = scope.resolve(name)?;
    let unfit = |error: String| Error::new(Reason::ValueInvalid, format!("Column {}: {error}", scope.column(at).name));
    let column = scope.column(at);
    let target = scope.visible(at);
    if matches!(op, Op::Like | Op::NotLike) {
        let value = value.unwrap_or(&Json::Null);
        let pattern = match &scope.environment.marks {
            Some(marks) if value.is_string() => marks.asked(value, field, column, true),
            _ => Value::from(compare::pattern(value).map_err(unfit)?),
        };
        let Value::Text(pattern) = pattern else { return Err(unfit("like takes a text pattern".into())) };
        return compare::like(scope.dialect(), column, target, pattern, op == Op::NotLike).map_err(unfit);
    }
    let operands = match value {
        None => Operands::None,
        Some(Json::Array(values)) if values.len() <= MAX_LIST => Operands::Many(
            values.iter().map(|value| operand(scope, at, value, field)).collect::<Result<_, _>>().map_err(unfit)?,
        ),
        Some(Json::Null) => Operands::One(None),
        Some(value) => Operands::One(Some(operand(scope, at, value, field).map_err(unfit)?)),
    };
    compare::leaf(scope.dialect(), column, target, op, operands).map_err(unfit)
}

fn operand(scope: &Scope<'_>, at: Resolved, value: &Json, field: &str) -> Result<Expr, String> {
    let column = scope.column(at);
    let value = match &scope.environment.marks {
        Some(marks) => marks.asked(value, field, column, false),
        None => compare::value(scope.dialect(), &column.kind, value)?,
    };
    Ok(compare::operand(scope.dialect(), &column.kind, value))
}
