//! What a write does to the rows of a tenant's tables, and the one place where it is done.

use std::sync::Arc;

use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, Order, Query, ReturningClause, SelectStatement};

use crate::{Dialect, Error, Result, Row, Statement, Table, Transaction, Value};

/// A change to rows of one table.
#[derive(Debug, Clone)]
pub enum Change {
    /// New rows.
    Insert(Insert),
    /// A new row by statements that were built before.
    Row(BuiltInsert),
    /// Other values in rows that are there.
    Update(Update),
    /// Rows to remove.
    Delete(Delete),
}

/// New rows of one table, all with values for the same columns.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The table.
    pub table: Arc<Table>,
    /// Positions of the columns that are given.
    pub columns: Vec<usize>,
    /// A value a column, for each row.
    pub rows: Vec<Vec<Value>>,
    /// What must hold for every new row.
    pub guard: Option<Guard>,
}

/// A new row of one table, by statements that were built before.
#[derive(Debug, Clone)]
pub struct BuiltInsert {
    /// The table.
    pub table: Arc<Table>,
    /// The insert.
    pub insert: Statement,
    /// Counts the rows that satisfy the guard; its values are those behind the key.
    pub guard: Option<Statement>,
}

/// An update of the rows that a condition selects.
#[derive(Debug, Clone)]
pub struct Update {
    /// The table.
    pub table: Arc<Table>,
    /// Positions of columns with what they become.
    pub set: Vec<(usize, Expr)>,
    /// Which rows.
    pub filter: Condition,
    /// At most so many rows, in the order of the key.
    pub limit: Option<u64>,
    /// What must hold for every row afterwards.
    pub guard: Option<Guard>,
}

/// A deletion of the rows that a condition selects.
#[derive(Debug, Clone)]
pub struct Delete {
    /// The table.
    pub table: Arc<Table>,
    /// Which rows.
    pub filter: Condition,
    /// At most so many rows, in the order of the key.
    pub limit: Option<u64>,
}

/// A condition on rows as they would be. A row that misses it undoes the change with [`Error::GuardRefused`].
#[derive(Debug, Clone)]
pub struct Guard(pub Condition);

/// What a change did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Rows that were inserted, changed or removed.
    pub rows: u64,
    /// The key of each inserted row, in the order of the rows; empty for other changes and tables without a key.
    pub keys: Vec<Vec<Value>>,
}

impl Change {
    /// The table it is about.
    pub const fn table(&self) -> &Arc<Table> {
        match self {
            Self::Insert(insert) => &insert.table,
            Self::Row(insert) => &insert.table,
            Self::Update(update) => &update.table,
            Self::Delete(delete) => &delete.table,
        }
    }

    /// The SQL text it would run, with a place for each value.
    pub fn shape(&self) -> Result<String> {
        self.statement().map(|statement| statement.sql.to_string())
    }

    /// The statement it is, guards aside.
    pub(crate) fn statement(&self) -> Result<Statement> {
        let dialect = self.table().dialect;
        Ok(match self {
            Self::Insert(insert) => insert_statement(insert)?,
            Self::Row(insert) => insert.insert.clone(),
            Self::Update(update) => dialect.build(&update_statement(update, dialect)?),
            Self::Delete(delete) => dialect.build(&delete_statement(delete, dialect)?),
        })
    }

    /// Whether the written rows must be looked at again.
    pub(crate) const fn is_guarded(&self) -> bool {
        match self {
            Self::Insert(insert) => insert.guard.is_some(),
            Self::Row(insert) => insert.guard.is_some(),
            Self::Update(update) => update.guard.is_some(),
            Self::Delete(_) => false,
        }
    }
}

impl Insert {
    /// The same for a single row with all text built, to be kept for rows of the same columns under the same guard.
    ///
    /// Errors: several rows, or a guard on a table without a key.
    pub fn build(&self) -> Result<BuiltInsert> {
        if self.rows.len() != 1 {
            return Err(Error::Driver("only the insert of a single row is built for others".into()));
        }
        let table = Arc::clone(&self.table);
        let guard = self.guard.as_ref().map(|guard| {
            if table.key.is_empty() {
                return Err(Error::NoKey(table.name.clone()));
            }
            // Some key, whose place is before all others.
            let mut check = table.dialect.select(&check(&table, &[vec![Value::Null; table.key.len()]], guard));
            check.values.drain(..table.key.len());
            Ok(check)
        });
        Ok(BuiltInsert { insert: insert_statement(self)?, guard: guard.transpose()?, table })
    }
}

/// Counts the rows with these keys that satisfy a guard.
fn check(table: &Table, keys: &[Vec<Value>], guard: &Guard) -> SelectStatement {
    let mut select = Query::select();
    select.expr(Expr::col(Asterisk).count()).from(table.reference());
    select.cond_where(among(table, keys).add(guard.0.clone()));
    select
}

impl Transaction<'_> {
    /// Does a change. Every write of every feature to a tenant's tables passes through here: history is recorded
    /// at this point, in this transaction, and its counter is taken by whoever commits.
    pub async fn apply(&mut self, change: &Change) -> Result<Applied> {
        let applied = match change {
            Change::Insert(insert) => self.insert(insert).await,
            Change::Row(insert) => self.insert_row(insert).await,
            Change::Update(update) => self.update(update).await,
            Change::Delete(delete) => self.delete(delete).await,
        };
        applied.map_err(|error| error.with_columns_of(change.table()))
    }

    async fn insert(&mut self, insert: &Insert) -> Result<Applied> {
        let table = &insert.table;
        let statement = insert_statement(insert)?;
        if table.key.is_empty() {
            if insert.guard.is_some() {
                return Err(Error::NoKey(table.name.clone()));
            }
            let rows = self.run(&statement).await?;
            return Ok(Applied { rows, keys: Vec::new() });
        }
        let keys: Vec<Vec<Value>> = self.fetch(&statement).await?.into_iter().map(|Row(values)| values).collect();
        if let Some(guard) = &insert.guard {
            self.check(table, &keys, guard).await?;
        }
        Ok(Applied { rows: keys.len() as u64, keys })
    }

    async fn insert_row(&mut self, row: &BuiltInsert) -> Result<Applied> {
        if row.table.key.is_empty() {
            let rows = self.run(&row.insert).await?;
            return Ok(Applied { rows, keys: Vec::new() });
        }
        let keys: Vec<Vec<Value>> = self.fetch(&row.insert).await?.into_iter().map(|Row(values)| values).collect();
        if let (Some(guard), Some(key)) = (&row.guard, keys.first()) {
            let values = key.iter().cloned().map(Into::into).chain(guard.values.iter().cloned()).collect();
            let guard = Statement { sql: Arc::clone(&guard.sql), values };
            let satisfied = self.fetch(&guard).await?.first().ok_or(Error::GuardRefused)?.int(0)?;
            if satisfied != 1 {
                return Err(Error::GuardRefused);
            }
        }
        Ok(Applied { rows: keys.len() as u64, keys })
    }

    async fn update(&mut self, update: &Update) -> Result<Applied> {
        let table = &update.table;
        let Some(guard) = &update.guard else {
            let statement = update_statement(update, self.dialect())?;
            let rows = self.execute(&statement).await?;
            return Ok(Applied { rows, keys: Vec::new() });
        };
        let keys = self.update_returning_keys(update).await?;
        self.check(table, &keys, guard).await?;
        Ok(Applied { rows: keys.len() as u64, keys: Vec::new() })
    }

    /// Updates and tells the keys of the rows as they are afterwards.
    async fn update_returning_keys(&mut self, update: &Update) -> Result<Vec<Vec<Value>>> {
        let table = &update.table;
        if table.key.is_empty() {
            return Err(Error::NoKey(table.name.clone()));
        }
        if self.dialect() != Dialect::Mariadb {
            let mut statement = update_statement(update, self.dialect())?;
            statement.returning(ReturningClause::Exprs(bare_key(table)));
            let statement = self.dialect().build(&statement);
            return Ok(self.fetch(&statement).await?.into_iter().map(|Row(values)| values).collect());
        }
        // MariaDB has no UPDATE … RETURNING: lock the rows, then update exactly those.
        if update.set.iter().any(|(position, _)| table.key.contains(position)) {
            return Err(Error::Refused(kernel::Error::new(
                kernel::Reason::KeyRequired,
                "The key of a row under a row rule cannot be changed; delete the row and insert it anew",
            )));
        }
        let mut select = key_select(table, update.filter.clone(), update.limit);
        select.lock_exclusive();
        let keys: Vec<Vec<Value>> = self.rows(&select).await?.into_iter().map(|Row(values)| values).collect();
        if !keys.is_empty() {
            let exact = Update { filter: among(table, &keys), limit: None, ..update.clone() };
            self.execute(&update_statement(&exact, Dialect::Mariadb)?).await?;
        }
        Ok(keys)
    }

    async fn delete(&mut self, delete: &Delete) -> Result<Applied> {
        let rows = self.execute(&delete_statement(delete, self.dialect())?).await?;
        Ok(Applied { rows, keys: Vec::new() })
    }

    /// Counts the rows that satisfy the guard; all of them must.
    async fn check(&mut self, table: &Table, keys: &[Vec<Value>], guard: &Guard) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let rows = self.rows(&check(table, keys, guard)).await?;
        let satisfied = rows.first().ok_or(Error::GuardRefused)?.int(0)?;
        if satisfied == keys.len() as i64 { Ok(()) } else { Err(Error::GuardRefused) }
    }
}

/// The insert with the keys of the new rows as its answer.
fn insert_statement(insert: &Insert) -> Result<Statement> {
    let table = &insert.table;
    let mut statement = Query::insert();
    statement.into_table(table.reference());
    statement.columns(insert.columns.iter().map(|position| Alias::new(&*table.columns[*position].name)));
    for row in &insert.rows {
        let values = row.iter().cloned().map(Expr::from);
        statement.values(values).map_err(|error| Error::Driver(error.to_string().into()))?;
    }
    if !table.key.is_empty() {
        statement.returning(ReturningClause::Exprs(bare_key(table)));
    }
    let mut built = table.dialect.build(&statement);
    if table.dialect == Dialect::Mariadb && !table.key.is_empty() {
        // MariaDB has INSERT … RETURNING, MySQL and so the builder has not.
        let names = table.key.iter().map(|position| format!("`{}`", table.columns[*position].name.replace('`', "``")));
        built.sql = format!("{} RETURNING {}", built.sql, names.collect::<Vec<_>>().join(", ")).into();
    }
    Ok(built)
}

fn update_statement(update: &Update, dialect: Dialect) -> Result<sea_query::UpdateStatement> {
    let table = &update.table;
    let mut statement = Query::update();
    statement.table(table.reference());
    for (position, value) in &update.set {
        statement.value(Alias::new(&*table.columns[*position].name), value.clone());
    }
    require_order(table, update.limit)?;
    match (update.limit, dialect) {
        (None, _) => {
            statement.cond_where(update.filter.clone());
        }
        (Some(limit), Dialect::Mariadb) => {
            statement.cond_where(update.filter.clone()).limit(limit);
            for column in table.key_columns() {
                statement.order_by_expr(column, Order::Asc);
            }
        }
        (Some(limit), _) => {
            statement.cond_where(limited(table, &update.filter, limit));
        }
    }
    Ok(statement)
}

fn delete_statement(delete: &Delete, dialect: Dialect) -> Result<sea_query::DeleteStatement> {
    let mut statement = Query::delete();
    statement.from_table(delete.table.reference());
    require_order(&delete.table, delete.limit)?;
    match (delete.limit, dialect) {
        (None, _) => {
            statement.cond_where(delete.filter.clone());
        }
        (Some(limit), Dialect::Mariadb) => {
            statement.cond_where(delete.filter.clone()).limit(limit);
            for column in delete.table.key_columns() {
                statement.order_by_expr(column, Order::Asc);
            }
        }
        (Some(limit), _) => {
            statement.cond_where(limited(&delete.table, &delete.filter, limit));
        }
    }
    Ok(statement)
}

/// The rows of a filter as a set of keys, cut at a limit: what `UPDATE … LIMIT` means where it does not exist.
fn limited(table: &Table, filter: &Condition, limit: u64) -> Condition {
    let select = key_select(table, filter.clone(), Some(limit));
    let key = table.key_columns();
    let key = if let [single] = key.as_slice() { single.clone() } else { Expr::tuple(key) };
    Condition::all().add(key.in_subquery(select))
}

/// Which rows are the first is for the key to say.
fn require_order(table: &Table, limit: Option<u64>) -> Result<()> {
    if limit.is_some() && table.key.is_empty() { Err(Error::NoKey(table.name.clone())) } else { Ok(()) }
}

fn key_select(table: &Table, filter: Condition, limit: Option<u64>) -> SelectStatement {
    let mut select = Query::select();
    select.exprs(table.key_columns()).from(table.reference()).cond_where(filter);
    if let Some(limit) = limit {
        select.limit(limit);
        for column in table.key_columns() {
            select.order_by_expr(column, Order::Asc);
        }
    }
    select
}

/// The key's columns without the table before them, as RETURNING wants them.
fn bare_key(table: &Table) -> Vec<Expr> {
    table.key.iter().map(|position| Expr::col(Alias::new(&*table.columns[*position].name))).collect()
}

/// The rows with these keys.
fn among(table: &Table, keys: &[Vec<Value>]) -> Condition {
    let columns = table.key_columns();
    if let [column] = columns.as_slice() {
        let values = keys.iter().flatten().cloned().map(Expr::from);
        return Condition::all().add(column.clone().is_in(values));
    }
    keys.iter().fold(Condition::any(), |any, key| {
        let pairs = columns.iter().cloned().zip(key.iter().cloned());
        any.add(pairs.fold(Condition::all(), |all, (column, value)| all.add(column.eq(Expr::from(value)))))
    })
}
