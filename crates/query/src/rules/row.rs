//! Row rules compiled: which rows, written once and filled in for each caller.

use std::sync::Arc;

use kernel::{Principal, RequestId, time::Timestamp};
use sea_query::{Alias, Condition, Expr, ExprTrait, Query, TableRef};
use serde_json::{Value as Json, json};
use store::{Dialect, Kind, Schema, Table, Value};

use super::{RowIs, RuleSource, book::RuleAction, table::canonical_table};
use crate::{
    compile::{
        compare::{self, Operands},
        plan::{Marks, Slot},
    },
    request::{Filter, Op},
};

/// A row rule for one table.
#[derive(Debug)]
pub struct RowRule {
    /// What to call it in front of people.
    pub label: String,
    /// What it allows.
    pub actions: Vec<RuleAction>,
    /// Positions of the columns it allows; all when none.
    pub columns: Option<Vec<usize>>,
    /// Columns with values that are forced on insert and update.
    pub set: Vec<(usize, Operand)>,
    when: Option<Test>,
}

/// A condition with places for the caller.
#[derive(Debug)]
enum Test {
    Compare { table: Place, column: usize, op: Op, operands: Vec<Operand>, listed: bool },
    Like { table: Place, column: usize, pattern: String, not: bool },
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Exists { table: Arc<Table>, alias: String, tests: Vec<Self> },
}

/// The table a column is of: the rule's own, or one that `exists` looks at under an alias.
#[derive(Debug, Clone)]
struct Place {
    table: Arc<Table>,
    alias: Option<String>,
}

/// A value in a rule.
#[derive(Debug, Clone)]
pub enum Operand {
    /// As it is written.
    Constant(Value),
    /// NULL.
    Null,
    /// Something of the caller.
    Principal(Field, Kind),
    /// A column of the row that the rule is about.
    Row(Arc<Table>, usize),
    /// Now.
    Now(Kind),
    /// The request's id.
    Request,
}

/// What a rule may ask of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The number.
    Id,
    /// The UUID.
    Uuid,
    /// The group's name.
    Group,
    /// The power.
    Power,
    /// The e-mail address.
    Email,
    /// The user name.
    Username,
}

/// What a statement is made for: the caller, the request and the moment.
pub(crate) struct Environment<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) request: RequestId,
    pub(crate) now: Timestamp,
    pub(crate) dialect: Dialect,
    pub(crate) members: Members,
    /// Where marks stand for the values of the caller and the request, if the statement is compiled for more than one.
    pub(crate) marks: Option<Marks<'a>>,
}

/// The numbers of the users in the caller's group.
#[derive(Clone)]
pub(crate) enum Members {
    /// A table beside the tenant's own that can be asked in the same statement.
    Table(TableRef),
    /// A list, where Insula's tables are in another database.
    Numbers(Vec<i64>),
}

impl Environment<'_> {
    /// The same for a statement that is compiled for all requests of a shape, with marks for these values of one.
    pub(crate) fn marking<'m>(&'m self, values: &'m [&'m Json]) -> Environment<'m> {
        let Self { principal, request, now, dialect, ref members, .. } = *self;
        Environment { principal, request, now, dialect, members: members.clone(), marks: Some(Marks::new(values)) }
    }

    /// Whether a row, told by its owner column, is so.
    pub(crate) fn row_is(&self, owner: Expr, what: RowIs) -> Expr {
        match (what, &self.members) {
            (RowIs::Own, _) => owner.eq(match &self.marks {
                Some(marks) => Expr::Value(marks.mark(Slot::Owner).into()),
                None => Expr::val(self.principal.number),
            }),
            (RowIs::Group, Members::Table(users)) => {
                let mut select = Query::select();
                select.column(Alias::new("number")).from(users.clone());
                select.and_where(Expr::col(Alias::new("group_id")).eq(self.principal.group.id));
                owner.in_subquery(select)
            }
            (RowIs::Group, Members::Numbers(numbers)) => owner.is_in(numbers.iter().copied()),
        }
    }
}

impl RowRule {
    /// Resolves all names of a rule. Errors say which field is wrong and why.
    pub fn compile(source: &RuleSource, table: &Arc<Table>, schema: &Schema) -> Result<Self, String> {
        let mut compiler = Compiler { schema, row: table, aliases: 0 };
        let place = Place { table: Arc::clone(table), alias: None };
        let when = source.when.as_ref().map(|filter| compiler.test(filter, &place)).transpose();
        let position =
            |name: &String| table.position(name).ok_or_else(|| format!("table {} has no column {name:?}", table.name));
        let columns = source.columns.as_ref().map(|names| names.iter().map(position).collect::<Result<Vec<_>, _>>());
        let set = source.set.iter().map(|(name, value)| {
            let column = position(name)?;
            let operand = read_operand(table, &table.columns[column].kind, value)?;
            if matches!(operand, Operand::Row(..)) {
                return Err(format!("{name} cannot be set to another column"));
            }
            Ok((column, operand))
        });
        Ok(Self {
            label: source.label(),
            actions: source.actions.clone(),
            columns: columns.transpose().map_err(|error| format!("columns: {error}"))?,
            set: set.collect::<Result<_, String>>().map_err(|error| format!("set: {error}"))?,
            when: when.map_err(|error| format!("when: {error}"))?,
        })
    }

    /// Whether it allows a column.
    pub fn allows_column(&self, position: usize) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.contains(&position))
    }

    /// The condition on rows for a caller; none where every row will do.
    pub(crate) fn condition(&self, environment: &Environment<'_>) -> Option<Condition> {
        self.when.as_ref().map(|test| Condition::all().add(test.build(environment)))
    }
}

impl Operand {
    /// The value for a caller, or a mark in its place; none for a column of the row.
    pub(crate) fn value(&self, environment: &Environment<'_>) -> Option<Value> {
        match (&environment.marks, self) {
            (Some(marks), Self::Principal(..) | Self::Now(_) | Self::Request) => {
                Some(marks.mark(Slot::Operand(self.clone())))
            }
            _ => self.evaluate(environment),
        }
    }

    /// The value for a caller; none for a column of the row.
    pub(crate) fn evaluate(&self, environment: &Environment<'_>) -> Option<Value> {
        let principal = environment.principal;
        Some(match self {
            Self::Constant(value) => value.clone(),
            Self::Null => Value::Null,
            Self::Row(..) => return None,
            Self::Request => Value::Text(environment.request.to_string()),
            Self::Now(kind) => {
                let now = Json::String(kernel::time::rfc3339(environment.now));
                kind.accept(&now).unwrap_or(Value::Null)
            }
            Self::Principal(field, kind) => {
                let value = match field {
                    Field::Id => json!(principal.number),
                    Field::Uuid => json!(principal.id),
                    Field::Group => json!(principal.group.name),
                    Field::Power => json!(principal.group.power),
                    Field::Email => json!(principal.email),
                    Field::Username => json!(principal.username),
                };
                // A number compared with a text column is its digits.
                let text = || kind.accept(&Json::String(value.to_string())).unwrap_or(Value::Null);
                kind.accept(&value).unwrap_or_else(|_| text())
            }
        })
    }
}

impl Test {
    fn build(&self, environment: &Environment<'_>) -> Expr {
        match self {
            Self::And(tests) => all(tests, environment).into(),
            Self::Or(tests) => tests.iter().fold(Condition::any(), |any, test| any.add(test.build(environment))).into(),
            Self::Not(test) => test.build(environment).not(),
            Self::Exists { table, alias, tests } => {
                let mut select = Query::select();
                select.expr(Expr::val(1)).from(table.reference().alias(Alias::new(alias.as_str())));
                select.cond_where(all(tests, environment));
                Expr::exists(select)
            }
            Self::Like { table, column, pattern, not } => {
                let target = table.col(*column);
                let definition = &table.table.columns[*column];
                compare::like(environment.dialect, definition, target, pattern.clone(), *not).unwrap_or_else(never)
            }
            Self::Compare { table, column, op, operands, listed } => {
                let definition = &table.table.columns[*column];
                let expr = |operand: &Operand| match operand {
                    Operand::Row(row, position) => row.col(None, *position),
                    other => {
                        let value = other.value(environment).unwrap_or(Value::Null);
                        compare::operand(environment.dialect, &definition.kind, value)
                    }
                };
                let operands = match operands.as_slice() {
                    [] => Operands::None,
                    [Operand::Null] => Operands::One(None),
                    many if *listed => Operands::Many(many.iter().map(expr).collect()),
                    [one, ..] => Operands::One(Some(expr(one))),
                };
                compare::leaf(environment.dialect, definition, table.col(*column), *op, operands).unwrap_or_else(never)
            }
        }
    }
}

/// What a broken test becomes: nothing passes.
fn never(_: String) -> Expr {
    Expr::val(1).eq(0)
}

fn all(tests: &[Test], environment: &Environment<'_>) -> Condition {
    tests.iter().fold(Condition::all(), |all, test| all.add(test.build(environment)))
}

impl Place {
    fn col(&self, position: usize) -> Expr {
        self.table.col(self.alias.as_deref(), position)
    }
}

/// Resolves the names of one rule.
struct Compiler<'a> {
    schema: &'a Schema,
    /// The table that the rule is about, `$row`.
    row: &'a Arc<Table>,
    aliases: usize,
}

impl Compiler<'_> {
    fn test(&mut self, filter: &Filter, place: &Place) -> Result<Test, String> {
        Ok(match filter {
            Filter::And(nodes) => Test::And(self.tests(nodes, place)?),
            Filter::Or(nodes) => Test::Or(self.tests(nodes, place)?),
            Filter::Not(node) => Test::Not(Box::new(self.test(node, place)?)),
            Filter::Leaf { column, op, value } => self.leaf(place, column, *op, value.as_ref())?,
            Filter::Exists(exists) => {
                let name = canonical_table(&exists.table);
                let table = self.schema.table(name).ok_or_else(|| format!("there is no table {name:?}"))?;
                self.aliases += 1;
                let alias = format!("_e{}", self.aliases);
                let inner = Place { table: Arc::clone(table), alias: Some(alias.clone()) };
                let mut tests = Vec::new();
                for (column, value) in &exists.equal {
                    tests.push(self.leaf(&inner, column, Op::Eq, Some(value))?);
                }
                if let Some(filter) = &exists.filter {
                    tests.push(self.test(filter, &inner)?);
                }
                Test::Exists { table: Arc::clone(table), alias, tests }
            }
        })
    }

    fn tests(&mut self, nodes: &[Filter], place: &Place) -> Result<Vec<Test>, String> {
        nodes.iter().map(|node| self.test(node, place)).collect()
    }

    fn leaf(&self, place: &Place, column: &str, op: Op, value: Option<&Json>) -> Result<Test, String> {
        let position = place
            .table
            .position(column)
            .ok_or_else(|| format!("table {} has no column {column:?}", place.table.name))?;
        let definition = &place.table.columns[position];
        let table = place.clone();
        if let (Op::Like | Op::NotLike, Some(Json::String(pattern))) = (op, value) {
            let (pattern, not) = (compare::pattern(&Json::String(pattern.clone()))?.to_owned(), op == Op::NotLike);
            compare::like(place.table.dialect, definition, place.col(position), pattern.clone(), not)?;
            return Ok(Test::Like { table, column: position, pattern, not });
        }
        let values: Vec<&Json> = match value {
            Some(Json::Array(values)) => values.iter().collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        };
        let read = |value: &Json| {
            read_operand(self.row, &definition.kind, value).map_err(|error| format!("{column}: {error}"))
        };
        let operands = values.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Test::Compare { table, column: position, op, operands, listed: matches!(value, Some(Json::Array(_))) })
    }
}

/// Reads a value of a rule: a constant of the column's kind, or a `$word`.
fn read_operand(row: &Arc<Table>, kind: &Kind, value: &Json) -> Result<Operand, String> {
    let word = match value {
        Json::Null => return Ok(Operand::Null),
        Json::String(text) if text.starts_with('$') => text,
        other => return compare::value(row.dialect, kind, other).map(Operand::Constant),
    };
    if let Some(column) = word.strip_prefix("$row.") {
        let position = row.position(column).ok_or_else(|| format!("table {} has no column {column:?}", row.name))?;
        return Ok(Operand::Row(Arc::clone(row), position));
    }
    let field = match word.as_str() {
        "$now" => return Ok(Operand::Now(kind.clone())),
        "$request.id" => return Ok(Operand::Request),
        "$principal.id" => Field::Id,
        "$principal.uuid" => Field::Uuid,
        "$principal.group" => Field::Group,
        "$principal.power" => Field::Power,
        "$principal.email" => Field::Email,
        "$principal.username" => Field::Username,
        _ => {
            return Err(format!(
                "{word:?} is none of $principal.id|uuid|username|group|power|email, $row.<column>, $now, $request.id"
            ));
        }
    };
    Ok(Operand::Principal(field, kind.clone()))
}
