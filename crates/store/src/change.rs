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
    /// Finds the row if it satisfies the guard; its values are those behind the key.
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
/// Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Condition>);

impl Guard {
    /// The guard that lets rows pass which satisfy a condition.
    pub fn new(condition: Condition) -> Self {
        Self(Arc::new(condition))
    }
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

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
            let mut select = satisfying(&table, &[vec![Value::Null; table.key.len()]], guard);
            let mut check = table.dialect.select(select.expr(Expr::cust("1")));
            check.values.drain(..table.key.len());
            Ok(check)
        });
        Ok(BuiltInsert { insert: insert_statement(self)?, guard: guard.transpose()?, table })
    }
}

/// From the rows with these keys those that satisfy a guard; what to tell of them is for the caller to say.
///
/// Several rows are first found by their keys, and then looked at: the limit cuts nothing off, but keeps the database from
/// looking for them by what the guard says of them, such as all rows of one author.
fn satisfying(table: &Table, keys: &[Vec<Value>], guard: &Guard) -> SelectStatement {
    let (mut select, guard) = (Query::select(), Condition::clone(&guard.0));
    if keys.len() == 1 {
        select.from(table.reference()).cond_where(among(table, keys).add(guard));
        return select;
    }
    let mut found = Query::select();
    found.column(Asterisk).from(table.reference()).cond_where(among(table, keys)).limit(keys.len() as u64);
    select.from_subquery(found, Alias::new(&*table.name)).cond_where(guard);
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
        let mut keys = Vec::with_capacity(insert.rows.len());
        if table.key_is_row_id {
            for row in &insert.rows {
                let values = row.iter().cloned().map(Into::into).collect();
                let statement = Statement { sql: Arc::clone(&statement.sql), values };
                self.insert_returning_keys(table, &statement, &mut keys).await?;
            }
        } else {
            self.insert_returning_keys(table, &statement, &mut keys).await?;
        }
        if let Some(guard) = &insert.guard
            && !self.satisfies(table, &keys, guard).await?
        {
            return Err(Error::GuardRefused(self.refused(table, &keys, guard).await?));
        }
        Ok(Applied { rows: keys.len() as u64, keys })
    }

    async fn insert_row(&mut self, row: &BuiltInsert) -> Result<Applied> {
        if row.table.key.is_empty() {
            let rows = self.run(&row.insert).await?;
            return Ok(Applied { rows, keys: Vec::new() });
        }
        let mut keys = Vec::with_capacity(1);
        self.insert_returning_keys(&row.table, &row.insert, &mut keys).await?;
        if let (Some(guard), Some(key)) = (&row.guard, keys.first()) {
            let values = key.iter().cloned().map(Into::into).chain(guard.values.iter().cloned()).collect();
            let guard = Statement { sql: Arc::clone(&guard.sql), values };
            if self.fetch(&guard).await?.is_empty() {
                return Err(Error::GuardRefused(vec![0]));
            }
        }
        Ok(Applied { rows: keys.len() as u64, keys })
    }

    /// Runs what [`insert_statement`] built, and adds the keys of the new rows.
    async fn insert_returning_keys(
        &mut self,
        table: &Table,
        statement: &Statement,
        keys: &mut Vec<Vec<Value>>,
    ) -> Result<()> {
        if !table.key_is_row_id {
            keys.extend(self.fetch(statement).await?.into_iter().map(|Row(values)| values));
        } else if self.run(statement).await? > 0
            && let Some(number) = self.last_row_id()
        {
            keys.push(vec![Value::Int(number)]);
        }
        Ok(())
    }

    async fn update(&mut self, update: &Update) -> Result<Applied> {
        let table = &update.table;
        let Some(guard) = &update.guard else {
            let statement = update_statement(update, self.dialect())?;
            let rows = self.execute(&statement).await?;
            return Ok(Applied { rows, keys: Vec::new() });
        };
        let keys = self.update_returning_keys(update).await?;
        if !self.satisfies(table, &keys, guard).await? {
            return Err(Error::GuardRefused(Vec::new()));
        }
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

    /// Whether all rows with these keys satisfy a guard.
    async fn satisfies(&mut self, table: &Table, keys: &[Vec<Value>], guard: &Guard) -> Result<bool> {
        if keys.is_empty() {
            return Ok(true);
        }
        let count = self.rows(satisfying(table, keys, guard).expr(Expr::col(Asterisk).count())).await?;
        Ok(count.first().map_or(Ok(0), |row| row.int(0))? == keys.len() as i64)
    }

    /// The places of the rows that do not satisfy a guard, where some do not.
    async fn refused(&mut self, table: &Table, keys: &[Vec<Value>], guard: &Guard) -> Result<Vec<usize>> {
        if keys.len() == 1 {
            return Ok(vec![0]);
        }
        let satisfied = self.rows(satisfying(table, keys, guard).exprs(table.key_columns())).await?;
        let refused = |index: &usize| !satisfied.iter().any(|Row(key)| *key == keys[*index]);
        Ok((0..keys.len()).filter(refused).collect())
    }
}

/// The insert with the keys of the new rows as its answer. Where SQLite tells the key by itself, it is that of one row and
/// answers nothing: RETURNING makes SQLite keep a copy of every page that it touches, and a table for the answer.
fn insert_statement(insert: &Insert) -> Result<Statement> {
    let table = &insert.table;
    let mut statement = Query::insert();
    statement.into_table(table.reference());
    statement.columns(insert.columns.iter().map(|position| Alias::new(&*table.columns[*position].name)));
    let rows = if table.key_is_row_id { insert.rows.get(..1).unwrap_or_default() } else { &insert.rows };
    for row in rows {
        let values = row.iter().cloned().map(Expr::from);
        statement.values(values).map_err(|error| Error::Driver(error.to_string().into()))?;
    }
    if !table.key.is_empty() && !table.key_is_row_id {
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use sea_query::{Asterisk, Condition, Expr, ExprTrait};

    use super::{Guard, satisfying};
    use crate::{Dialect, Value, schema};

    /// A database that goes by what a guard says looks at all rows of an author.
    #[test]
    fn new_rows_are_looked_at_by_their_keys() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "CREATE TABLE m (code TEXT PRIMARY KEY, author INT); CREATE INDEX m_author ON m (author)";
        connection.execute_batch(sql).unwrap();
        let schema = schema::sqlite::read(&connection).unwrap();
        let table = schema.table("m").unwrap();
        let guard = Guard::new(Condition::all().add(table.col(None, 1).eq(1)));
        for count in [1, 2, 20, 100] {
            let keys: Vec<_> = (0..count).map(|number| vec![Value::from(format!("{number}"))]).collect();
            let select = satisfying(table, &keys, &guard).expr(Expr::col(Asterisk).count()).to_owned();
            let plan = format!("EXPLAIN QUERY PLAN {}", Dialect::Sqlite.select(&select).sql);
            let mut plan = connection.prepare(&plan).unwrap();
            let mut rows = plan.raw_query();
            while let Some(row) = rows.next().unwrap() {
                let step: String = row.get("detail").unwrap();
                assert!(!step.contains("m_author"), "{count} rows: {step}");
            }
        }
    }
}
