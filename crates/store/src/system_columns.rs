//! Adds system columns to tables that lack them. Nothing is ever dropped here.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use kernel::columns::SystemColumn;

use crate::{Database, Dialect, Result, Schema, Statement, Table};

const USERS: &str = "_users";

/// A table with the system columns that it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The table.
    pub table: String,
    /// What it lacks, in the order of [`SystemColumn::ALL`].
    pub columns: Vec<SystemColumn>,
}

/// How much the adding may be in the way of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a statement waits for a lock, and others behind it.
    pub lock: Duration,
    /// Rows that a table may have, about, where adding takes time by the row (MariaDB); larger ones are left alone.
    pub largest: Option<u64>,
}

/// What was done for the tables that lacked columns.
#[derive(Debug, Default)]
pub struct Completed {
    /// Tables with the columns that they have now.
    pub added: Vec<Lacking>,
    /// Tables that are too large for the pace.
    pub left: Vec<Lacking>,
    /// Tables to which the columns could not be added.
    pub failed: Vec<Lacking>,
}

/// The system columns that the tables of a catalogue lack and shall have, by the tables' names.
pub fn lacking(schema: &Schema, wanted: impl Fn(&str, SystemColumn) -> bool) -> Vec<Lacking> {
    let lacks = |table: &Table| {
        let lacks = |column: &SystemColumn| !has(table, *column) && wanted(&table.name, *column);
        let columns: Vec<_> = SystemColumn::ALL.into_iter().filter(lacks).collect();
        (!columns.is_empty()).then(|| Lacking { table: table.name.clone(), columns })
    };
    let mut lacking: Vec<_> =
        schema.tables().filter(|table| table.extensible).filter_map(|table| lacks(table)).collect();
    lacking.sort_by(|a, b| a.table.cmp(&b.table));
    lacking
}

/// Whether a table has a system column; only PostgreSQL tells names apart by their case.
fn has(table: &Table, column: SystemColumn) -> bool {
    match table.dialect {
        Dialect::Postgres => table.column(column.name()).is_some(),
        _ => table.columns.iter().any(|known| known.name.eq_ignore_ascii_case(column.name())),
    }
}

impl Database {
    /// Adds system columns to tables. Rows that are there keep NULL in them; numbers of users refer to `_users` where
    /// that lies in the same database. What another process adds at the same moment is as good.
    ///
    /// Errors: those of reading the catalogue. What fails for a table is logged and told.
    pub async fn add_system_columns(&self, lacking: Vec<Lacking>, pace: Pace) -> Result<Completed> {
        let mut completed = Completed::default();
        let tables = self.natures(pace).await?;
        let mut tried = Vec::new();
        for lacking in lacking {
            let Some(nature) = tables.get(&lacking.table) else { continue };
            if pace.largest.is_some_and(|largest| nature.rows > largest) {
                tracing::warn!(
                    table = lacking.table,
                    rows = nature.rows,
                    "the table is large and lacks system columns; add them by `insula migrate`"
                );
                completed.left.push(lacking);
                continue;
            }
            let begun = Instant::now();
            let error = self.extend(&lacking, nature, pace).await.err();
            let milliseconds = begun.elapsed().as_millis() as u64;
            tried.push((lacking, milliseconds, error));
        }
        self.refresh_schema().await?;
        let schema = self.schema();
        for (lacking, milliseconds, error) in tried {
            let there =
                schema.table(&lacking.table).is_none_or(|table| lacking.columns.iter().all(|it| has(table, *it)));
            let columns = lacking.columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
            match error {
                Some(error) if !there => {
                    tracing::warn!(table = lacking.table, columns, milliseconds, %error, "system columns cannot be added");
                    completed.failed.push(lacking);
                }
                error => {
                    // Another process may have been quicker.
                    let error = error.map(tracing::field::display);
                    tracing::info!(table = lacking.table, columns, milliseconds, error, "system columns were added");
                    completed.added.push(lacking);
                }
            }
        }
        Ok(completed)
    }

    async fn extend(&self, lacking: &Lacking, nature: &Nature, pace: Pace) -> Result<()> {
        let refers = self.schema().table(USERS).is_some();
        match self.dialect() {
            Dialect::Sqlite => self.script(sqlite(lacking, nature, refers, self.schema().table(&lacking.table))).await,
            Dialect::Postgres => self.script(postgres(lacking, refers, pace)).await,
            Dialect::Mariadb => self.script(mariadb(lacking, refers, pace).join("; ")).await,
        }
    }

    /// What the tables are that can be extended, by name.
    async fn natures(&self, pace: Pace) -> Result<HashMap<String, Nature>> {
        let schema = self.schema();
        let plain = |table: &Table| (table.name.clone(), Nature::default());
        let mut natures: HashMap<_, _> =
            schema.tables().filter(|table| table.extensible).map(|table| plain(table)).collect();
        match self.dialect() {
            Dialect::Postgres => {}
            Dialect::Sqlite => {
                let sql = "SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main'";
                for row in self.fixed(Statement::fixed(sql)).await? {
                    if let Some(nature) = natures.get_mut(row.text(0)?) {
                        (nature.without_row_id, nature.strict) = (row.int(1)? != 0, row.int(2)? != 0);
                    }
                }
            }
            Dialect::Mariadb if pace.largest.is_none() => {}
            Dialect::Mariadb => {
                let sql = "SELECT table_name, CAST(COALESCE(table_rows, 0) AS SIGNED) FROM information_schema.tables \
                    WHERE table_schema = ?";
                let database = self.qualifier().map(std::string::ToString::to_string);
                let statement = Statement { sql: sql.into(), values: vec![database.into()] };
                for row in self.fixed(statement).await? {
                    if let Some(nature) = natures.get_mut(row.text(0)?) {
                        nature.rows = u64::try_from(row.int(1)?).unwrap_or_default();
                    }
                }
            }
        }
        Ok(natures)
    }
}

/// What the catalogue does not tell of a table.
#[derive(Debug, Default)]
struct Nature {
    /// About how many rows it has, where that matters.
    rows: u64,
    without_row_id: bool,
    /// Whether it takes SQLite's own types alone.
    strict: bool,
}

/// A column with a reference; new ones are empty, so that no row is looked at.
fn refers_to_users(quote: char) -> String {
    format!(" REFERENCES {quote}{USERS}{quote} ({quote}number{quote}) ON DELETE SET NULL ON UPDATE CASCADE")
}

fn postgres(lacking: &Lacking, refers: bool, pace: Pace) -> String {
    let table = quoted(&lacking.table, '"');
    let reference = if refers { refers_to_users('"') } else { String::new() };
    let add = |column: &SystemColumn| {
        if column.is_moment() {
            format!("ADD COLUMN IF NOT EXISTS {} timestamptz(6)", column.name())
        } else {
            format!("ADD COLUMN IF NOT EXISTS {} bigint{reference}", column.name())
        }
    };
    let adds: Vec<_> = lacking.columns.iter().map(add).collect();
    let mut sql =
        format!("SET LOCAL lock_timeout = {}; ALTER TABLE {table} {};", pace.lock.as_millis(), adds.join(", "));
    // In a statement of its own, or rows that are there would have been made now.
    if lacking.columns.contains(&SystemColumn::CreatedAt) {
        // Writing to text does not fail.
        let _ = write!(sql, " ALTER TABLE {table} ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP;");
    }
    sql
}

/// Statement by statement: each is committed by itself.
fn mariadb(lacking: &Lacking, refers: bool, pace: Pace) -> Vec<String> {
    let table = quoted(&lacking.table, '`');
    let begin = format!(
        "SET STATEMENT lock_wait_timeout = {}, foreign_key_checks = 0 FOR ALTER TABLE {table}",
        pace.lock.as_secs().max(1)
    );
    let add = |column: &SystemColumn| {
        if column.is_moment() {
            format!("ADD COLUMN IF NOT EXISTS {} timestamp(6) NULL DEFAULT NULL", column.name())
        } else {
            format!("ADD COLUMN IF NOT EXISTS {} bigint NULL", column.name())
        }
    };
    let adds: Vec<_> = lacking.columns.iter().map(add).collect();
    let mut sql = vec![format!("{begin} {}", adds.join(", "))];
    if lacking.columns.contains(&SystemColumn::CreatedAt) {
        sql.push(format!("{begin} ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(6)"));
    }
    let references: Vec<_> = lacking
        .columns
        .iter()
        .filter(|column| refers && !column.is_moment())
        .map(|column| {
            // A name, so that two processes do not both add one; it must be unique in the database.
            let name = quoted(&reference_name(&lacking.table, *column), '`');
            let column = column.name();
            format!("ADD CONSTRAINT {name} FOREIGN KEY IF NOT EXISTS {name} ({column}){}", refers_to_users('`'))
        })
        .collect();
    if !references.is_empty() {
        sql.push(format!("{begin} {}", references.join(", ")));
    }
    sql
}

/// The name of a reference; names of tables that are too long for it give way to their checksum.
fn reference_name(table: &str, column: SystemColumn) -> String {
    const MOST_CHARACTERS: usize = 64;
    let name = format!("{table}_{}", column.name());
    if name.chars().count() <= MOST_CHARACTERS {
        return name;
    }
    format!("{}_{}", &crate::migration::checksum(table)[..16], column.name())
}

fn sqlite(lacking: &Lacking, nature: &Nature, refers: bool, table: Option<&std::sync::Arc<Table>>) -> String {
    let name = quoted(&lacking.table, '"');
    let (moment, number) = if nature.strict { ("TEXT", "INTEGER") } else { ("TIMESTAMP", "BIGINT") };
    let reference = if refers { refers_to_users('"') } else { String::new() };
    let add = |column: &SystemColumn| {
        if column.is_moment() {
            format!("ALTER TABLE {name} ADD COLUMN {} {moment};", column.name())
        } else {
            format!("ALTER TABLE {name} ADD COLUMN {} {number}{reference};", column.name())
        }
    };
    let mut sql: String = lacking.columns.iter().map(add).collect();
    if let (true, Some(table)) = (lacking.columns.contains(&SystemColumn::CreatedAt), table) {
        sql.push_str(&created_at_trigger(&name, table, nature));
    }
    sql
}

/// SQLite cannot add a column whose default is the time of the insert, so that a trigger does what a default would.
fn created_at_trigger(name: &str, table: &Table, nature: &Nature) -> String {
    let trigger = quoted(&format!("insula_created_at_{}", table.name), '"');
    let taken = |alias: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(alias));
    let row = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !nature.without_row_id && !taken(alias));
    let same = if let Some(row) = row {
        format!("{row} = NEW.{row}")
    } else {
        let key = table.key.iter().map(|position| quoted(&table.columns[*position].name, '"'));
        key.map(|column| format!("{column} = NEW.{column}")).collect::<Vec<_>>().join(" AND ")
    };
    if same.is_empty() {
        return String::new();
    }
    format!(
        "CREATE TRIGGER IF NOT EXISTS {trigger} AFTER INSERT ON {name} WHEN NEW.created_at IS NULL BEGIN \
         UPDATE {name} SET created_at = strftime('%Y-%m-%d %H:%M:%f000', 'now') WHERE {same}; END;"
    )
}

fn quoted(name: &str, quote: char) -> String {
    let twice = format!("{quote}{quote}");
    format!("{quote}{}{quote}", name.replace(quote, &twice))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use kernel::columns::SystemColumn;

    use super::{Lacking, Nature, Pace, lacking, mariadb, postgres, sqlite};
    use crate::Schema;

    const PACE: Pace = Pace { lock: Duration::from_secs(3), largest: None };

    fn schema(sql: &str) -> Arc<Schema> {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        crate::schema::sqlite::read(&connection).unwrap()
    }

    #[test]
    fn views_and_tables_that_have_all_lack_nothing() {
        let schema = schema(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, Created_At TIMESTAMP, pinned_to BIGINT);
             CREATE TABLE b (created_at, created_by, last_modified_at, last_modified_by, pinned_to);
             CREATE VIEW c AS SELECT id FROM a; CREATE VIRTUAL TABLE d USING fts5 (text);",
        );
        let all = lacking(&schema, |_, _| true);
        let columns = vec![SystemColumn::CreatedBy, SystemColumn::LastModifiedAt, SystemColumn::LastModifiedBy];
        assert_eq!(all, [Lacking { table: "a".into(), columns }]);
        assert!(lacking(&schema, |table, _| table == "b").is_empty());
    }

    #[test]
    fn sqlite_fills_in_the_moment_of_any_insert() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let tables = [
            ("plain", "CREATE TABLE plain (rowid TEXT, note TEXT)", Nature::default()),
            ("Or\"der", "CREATE TABLE \"Or\"\"der\" (id INTEGER PRIMARY KEY, note TEXT)", Nature::default()),
            (
                "keyed",
                "CREATE TABLE keyed (\"a b\" TEXT, b INTEGER, note TEXT, PRIMARY KEY (\"a b\", b)) STRICT, WITHOUT ROWID",
                Nature { without_row_id: true, strict: true, rows: 0 },
            ),
        ];
        for (table, create, nature) in tables {
            connection.execute_batch(create).unwrap();
            let schema = crate::schema::sqlite::read(&connection).unwrap();
            let lacking = Lacking { table: table.into(), columns: SystemColumn::ALL.into() };
            connection.execute_batch(&sqlite(&lacking, &nature, false, schema.table(table))).unwrap();
            let name = table.replace('"', "\"\"");
            let keys = if table == "keyed" { "\"a b\", b, note" } else { "note" };
            let values = if table == "keyed" { "'x', 1, 'n'" } else { "'n'" };
            connection.execute(&format!("INSERT INTO \"{name}\" ({keys}) VALUES ({values})"), []).unwrap();
            let sql = format!("SELECT created_at FROM \"{name}\"");
            let moment: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(moment.len(), "2026-11-21 23:27:06.894988".len(), "{moment}");
        }
    }

    #[test]
    fn names_are_quoted_and_rows_that_are_there_keep_null() {
        let lacking =
            Lacking { table: "select`\"".into(), columns: vec![SystemColumn::CreatedAt, SystemColumn::PinnedTo] };
        let sql = postgres(&lacking, true, PACE);
        assert_eq!(
            sql,
            "SET LOCAL lock_timeout = 3000; ALTER TABLE \"select`\"\"\" ADD COLUMN IF NOT EXISTS created_at timestamptz(6), \
             ADD COLUMN IF NOT EXISTS pinned_to bigint REFERENCES \"_users\" (\"number\") ON DELETE SET NULL ON UPDATE CASCADE; \
             ALTER TABLE \"select`\"\"\" ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP;"
        );
        let sql = mariadb(&lacking, false, PACE);
        assert_eq!(sql.len(), 2, "nothing to refer to");
        assert!(sql.iter().all(|sql| sql.contains("FOR ALTER TABLE `select``\"` ")), "{sql:?}");
    }
}
