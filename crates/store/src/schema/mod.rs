//! The catalogue of a tenant's database, as the store and its callers see it.

pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::{collections::HashMap, sync::Arc};

use sea_query::{Alias, Expr, IntoIden, IntoTableRef, TableRef};

use crate::{Dialect, Kind};

/// All tables and views of a database.
#[derive(Debug, Default)]
pub struct Schema {
    tables: HashMap<String, Arc<Table>>,
}

/// A table or a view.
#[derive(Debug)]
pub struct Table {
    /// The name as the catalogue spells it.
    pub name: String,
    /// The schema (PostgreSQL) or database (MariaDB) that every statement names before the table.
    pub qualifier: Option<Arc<str>>,
    /// Whether it is a view, which can only be read.
    pub view: bool,
    /// Whether columns can be added to it: it is no view, no foreign or virtual table and no part of another.
    pub extensible: bool,
    /// The columns in their order.
    pub columns: Vec<Column>,
    /// Positions of the columns of the primary key, or of a unique key over columns that are never null.
    pub key: Vec<usize>,
    /// Whether the key is SQLite's number of the row, which the connection tells of the last one.
    pub(crate) key_is_row_id: bool,
    /// Unique keys, by the name that the database reports when one is violated.
    pub unique: HashMap<String, Vec<String>>,
    /// The dialect of the database it is in.
    pub dialect: Dialect,
    by_name: HashMap<String, usize>,
    /// Each column as an answer has it under its own name.
    outputs: Vec<OutputColumn>,
}

/// A column of a table.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the catalogue says each of them on its own")]
pub struct Column {
    /// The name as the catalogue spells it.
    pub name: Arc<str>,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether the database fills it in when an insert does not.
    pub has_default: bool,
    /// Whether the database computes it, so that it cannot be written.
    pub generated: bool,
    /// Whether it must be read as text because the driver cannot decode it.
    pub read_as_text: bool,
    /// Whether text order here differs from the order by code points that the other databases have.
    pub foreign_collation: bool,
}

/// A column of an answer: its name in JSON and how to write its values.
#[derive(Debug, Clone)]
pub struct OutputColumn {
    /// `,"name":`, ready to be written.
    pub(crate) label: Arc<[u8]>,
    pub(crate) kind: Kind,
    /// Where the row says whether the column is there at all: the position of a number, 0 for no.
    pub(crate) shown_by: Option<usize>,
}

impl OutputColumn {
    /// A column that appears under a name of its own.
    pub fn new(name: &str, kind: Kind) -> Self {
        let mut label = vec![b','];
        crate::cell::json(&mut label, name);
        label.push(b':');
        Self { label: label.into(), kind, shown_by: None }
    }

    /// The column is left out of rows in which another column of the select is 0.
    #[must_use]
    pub fn shown_by(self, position: usize) -> Self {
        Self { shown_by: Some(position), ..self }
    }
}

impl Schema {
    pub(crate) fn new(tables: impl IntoIterator<Item = Table>) -> Self {
        Self { tables: tables.into_iter().map(|table| (table.name.clone(), Arc::new(table))).collect() }
    }

    /// A table by its exact name.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    /// All tables, in no order.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }
}

impl Table {
    pub(crate) fn new(name: String, qualifier: Option<Arc<str>>, dialect: Dialect, view: bool) -> Self {
        Self {
            name,
            qualifier,
            view,
            extensible: !view,
            columns: Vec::new(),
            key: Vec::new(),
            key_is_row_id: false,
            unique: HashMap::new(),
            dialect,
            by_name: HashMap::new(),
            outputs: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, column: Column) {
        self.by_name.insert(column.name.to_string(), self.columns.len());
        self.outputs.push(OutputColumn::new(&column.name, column.kind.clone()));
        self.columns.push(column);
    }

    /// Takes a unique key; the first whose columns are never null stands in where there is no primary key.
    pub(crate) fn add_unique(&mut self, name: String, columns: Vec<String>) {
        let positions: Option<Vec<usize>> = columns.iter().map(|column| self.position(column)).collect();
        if let Some(positions) = positions
            && self.key.is_empty()
            && positions.iter().all(|position| !self.columns[*position].nullable)
        {
            self.key = positions;
        }
        self.unique.insert(name, columns);
    }

    /// Whether it is one of Insula's own tables, which no wildcard rule reaches.
    pub fn is_system(&self) -> bool {
        self.name.starts_with('_')
    }

    /// The position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.by_name.get(column).copied()
    }

    /// A column as an answer has it under its own name.
    pub fn output(&self, position: usize) -> OutputColumn {
        self.outputs[position].clone()
    }

    /// A column by its exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.position(name).map(|position| &self.columns[position])
    }

    /// The table in a FROM clause, with its qualifier.
    pub fn reference(&self) -> TableRef {
        qualified(self.qualifier.as_deref(), &self.name)
    }

    /// A column in an expression, told apart by the table's name or by an alias that was given to it.
    pub fn col(&self, alias: Option<&str>, position: usize) -> Expr {
        let table = Alias::new(alias.unwrap_or(&self.name)).into_iden();
        Expr::col((table, Alias::new(&*self.columns[position].name)))
    }

    /// The columns of the key in expressions.
    pub fn key_columns(&self) -> Vec<Expr> {
        self.key.iter().map(|position| self.col(None, *position)).collect()
    }
}

/// Adds unique keys from rows of table, key and column, sorted by the first two.
pub(crate) fn add_unique_keys(
    tables: &mut HashMap<String, Table>,
    parts: impl IntoIterator<Item = (String, String, String)>,
) {
    let mut keys: Vec<(String, String, Vec<String>)> = Vec::new();
    for (table, index, column) in parts {
        match keys.last_mut() {
            Some(last) if last.0 == table && last.1 == index => last.2.push(column),
            _ => keys.push((table, index, vec![column])),
        }
    }
    for (table, index, columns) in keys {
        if let Some(table) = tables.get_mut(&table) {
            table.add_unique(index, columns);
        }
    }
}

/// A table's name with the schema or database it is in.
pub(crate) fn qualified(qualifier: Option<&str>, name: &str) -> TableRef {
    match qualifier {
        Some(qualifier) => (Alias::new(qualifier), Alias::new(name)).into_table_ref(),
        None => Alias::new(name).into_table_ref(),
    }
}
