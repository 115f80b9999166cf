//! The three dialects, and statements built for one of them.

use std::sync::Arc;

use sea_query::{
    MysqlQueryBuilder, PostgresQueryBuilder, QueryStatementWriter, SelectStatement, SqliteQueryBuilder, Values,
};

/// Which database a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL and what speaks its protocol.
    Postgres,
    /// MariaDB, and MySQL where it agrees.
    Mariadb,
}

/// SQL text of one dialect with the values to bind.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, with `?` or `$1` for each value. It holds no value of a request.
    pub sql: Arc<str>,
    /// The values in the order of their places.
    pub values: Vec<sea_query::Value>,
}

impl Dialect {
    /// The word for it in file names and settings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }

    /// Builds an insert, update or delete.
    pub fn build(self, statement: &impl QueryStatementWriter) -> Statement {
        let (sql, Values(values)) = match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder),
            Self::Postgres => statement.build(PostgresQueryBuilder),
            Self::Mariadb => statement.build(MysqlQueryBuilder),
        };
        Statement { sql: sql.into(), values }
    }

    /// Builds a select.
    pub fn select(self, statement: &SelectStatement) -> Statement {
        self.build(statement)
    }
}

impl Statement {
    /// A statement of the store itself without values.
    pub(crate) fn fixed(sql: impl Into<Arc<str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }
}
