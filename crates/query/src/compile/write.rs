//! Inserts, updates and deletes.

use std::sync::Arc;

use kernel::{Error, Reason, Result};
use sea_query::{CaseStatement, Condition, Expr};
use serde_json::{Map, Value as Json, json};
use store::{Delete, Guard, Insert, Table, Update, Value};

use super::{
    compare,
    condition::{self, shortened},
    scope::{Scope, unknown_column},
    select::{Limits, capped},
};
use crate::{
    request::Item,
    rules::{OWNER, RowIs, Visibility},
};

/// A value for a column.
type Assigned = (usize, Value);
/// What a column becomes.
type Assignment = (usize, Expr);

/// Compiles an insert of one row. Errors: 400 that names the field, 403 `rule_denied`.
pub(crate) fn insert(scope: &Scope<'_>, item: &Item) -> Result<(Insert, Vec<String>)> {
    let target = scope.target();
    let table = target.table();
    let mut warnings = Vec::new();
    let data = item.data.as_ref().ok_or_else(|| Error::plain(Reason::FieldMissing).at("data"))?;
    let mut values = Vec::new();
    let mut stripped = Vec::new();
    for (name, json) in data {
        let position = writable_name(scope, name)?;
        // The row will be the caller's own.
        let open = match target.access.columns[position].write {
            Visibility::Yes | Visibility::OnlyIf(_) => target.rules_allow(position),
            Visibility::No | Visibility::Unless(_) => false,
        };
        if open {
            values.push((position, value(table, position, json)?));
        } else {
            stripped.push(table.columns[position].name.to_string());
        }
    }
    let forced = target.forced(scope.environment);
    let written: Vec<usize> = values.iter().map(|(position, _)| *position).collect();
    finish_stripping(&stripped, values.is_empty() && forced.is_empty(), &mut warnings)?;
    let guard = target.guard(&written, scope.environment)?.map(Guard);
    for name in ["created_by", OWNER] {
        set_caller(scope, name, &mut values);
    }
    for (position, value) in forced {
        assign(&mut values, position, value);
    }
    let (columns, row) = values.into_iter().unzip();
    Ok((Insert { table: Arc::clone(table), columns, rows: vec![row], guard }, warnings))
}

/// Compiles an update. Errors: 400 that names the field, 403 `rule_denied`.
pub(crate) fn update(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<(Update, Vec<String>)> {
    let target = scope.target();
    let table = target.table();
    let mut warnings = Vec::new();
    let filter = rows(scope, item, limits)?;
    let data = item.data.as_ref().ok_or_else(|| Error::plain(Reason::FieldMissing).at("data"))?;
    let (mut set, stripped) = assignments(scope, data)?;
    let forced = target.forced(scope.environment);
    finish_stripping(&stripped, set.is_empty() && forced.is_empty(), &mut warnings)?;
    let written: Vec<usize> = set.iter().map(|(position, _)| *position).collect();
    let guard = target.guard(&written, scope.environment)?.map(Guard);
    let mut stamps = Vec::new();
    set_caller(scope, "last_modified_by", &mut stamps);
    if let Some(position) = table.position("last_modified_at") {
        let now = Json::String(kernel::time::rfc3339(scope.environment.now));
        if let Ok(now) = table.columns[position].kind.accept(&now) {
            stamps.push((position, now));
        }
    }
    for (position, value) in stamps.into_iter().chain(forced) {
        set.retain(|(other, _)| *other != position);
        set.push((position, Expr::Value(value.into())));
    }
    let limit = item.limit.map(|limit| capped(limit, limits.most, true, &mut warnings));
    Ok((Update { table: Arc::clone(table), set, filter, limit, guard }, warnings))
}

/// Compiles a delete.
pub(crate) fn delete(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<(Delete, Vec<String>)> {
    let mut warnings = Vec::new();
    let filter = rows(scope, item, limits)?;
    let limit = item.limit.map(|limit| capped(limit, limits.most, true, &mut warnings));
    Ok((Delete { table: Arc::clone(scope.target().table()), filter, limit }, warnings))
}

/// The rows an update or delete is about: those of the condition that exist for the caller.
fn rows(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<Condition> {
    let condition = condition::compile(scope, item, limits.conditions)?;
    let condition = condition.ok_or_else(|| Error::plain(Reason::WhereRequired).at("where"))?;
    Ok(match scope.rows_of(0, false) {
        Some(reach) => Condition::all().add(condition).add(reach),
        None => condition,
    })
}

/// What an update assigns. A column that is open in some rows only keeps its value in the others.
fn assignments(scope: &Scope<'_>, data: &Map<String, Json>) -> Result<(Vec<Assignment>, Vec<String>)> {
    let target = scope.target();
    let table = target.table();
    let owner = target.access.owner.map(|position| table.col(None, position));
    let mut set = Vec::new();
    let mut stripped = Vec::new();
    for (name, json) in data {
        let position = writable_name(scope, name)?;
        let open = target.rules_allow(position).then_some(target.access.columns[position].write);
        let new = |json| value(table, position, json).map(|value| Expr::Value(value.into()));
        let is = |owner: &Expr, what: RowIs| scope.environment.row_is(owner.clone(), what);
        let kept = || table.col(None, position);
        match (open.unwrap_or(Visibility::No), &owner) {
            (Visibility::Yes, _) | (Visibility::Unless(_), None) => set.push((position, new(json)?)),
            (Visibility::Unless(what), Some(owner)) => {
                let case = CaseStatement::new().case(is(owner, what), kept()).finally(new(json)?);
                set.push((position, case.into()));
            }
            (Visibility::OnlyIf(what), Some(owner)) => {
                let case = CaseStatement::new().case(is(owner, what), new(json)?).finally(kept());
                set.push((position, case.into()));
            }
            (Visibility::No, _) | (Visibility::OnlyIf(_), None) => {
                stripped.push(table.columns[position].name.to_string());
            }
        }
    }
    Ok((set, stripped))
}

/// The position of a column that a request writes. Errors: 400 `unknown_column`.
fn writable_name(scope: &Scope<'_>, name: &str) -> Result<usize> {
    let table = scope.target().table();
    table.position(name).ok_or_else(|| unknown_column(name).at(format!("data.{}", shortened(name))))
}

fn value(table: &Table, position: usize, json: &Json) -> Result<Value> {
    let column = &table.columns[position];
    compare::value(table.dialect, &column.kind, json).map_err(|error| {
        Error::new(Reason::ValueInvalid, format!("Column {}: {error}", column.name)).at(format!("data.{}", column.name))
    })
}

fn finish_stripping(stripped: &[String], nothing_left: bool, warnings: &mut Vec<String>) -> Result<()> {
    if nothing_left {
        return Err(Error::plain(Reason::NothingToWrite).at("data"));
    }
    if !stripped.is_empty() {
        warnings.push(format!("columns stripped: {}", stripped.join(", ")));
    }
    Ok(())
}

/// Sets a system column to the caller, unless a caller with that right has given it himself.
fn set_caller(scope: &Scope<'_>, name: &str, values: &mut Vec<Assigned>) {
    let table = scope.target().table();
    let Some(position) = table.position(name) else { return };
    if values.iter().any(|(other, _)| *other == position) {
        return;
    }
    let principal = scope.environment.principal;
    let Some(number) = principal.user() else { return };
    let kind = &table.columns[position].kind;
    let caller = kind.accept(&json!(number)).or_else(|_| kind.accept(&json!(principal.id)));
    if let Ok(caller) = caller {
        values.push((position, caller));
    }
}

fn assign(values: &mut Vec<Assigned>, position: usize, value: Value) {
    values.retain(|(other, _)| *other != position);
    values.push((position, value));
}
