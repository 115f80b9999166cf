//! The tables of one query as the caller sees them: names, visibility of columns, and which rows there are.

use std::{cell::RefCell, sync::Arc};

use kernel::{Error, Reason, Result, identifier::is_identifier};
use sea_query::{CaseStatement, Condition, Expr, ExprTrait};
use store::{Column, Dialect, Guard, Table};

use crate::{
    request::Action,
    rules::{Environment, Reach, RowIs, RowRule, RuleAction, TableAccess, Visibility},
};

/// One table of a query with the rights of the caller to it.
pub(crate) struct Source {
    pub(crate) access: Arc<TableAccess>,
    /// Row rules that are for this action.
    pub(crate) rules: Vec<usize>,
    /// The last guard with the columns that it is for: the next row is likely to have the same ones.
    guard: RefCell<Option<(Vec<usize>, Option<Guard>)>>,
}

/// All tables of a query; the first is the target.
pub(crate) struct Scope<'a> {
    pub(crate) sources: Vec<Source>,
    pub(crate) environment: &'a Environment<'a>,
}

/// A column of one of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) source: usize,
    pub(crate) position: usize,
}

/// Where a column can be seen: everywhere, or in the rows of a condition.
pub(crate) enum Seen {
    Everywhere,
    Nowhere,
    /// A whole number, 1 where it can be seen.
    Where(Expr),
}

impl Source {
    /// A table that may be used for an action. Errors: 403 `table_denied`, 400 `view_read_only`.
    pub(crate) fn open(access: Arc<TableAccess>, action: Action) -> Result<Self> {
        let name = &access.table.name;
        let denied = || Error::new(Reason::TableDenied, format!("You may not {} {name}", action.word())).at("table");
        if let Some(why) = &access.broken {
            return Err(denied().because(why.clone()));
        }
        let wanted = RuleAction::of(action);
        let rules: Vec<usize> =
            (0..access.rules.len()).filter(|i| access.rules[*i].actions.contains(&wanted)).collect();
        let reach = access.code.map(|code| if action.reads() { code.read } else { code.write });
        let denied = || match access.read_only_below {
            Some(power) if !action.reads() => denied().because(read_only(power)),
            _ => denied(),
        };
        match reach {
            None if rules.is_empty() => Err(denied()),
            Some(None) if access.table.view && !action.reads() => {
                Err(Error::new(Reason::ViewReadOnly, format!("{name} is a view and can only be read")).at("table"))
            }
            Some(None) => Err(denied()),
            _ => Ok(Self { access, rules, guard: RefCell::default() }),
        }
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.access.table
    }

    fn rules(&self) -> impl Iterator<Item = &RowRule> {
        self.rules.iter().map(|index| &self.access.rules[*index])
    }

    /// The rows that exist for the caller in this action; none where all do.
    pub(crate) fn rows(&self, reads: bool, environment: &Environment<'_>) -> Option<Condition> {
        let reach = self.access.code.and_then(|code| if reads { code.read } else { code.write });
        let owner = self.access.owner.map(|position| self.table().col(None, position));
        let scope = match (reach, owner) {
            (Some(Reach::Own), Some(owner)) => Some(environment.row_is(owner, RowIs::Own)),
            (Some(Reach::Group), Some(owner)) => Some(environment.row_is(owner, RowIs::Group)),
            _ => None,
        };
        let rule = any_of(self.rules(), environment);
        match (scope, rule) {
            (None, None) => None,
            (Some(scope), None) => Some(Condition::all().add(scope)),
            (None, Some(rule)) => Some(Condition::all().add(rule)),
            (Some(scope), Some(rule)) => Some(Condition::all().add(scope).add(rule)),
        }
    }

    /// What must hold for rows as they will be: the rules that allow all columns that are written.
    pub(crate) fn guard(&self, written: &[usize], environment: &Environment<'_>) -> Result<Option<Guard>> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        if let Some((_, guard)) = self.guard.borrow().as_ref().filter(|(columns, _)| columns == written) {
            return Ok(guard.clone());
        }
        let allowing: Vec<_> =
            self.rules().filter(|rule| written.iter().all(|position| rule.allows_column(*position))).collect();
        if allowing.is_empty() {
            return Err(Error::plain(Reason::RuleDenied));
        }
        let guard = any_of(allowing.into_iter(), environment).map(Guard::new);
        *self.guard.borrow_mut() = Some((written.to_vec(), guard.clone()));
        Ok(guard)
    }

    /// Whether a row rule of the action lets a column be written.
    pub(crate) fn rules_allow(&self, position: usize) -> bool {
        self.rules.is_empty() || self.rules().any(|rule| rule.allows_column(position))
    }

    /// Values that row rules force, by column.
    pub(crate) fn forced(&self, environment: &Environment<'_>) -> Vec<(usize, store::Value)> {
        let all = self.rules().flat_map(|rule| &rule.set);
        all.filter_map(|(position, operand)| Some((*position, operand.value(environment)?))).collect()
    }

    /// Where a column can be seen.
    pub(crate) fn seen(&self, position: usize, environment: &Environment<'_>) -> Seen {
        let (hide, only) = match self.access.columns[position].read {
            Visibility::No => return Seen::Nowhere,
            Visibility::Yes => (None, None),
            Visibility::Unless(what) => (Some(what), None),
            Visibility::OnlyIf(what) => (None, Some(what)),
        };
        if !self.rules_allow(position) {
            return Seen::Nowhere;
        }
        let by_rule = self.seen_by_rule(position, environment);
        if hide.is_none() && only.is_none() && by_rule.is_none() {
            return Seen::Everywhere;
        }
        let Some(owner) = self.access.owner.map(|position| self.table().col(None, position)) else {
            // Whose a row is cannot be told without an owner.
            return match (only, by_rule) {
                (Some(_), _) => Seen::Nowhere,
                (None, None) => Seen::Everywhere,
                (None, Some(rule)) => Seen::Where(CaseStatement::new().case(rule, yes()).finally(no()).into()),
            };
        };
        let mut case = CaseStatement::new();
        if let Some(what) = hide {
            case = case.case(environment.row_is(owner.clone(), what), no());
        }
        let mut shown = Condition::all();
        if let Some(what) = only {
            shown = shown.add(environment.row_is(owner, what));
        }
        if let Some(rule) = by_rule {
            shown = shown.add(rule);
        }
        Seen::Where(if shown.is_empty() { case.finally(yes()) } else { case.case(shown, yes()).finally(no()) }.into())
    }

    /// The rows in which a rule shows a column, where not every rule of the action does.
    fn seen_by_rule(&self, position: usize, environment: &Environment<'_>) -> Option<Condition> {
        if self.rules().all(|rule| rule.allows_column(position)) {
            return None;
        }
        any_of(self.rules().filter(|rule| rule.allows_column(position)), environment)
    }
}

/// Why a table that a code or rule lets write cannot be written.
pub(crate) fn read_only(below: u8) -> String {
    format!("a toolkit lets groups of a power below {below} only read it")
}

/// 1, as a number in the text: a bound one would be of no type where nothing else says which.
fn yes() -> Expr {
    Expr::cust("1")
}

/// 0.
fn no() -> Expr {
    Expr::cust("0")
}

/// One of the rules must hold; none where one of them always does, or where there are none.
fn any_of<'r>(rules: impl Iterator<Item = &'r RowRule>, environment: &Environment<'_>) -> Option<Condition> {
    let mut any = Condition::any();
    for rule in rules {
        any = any.add(rule.condition(environment)?);
    }
    (!any.is_empty()).then_some(any)
}

impl Scope<'_> {
    pub(crate) fn dialect(&self) -> Dialect {
        self.environment.dialect
    }

    pub(crate) fn target(&self) -> &Source {
        &self.sources[0]
    }

    pub(crate) fn column(&self, at: Resolved) -> &Column {
        &self.sources[at.source].table().columns[at.position]
    }

    /// Finds a column by `name` or `table.name`. A bare name means the target's column where it has one.
    ///
    /// Blocked columns are not found: they answer exactly like columns that do not exist.
    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved> {
        let at = self.find(name)?;
        match self.sources[at.source].seen(at.position, self.environment) {
            Seen::Nowhere => Err(unknown_column(name)),
            _ => Ok(at),
        }
    }

    /// Finds a column whether or not the caller may see it.
    pub(crate) fn find(&self, name: &str) -> Result<Resolved> {
        if let Some((table, column)) = name.split_once('.') {
            let table = crate::rules::canonical_table(table);
            let source = self.sources.iter().position(|source| source.table().name == table);
            let found = source.and_then(|source| {
                let position = self.sources[source].table().position(column)?;
                Some(Resolved { source, position })
            });
            return found.ok_or_else(|| unknown_column(name));
        }
        let mut found = self.sources.iter().enumerate().filter_map(|(source, entry)| {
            let position = entry.table().position(name)?;
            let seen = !matches!(entry.seen(position, self.environment), Seen::Nowhere);
            (source == 0 || seen).then_some(Resolved { source, position })
        });
        let first = found.next().ok_or_else(|| unknown_column(name))?;
        if first.source > 0 && found.next().is_some() {
            return Err(Error::new(
                Reason::AmbiguousColumn,
                format!("Column {name:?} is in several joined tables; write it as table.column"),
            ));
        }
        Ok(first)
    }

    /// What of a column may take part in conditions and orders: NULL in rows where it cannot be seen.
    pub(crate) fn visible(&self, at: Resolved) -> Expr {
        let source = &self.sources[at.source];
        let column = source.table().col(None, at.position);
        match source.seen(at.position, self.environment) {
            Seen::Everywhere => column,
            Seen::Nowhere => Expr::cust("NULL"),
            Seen::Where(flag) => CaseStatement::new().case(flag.eq(yes()), column).into(),
        }
    }

    /// The rows that exist for the caller, over all tables but those that a join takes care of.
    pub(crate) fn rows_of(&self, source: usize, reads: bool) -> Option<Condition> {
        self.sources[source].rows(reads, self.environment)
    }
}

/// The one text for columns that do not exist and columns that may not be used.
pub(crate) fn unknown_column(name: &str) -> Error {
    let name = if name.split('.').all(is_identifier) { name } else { "with this name" };
    Error::new(Reason::UnknownColumn, format!("Column {name} does not exist or may not be used"))
}
