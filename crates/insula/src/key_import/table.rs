//! Old keys in a live table.

use std::sync::Arc;

use sea_query::{Condition, Expr, ExprTrait, Order, Query};
use store::{Change, Database, Table, Transaction, Update, Value};

use super::row::{Columns, Row, spelled};
use crate::failure::{Failure, Result};

/// A table with old keys.
pub(crate) struct KeyTable {
    database: Database,
    table: Arc<Table>,
    key: usize,
    id: usize,
    owner: Option<usize>,
    name: Option<usize>,
    label: String,
}

impl KeyTable {
    /// Finds the columns. `label` tells people where the database is.
    pub(crate) fn new(database: Database, table: Arc<Table>, columns: &Columns, label: String) -> Result<Self> {
        let position = |name: &str| {
            let missing = || Failure::Missing(format!("the table {} has no column {name:?}", table.name));
            table.position(name).ok_or_else(missing)
        };
        let optional = |name: &Option<String>| name.as_deref().map(position).transpose();
        let id = match (&columns.id, table.key.as_slice()) {
            (Some(name), _) => position(name)?,
            (None, [single]) => *single,
            (None, _) => {
                let message = format!("say what tells the rows of {} apart: --id-column", table.name);
                return Err(Failure::Usage(message));
            }
        };
        let name = &table.columns[id].name;
        let unique =
            table.key == [id] || table.unique.values().any(|key| matches!(key.as_slice(), [one] if **one == **name));
        if !unique {
            return Err(Failure::Usage(format!("{name} does not tell the rows of {} apart", table.name)));
        }
        let key = position(&columns.key)?;
        let (owner, name) = (optional(&columns.owner)?, optional(&columns.name)?);
        Ok(Self { database, table, key, id, owner, name, label })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn label(&self) -> String {
        format!("{}{}", self.label, self.table.name)
    }

    /// Why the old keys cannot be blanked here, where that is so.
    pub(crate) fn cannot_be_blanked(&self) -> Option<String> {
        let column = &self.table.columns[self.key];
        let (table, name) = (&self.table.name, &column.name);
        let alone = |key: &Vec<String>| matches!(key.as_slice(), [one] if **one == **name);
        if self.table.view {
            return Some(format!("{table} is a view"));
        }
        if column.generated {
            return Some(format!("{name} is computed by the database"));
        }
        if self.table.key.contains(&self.key) {
            return Some(format!("{name} is a part of the primary key"));
        }
        if !column.nullable && self.table.unique.values().any(alone) {
            return Some(format!("{name} is unique and may not be NULL; let it be NULL first"));
        }
        None
    }

    /// The next rows behind an id that have a key, and the id of the last; no id at the end.
    pub(crate) async fn page(&self, after: Option<&Value>, limit: u64) -> Result<(Vec<Row>, Option<Value>)> {
        let column = |position: usize| self.table.col(None, position);
        let columns: Vec<usize> =
            [Some(self.id), Some(self.key), self.owner, self.name].into_iter().flatten().collect();
        let mut select = Query::select();
        select.exprs(columns.iter().map(|position| column(*position))).from(self.table.reference());
        select.and_where(column(self.key).is_not_null());
        if let Some(after) = after {
            select.and_where(column(self.id).gt(Expr::from(after.clone())));
        }
        select.order_by_expr(column(self.id), Order::Asc).limit(limit);
        let found = self.database.read(&select).await?;
        let last = found.last().and_then(|row| row.0.first().cloned());
        let rows = found.into_iter().filter_map(|row| {
            let mut values = row.0.into_iter();
            let (id, key) = (values.next()?, values.next()?);
            let owner = self.owner.and_then(|_| values.next());
            let name = self.name.and_then(|_| values.next());
            let text = spelled(&key)?;
            let (owner, name) = (owner.as_ref().and_then(spelled), name.as_ref().and_then(spelled));
            Row::new(&text, spelled(&id), owner, name, Some((id, key)))
        });
        Ok((rows.collect(), last))
    }

    /// What blanks the old key of a row, unless it has changed meanwhile.
    pub(crate) fn blanking(&self, row: &Row) -> Option<Change> {
        let (id, key) = row.place.clone()?;
        let column = |position: usize| self.table.col(None, position);
        let blank = if self.table.columns[self.key].nullable { Value::Null } else { Value::from("") };
        let same = column(self.id).eq(Expr::from(id)).and(column(self.key).eq(Expr::from(key)));
        Some(Change::Update(Update {
            table: Arc::clone(&self.table),
            set: vec![(self.key, Expr::from(blank))],
            filter: Condition::all().add(same),
            limit: None,
            guard: None,
        }))
    }
}

/// Applies changes in a transaction and tells how many rows they touched.
pub(crate) async fn apply(transaction: &mut Transaction<'_>, changes: &[Change]) -> store::Result<u64> {
    let mut rows = 0;
    for change in changes {
        rows += transaction.apply(change).await?.rows;
    }
    Ok(rows)
}
