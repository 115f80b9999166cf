//! Selects and counts.

use std::{collections::HashMap, sync::Arc};

use kernel::{Error, Reason, Result};
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, IntoIden, NullOrdering, Order, Query, SelectStatement};
use store::{Dialect, Kind, OutputColumn};

use super::{
    compare, condition,
    scope::{Resolved, Scope, Seen},
};
use crate::{
    request::{Direction, Item, Join, JoinType, OrderBy, join::Qualified},
    rules::canonical_table,
};

/// A select, ready to run.
pub(crate) struct Select {
    pub(crate) statement: SelectStatement,
    pub(crate) columns: Arc<[OutputColumn]>,
    pub(crate) warnings: Vec<String>,
}

/// How many rows a select may return.
pub(crate) struct Limits {
    /// When it does not say.
    pub(crate) default: u64,
    /// At the most.
    pub(crate) most: u64,
    /// Conditions at the most.
    pub(crate) conditions: u64,
}

/// Compiles a select. Errors: 400 that names the field, 403 `columns_denied`.
pub(crate) fn select(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<Select> {
    let mut warnings = Vec::new();
    let mut statement = Query::select();
    from(scope, item, limits, &mut statement)?;
    let chosen = chosen_columns(scope, item, &mut warnings)?;
    let columns = project(scope, &chosen, &mut statement, &mut warnings);
    for (index, order) in item.order_by.iter().flatten().enumerate() {
        order_by(scope, order, &mut statement).map_err(|error| error.at(format!("order_by[{index}].column")))?;
    }
    statement.limit(capped(item.limit.unwrap_or(limits.default), limits.most, item.limit.is_some(), &mut warnings));
    if let Some(offset) = offset_of(item)? {
        statement.offset(offset);
    }
    Ok(Select { statement, columns: columns.into(), warnings })
}

/// The rows that are skipped, where some are. Errors: 400.
pub(crate) fn offset_of(item: &Item) -> Result<Option<u64>> {
    match item.offset {
        Some(offset) if i64::try_from(offset).is_err() => {
            Err(Error::new(Reason::FieldInvalid, "offset is too large").at("offset"))
        }
        offset => Ok(offset.filter(|offset| *offset > 0)),
    }
}

/// The smaller of what is asked and what is allowed, with a warning where something was asked for.
pub(crate) fn capped(asked: u64, most: u64, explicit: bool, warnings: &mut Vec<String>) -> u64 {
    if asked <= most {
        return asked;
    }
    if explicit {
        warnings.push(format!("limit capped at {most}"));
    }
    most
}

/// Compiles a count.
pub(crate) fn count(scope: &Scope<'_>, item: &Item, limits: &Limits) -> Result<SelectStatement> {
    let mut statement = Query::select();
    statement.expr(Expr::col(Asterisk).count());
    from(scope, item, limits, &mut statement)?;
    Ok(statement)
}

/// FROM, JOIN and WHERE. With joins each table is cut down to the rows that exist for the caller before it is
/// joined, so that outer joins cannot tell of others.
fn from(scope: &Scope<'_>, item: &Item, limits: &Limits, statement: &mut SelectStatement) -> Result<()> {
    let joins = item.joins.as_deref().unwrap_or_default();
    let mut filter = condition::compile(scope, item, limits.conditions)?.unwrap_or_else(Condition::all);
    let rows = scope.rows_of(0, true);
    let target = scope.target().table();
    match rows {
        Some(rows) if !joins.is_empty() => {
            statement.from_subquery(cut_down(scope, 0, rows), Alias::new(&target.name));
        }
        rows => {
            statement.from(target.reference());
            if let Some(rows) = rows {
                filter = filter.add(rows);
            }
        }
    }
    for (index, join) in joins.iter().enumerate() {
        let on = join_condition(scope, join, index).map_err(|error| error.at(format!("joins[{index}].on")))?;
        let kind = match join.kind {
            JoinType::Inner => sea_query::JoinType::InnerJoin,
            JoinType::Left => sea_query::JoinType::LeftJoin,
            JoinType::Right => sea_query::JoinType::RightJoin,
        };
        let source = index + 1;
        let table = scope.sources[source].table();
        match scope.rows_of(source, true) {
            None => statement.join(kind, table.reference(), on),
            Some(rows) => {
                statement.join_subquery(kind, cut_down(scope, source, rows), Alias::new(&table.name).into_iden(), on)
            }
        };
    }
    if !filter.is_empty() {
        statement.cond_where(filter);
    }
    Ok(())
}

fn cut_down(scope: &Scope<'_>, source: usize, rows: Condition) -> SelectStatement {
    let table = scope.sources[source].table();
    let mut select = Query::select();
    select.column(Asterisk).from(table.reference()).cond_where(rows);
    select
}

/// Every column of the condition must be one that the caller may see, in a table of the query so far.
fn join_condition(scope: &Scope<'_>, join: &Join, index: usize) -> Result<Condition> {
    let mut on = Condition::all();
    let mut touches = false;
    for (left, right) in &join.on.0 {
        let (left, right) = (side(scope, left, index)?, side(scope, right, index)?);
        touches |= left.source == index + 1 || right.source == index + 1;
        if std::mem::discriminant(&scope.column(left).kind) != std::mem::discriminant(&scope.column(right).kind) {
            return Err(Error::new(Reason::JoinInvalid, "The columns of the join hold different types"));
        }
        on = on.add(scope.visible(left).eq(scope.visible(right)));
    }
    if touches {
        Ok(on)
    } else {
        Err(Error::new(Reason::JoinInvalid, "The join condition does not name the joined table"))
    }
}

fn side(scope: &Scope<'_>, name: &Qualified, index: usize) -> Result<Resolved> {
    let at = scope.resolve(&format!("{}.{}", canonical_table(&name.table), name.column))?;
    if at.source > index + 1 {
        return Err(Error::new(Reason::JoinInvalid, "The join condition names a table that is joined later"));
    }
    Ok(at)
}

/// The columns of the answer: those asked for, or all; without those that may not be seen.
fn chosen_columns(scope: &Scope<'_>, item: &Item, warnings: &mut Vec<String>) -> Result<Vec<Resolved>> {
    let mut chosen = Vec::new();
    let mut stripped = Vec::new();
    let mut take = |at: Resolved, asked: bool| {
        let source = &scope.sources[at.source];
        match source.seen(at.position, scope.environment) {
            Seen::Nowhere if asked => stripped.push(scope.column(at).name.to_string()),
            Seen::Nowhere => {}
            _ if chosen.contains(&at) => {}
            _ => chosen.push(at),
        }
    };
    match &item.columns {
        Some(names) => {
            if names.is_empty() || names.len() > 500 {
                return Err(Error::new(Reason::FieldInvalid, "columns lists 1 to 500 columns").at("columns"));
            }
            for (index, name) in names.iter().enumerate() {
                take(scope.find(name).map_err(|error| error.at(format!("columns[{index}]")))?, true);
            }
        }
        None => {
            for (source, entry) in scope.sources.iter().enumerate() {
                (0..entry.table().columns.len()).for_each(|position| take(Resolved { source, position }, false));
            }
        }
    }
    if !stripped.is_empty() {
        warnings.push(format!("columns stripped: {}", stripped.join(", ")));
    }
    if chosen.is_empty() { Err(Error::plain(Reason::ColumnsDenied).at("columns")) } else { Ok(chosen) }
}

/// Adds the columns to the statement and names them in the answer; a name that clashes is qualified.
fn project(
    scope: &Scope<'_>,
    chosen: &[Resolved],
    statement: &mut SelectStatement,
    warnings: &mut Vec<String>,
) -> Vec<OutputColumn> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for at in chosen {
        *times.entry(&*scope.column(*at).name).or_default() += 1;
    }
    let mut flags = Vec::new();
    let mut clashing: Vec<String> = Vec::new();
    let mut partly: Vec<&str> = Vec::new();
    let mut output = Vec::with_capacity(chosen.len());
    for at in chosen {
        let (column, source) = (scope.column(*at), &scope.sources[at.source]);
        statement.expr(compare::readable(column, scope.visible(*at)));
        let mut out = if times[&*column.name] > 1 {
            let qualified = format!("{}.{}", source.table().name, column.name);
            let out = OutputColumn::new(&qualified, column.kind.clone());
            clashing.push(qualified);
            out
        } else {
            source.table().output(at.position)
        };
        if let Seen::Where(flag) = source.seen(at.position, scope.environment) {
            out = out.shown_by(chosen.len() + flags.len());
            flags.push(flag);
            partly.push(&column.name);
        }
        output.push(out);
    }
    statement.exprs(flags);
    if !clashing.is_empty() {
        warnings.push(format!("columns with one name are qualified: {}", clashing.join(", ")));
    }
    if !partly.is_empty() {
        warnings.push(format!("columns hidden in some rows: {}", partly.join(", ")));
    }
    output
}

/// One column of the order, NULL below everything as on the databases that do so by themselves.
fn order_by(scope: &Scope<'_>, order: &OrderBy, statement: &mut SelectStatement) -> Result<()> {
    let at = scope.resolve(&order.column)?;
    let column = scope.column(at);
    if matches!(column.kind, Kind::Json) {
        return Err(Error::new(Reason::FieldInvalid, "A JSON column has no order"));
    }
    let expr = compare::collated(scope.dialect(), column, scope.visible(at));
    let (direction, nulls) = match order.direction {
        Direction::Asc => (Order::Asc, NullOrdering::First),
        Direction::Desc => (Order::Desc, NullOrdering::Last),
    };
    let may_be_null = column.nullable || scope.sources.len() > 1;
    if scope.dialect() == Dialect::Postgres && may_be_null {
        statement.order_by_expr_with_nulls(expr, direction, nulls);
    } else {
        statement.order_by_expr(expr, direction);
    }
    Ok(())
}
