//! Inserts, updates and deletes.

use std::sync::Arc;

use kernel::{Error, Principal, Reason, Result};
use sea_query::{CaseStatement, Condition, Expr};
use serde_json::{Map, Value as Json, json};
use store::{Change, Delete, Insert, Kind, Update, Value};

use super::{
    compare,
    condition::{self, shortened},
    plan::Slot,
    scope::{Scope, unknown_column},
    select::{Limits, capped},
};
use crate::{
    generate::{Generator, Made},
    request::Item,
    rules::{OWNER, RowIs, TableAccess, Visibility},
};

/// A write, ready to run but for the generated values that only the running transaction can tell.
pub(crate) struct Write {
    pub(crate) change: Change,
    pub(crate) access: Arc<TableAccess>,
    /// Values that are still missing.
    pub(crate) pending: Vec<Pending>,
    /// Generated values that an answer tells, by column.
    pub(crate) told: Vec<(usize, Json)>,
    pub(crate) warnings: Vec<String>,
}

/// A value that is missing: which column of the table's generated ones, and where it belongs in the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) generator: usize,
    pub(crate) slot: usize,
}

/// A value for a column.
type Assigned = (usize, Value);
/// What a column becomes.
type Assignment = (usize, Expr);

/// Compiles an insert of one row. Errors: 400 that names the field, 403 `rule_denied`.
pub(crate) fn insert(scope: &Scope<'_>, item: &Item) -> Result<Write> {
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
        let put_aside =
            target.access.generated.iter().any(|generator| generator.column.on_insert && generator.replaces(position));
        if open && !put_aside {
            values.push((position, value(scope, position, json)?));
        } else {
            stripped.push(table.columns[position].name.to_string());
        }
    }
    let forced = target.forced(scope.environment);
    let written: Vec<usize> = values.iter().map(|(position, _)| *position).collect();
    let given = |position| written.contains(&position) || forced.iter().any(|(other, _)| *other == position);
    let generated = Generated::new(scope, |generator| generator.column.on_insert, given)?;
    let nothing_left = values.is_empty() && forced.is_empty() && generated.values.is_empty();
    finish_stripping(&stripped, nothing_left, &mut warnings)?;
    let guard = target.guard(&written, scope.environment)?;
    values.extend(generated.values);
    for name in ["created_by", OWNER] {
        set_caller(scope, name, &mut values);
    }
    for (position, value) in forced {
        assign(&mut values, position, value);
    }
    let (columns, row): (Vec<_>, _) = values.into_iter().unzip();
    let pending = slots(generated.pending, &columns);
    let change = Change::Insert(Insert { table: Arc::clone(table), columns, rows: vec![row], guard });
    Ok(Write { change, access: Arc::clone(&target.access), pending, told: generated.told, warnings })
}

/// Compiles an update. Errors: 400 that names the field, 403 `rule_denied`.
pub(crate) fn update(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<Write> {
    let target = scope.target();
    let table = target.table();
    let mut warnings = Vec::new();
    let filter = rows(scope, item, limits)?;
    let data = item.data.as_ref().ok_or_else(|| Error::plain(Reason::FieldMissing).at("data"))?;
    let (mut set, stripped) = assignments(scope, data)?;
    let forced = target.forced(scope.environment);
    let written: Vec<usize> = set.iter().map(|(position, _)| *position).collect();
    let mut stamps = stamps(scope);
    stamps.extend(forced.iter().cloned());
    let given = |position| written.contains(&position) || stamps.iter().any(|(other, _)| *other == position);
    let generated = Generated::new(scope, |generator| generator.column.on_update, given)?;
    let nothing_left = set.is_empty() && forced.is_empty() && generated.values.is_empty();
    finish_stripping(&stripped, nothing_left, &mut warnings)?;
    let guard = target.guard(&written, scope.environment)?;
    for (position, value) in generated.values.into_iter().chain(stamps) {
        set.retain(|(other, _)| *other != position);
        set.push((position, Expr::Value(value.into())));
    }
    let limit = item.limit.map(|limit| capped(limit, limits.most, true, &mut warnings));
    let columns: Vec<usize> = set.iter().map(|(position, _)| *position).collect();
    let pending = slots(generated.pending, &columns);
    let change = Change::Update(Update { table: Arc::clone(table), set, filter, limit, guard });
    Ok(Write { change, access: Arc::clone(&target.access), pending, told: Vec::new(), warnings })
}

/// Compiles a delete.
pub(crate) fn delete(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<Write> {
    let mut warnings = Vec::new();
    let filter = rows(scope, item, limits)?;
    let limit = item.limit.map(|limit| capped(limit, limits.most, true, &mut warnings));
    let target = scope.target();
    let change = Change::Delete(Delete { table: Arc::clone(target.table()), filter, limit });
    Ok(Write { change, access: Arc::clone(&target.access), pending: Vec::new(), told: Vec::new(), warnings })
}

/// Values that toolkits have filled in.
struct Generated {
    /// With NULL in the place of those that are pending.
    values: Vec<Assigned>,
    /// Which of the table's generated columns are pending, with their positions.
    pending: Vec<(usize, usize)>,
    told: Vec<(usize, Json)>,
}

impl Generated {
    /// The values for those of the table's generated columns that apply and have no other value.
    fn new(scope: &Scope<'_>, applies: impl Fn(&Generator) -> bool, given: impl Fn(usize) -> bool) -> Result<Self> {
        let access = &scope.target().access;
        let mut generated = Self { values: Vec::new(), pending: Vec::new(), told: Vec::new() };
        for (index, generator) in access.generated.iter().enumerate().filter(|(_, generator)| applies(generator)) {
            let position = generator.position(&access.table)?;
            if given(position) {
                continue;
            }
            match generator.at_once(&access.table, scope.environment)? {
                Made::Nothing => {}
                Made::Later => {
                    generated.pending.push((index, position));
                    generated.values.push((position, Value::Null));
                }
                Made::Now(value, told) => {
                    generated.values.push((position, value));
                    if access.tells(position) {
                        generated.told.push((position, told));
                    }
                }
            }
        }
        Ok(generated)
    }
}

/// Where pending values belong among the columns that are written.
fn slots(pending: Vec<(usize, usize)>, columns: &[usize]) -> Vec<Pending> {
    let slot = |(generator, position)| {
        let slot = columns.iter().position(|column| *column == position)?;
        Some(Pending { generator, slot })
    };
    pending.into_iter().filter_map(slot).collect()
}

/// What an update notes about itself.
fn stamps(scope: &Scope<'_>) -> Vec<Assigned> {
    let table = scope.target().table();
    let mut stamps = Vec::new();
    set_caller(scope, "last_modified_by", &mut stamps);
    if let Some(position) = table.position("last_modified_at") {
        let now = Json::String(kernel::time::rfc3339(scope.environment.now));
        if let Ok(now) = table.columns[position].kind.accept(&now) {
            stamps.push((position, now));
        }
    }
    stamps
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
        let put_aside =
            target.access.generated.iter().any(|generator| generator.column.on_update && generator.replaces(position));
        let open = (target.rules_allow(position) && !put_aside).then_some(target.access.columns[position].write);
        let new = |json| value(scope, position, json).map(|value| Expr::Value(value.into()));
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

fn value(scope: &Scope<'_>, position: usize, json: &Json) -> Result<Value> {
    let table = scope.target().table();
    let column = &table.columns[position];
    if let Some(marks) = &scope.environment.marks {
        return Ok(marks.asked(json, &format!("data.{}", column.name), column, false));
    }
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
    let kind = &table.columns[position].kind;
    let Some(known) = caller(scope.environment.principal, kind) else { return };
    let marks = scope.environment.marks.as_ref();
    values.push((position, marks.map_or(known, |marks| marks.mark(Slot::Caller(kind.clone())))));
}

/// The caller as a column of a kind keeps it: the number, or the id. None where no user acts, or where it keeps neither.
pub(crate) fn caller(principal: &Principal, kind: &Kind) -> Option<Value> {
    let number = principal.user()?;
    kind.accept(&json!(number)).or_else(|_| kind.accept(&json!(principal.id))).ok()
}

fn assign(values: &mut Vec<Assigned>, position: usize, value: Value) {
    values.retain(|(other, _)| *other != position);
    values.push((position, value));
}
