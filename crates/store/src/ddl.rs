//! Table definitions, once for three dialects.

use std::sync::Arc;

use sea_query::{
    Alias, ColumnDef, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, MysqlQueryBuilder, PostgresQueryBuilder,
    SqliteQueryBuilder, Table, TableCreateStatement, TableRef,
};

use crate::Dialect;

/// Builds definitions of tables for one database, with types that mean the same on all three.
#[derive(Debug, Clone)]
pub struct Ddl {
    dialect: Dialect,
    qualifier: Option<Arc<str>>,
}

impl Ddl {
    pub(crate) fn new(dialect: Dialect, qualifier: Option<Arc<str>>) -> Self {
        Self { dialect, qualifier }
    }

    /// A table of this database in any statement.
    pub fn table(&self, name: &str) -> TableRef {
        crate::schema::qualified(self.qualifier.as_deref(), name)
    }

    /// The definition of a table with these columns.
    pub fn create(&self, name: &str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
        let mut statement = Table::create();
        statement.table(self.table(name));
        for column in columns {
            statement.col(column);
        }
        statement
    }

    /// The SQL text that adds a column to a table of this database, in a form that does no harm where it runs again
    /// after an interruption.
    pub fn add_column(&self, table: &str, mut column: ColumnDef) -> String {
        let mut statement = Table::alter();
        statement.table(Alias::new(table));
        // SQLite undoes an interrupted step as a whole and knows no IF NOT EXISTS here.
        if self.dialect == Dialect::Sqlite {
            return statement.add_column(column.take()).to_string(SqliteQueryBuilder);
        }
        statement.add_column_if_not_exists(column.take());
        match self.dialect {
            Dialect::Postgres => statement.to_string(PostgresQueryBuilder),
            _ => statement.to_string(MysqlQueryBuilder),
        }
    }

    /// The SQL text of a definition.
    pub fn sql(&self, statement: &TableCreateStatement) -> String {
        match self.dialect {
            Dialect::Sqlite => statement.to_string(SqliteQueryBuilder),
            Dialect::Postgres => statement.to_string(PostgresQueryBuilder),
            Dialect::Mariadb => statement.to_string(MysqlQueryBuilder),
        }
    }

    /// A foreign key from a column to the `id` of another table of the same database.
    pub fn reference(
        &self,
        table: &str,
        column: &str,
        target: &str,
        on_delete: ForeignKeyAction,
    ) -> ForeignKeyCreateStatement {
        // Definitions run with this database as the place of bare names, and MariaDB's builder takes no others here.
        let bare = |name: &str| Alias::new(name);
        let mut reference = ForeignKey::create();
        reference
            .name(format!("{table}_{column}_reference"))
            .from(bare(table), bare(column))
            .to(bare(target), bare("id"));
        reference.on_delete(on_delete).take()
    }

    fn typed(&self, name: &str, sqlite: &str, postgres: &str, mariadb: &str) -> ColumnDef {
        let word = match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
            Dialect::Mariadb => mariadb,
        };
        let mut column = ColumnDef::new(Alias::new(name));
        column.custom(Alias::new(word));
        column
    }

    /// A whole number that the database counts up, as the primary key.
    pub fn serial(&self, name: &str) -> ColumnDef {
        let mut column = ColumnDef::new(Alias::new(name));
        column.big_integer().not_null().auto_increment().primary_key();
        column
    }

    /// A whole number of 64 bits.
    pub fn bigint(&self, name: &str) -> ColumnDef {
        self.typed(name, "BIGINT", "bigint", "bigint")
    }

    /// True or false.
    pub fn boolean(&self, name: &str) -> ColumnDef {
        self.typed(name, "BOOLEAN", "boolean", "boolean")
    }

    /// Text of at most so many characters; it can be a key.
    pub fn text(&self, name: &str, characters: u32) -> ColumnDef {
        let word = format!("varchar({characters})");
        self.typed(name, &word, &word, &word)
    }

    /// Text of any length.
    pub fn long_text(&self, name: &str) -> ColumnDef {
        self.typed(name, "TEXT", "text", "longtext")
    }

    /// A decimal with exact digits.
    pub fn decimal(&self, name: &str, precision: u32, scale: u32) -> ColumnDef {
        let word = format!("decimal({precision},{scale})");
        self.typed(name, &word, &word, &word)
    }

    /// A floating-point number.
    pub fn double(&self, name: &str) -> ColumnDef {
        self.typed(name, "DOUBLE", "double precision", "double")
    }

    /// A date.
    pub fn date(&self, name: &str) -> ColumnDef {
        self.typed(name, "DATE", "date", "date")
    }

    /// A date and time of no zone, to the microsecond.
    pub fn datetime(&self, name: &str) -> ColumnDef {
        self.typed(name, "DATETIME", "timestamp(6)", "datetime(6)")
    }

    /// A time of day.
    pub fn time(&self, name: &str) -> ColumnDef {
        self.typed(name, "TIME", "time", "time")
    }

    /// A moment in UTC, to the microsecond. On MariaDB a DATETIME would lose the zone and a bare TIMESTAMP would
    /// update itself, hence the explicit NULL.
    pub fn timestamp(&self, name: &str) -> ColumnDef {
        self.typed(name, "TIMESTAMP", "timestamptz(6)", "timestamp(6) NULL")
    }

    /// JSON.
    pub fn json(&self, name: &str) -> ColumnDef {
        self.typed(name, "JSON", "json", "json")
    }

    /// Bytes.
    pub fn bytes(&self, name: &str) -> ColumnDef {
        self.typed(name, "BLOB", "bytea", "longblob")
    }

    /// A UUID.
    pub fn uuid(&self, name: &str) -> ColumnDef {
        self.typed(name, "varchar(36)", "varchar(36)", "varchar(36)")
    }
}
