//! Numbered steps of the features' system tables, and what has been applied of them.

use std::{collections::HashMap, fmt::Write, sync::OnceLock};

use sea_query::{Alias, Expr, Order, Query};
use sha2::{Digest, Sha256};

use crate::{Database, Ddl, Dialect, Error, Result, Value};

/// The table that remembers what was applied.
const TABLE: &str = "_migrations";

/// One step of a feature's tables. A step that has been released never changes; a further step follows it.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The feature, such as `identity`.
    pub feature: &'static str,
    /// 1, 2, 3 … within the feature.
    pub number: u32,
    /// What it does, in a few words.
    pub name: &'static str,
    /// The SQL statements for a database; they may be run again after an interrupted try.
    pub statements: fn(&Ddl) -> Vec<String>,
}

/// A step that a database remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) checksum: String,
    pub(crate) name: String,
}

/// Applies the steps that a database does not have yet, each in a transaction of its own where the database can.
///
/// Errors: [`Error::Migration`] where a remembered step has another checksum or is not known here at all, because
/// the data was written by a newer version. Nothing is guessed.
pub async fn migrate(database: &Database, migrations: &[Migration]) -> Result<()> {
    Steps::from(migrations.to_vec()).apply(database).await
}

/// The steps of all features, with their checksums: most databases that are opened have them all.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    steps: Vec<Migration>,
    /// By dialect, found out when a database of that dialect is opened first.
    checksums: [OnceLock<Vec<String>>; 3],
}

impl From<Vec<Migration>> for Steps {
    fn from(steps: Vec<Migration>) -> Self {
        Self { steps, checksums: Default::default() }
    }
}

impl Steps {
    /// See [`migrate`].
    pub(crate) async fn apply(&self, database: &Database) -> Result<()> {
        let pending = self.pending(database, &remembered(database).await?)?;
        for (step, checksum) in &pending {
            let sql = (step.statements)(&database.ddl()).join(";\n");
            apply(database, step.feature, step.number, step.name, checksum, &sql).await?;
        }
        if pending.is_empty() { Ok(()) } else { database.refresh_schema().await }
    }

    /// Whether [`Self::apply`] would find nothing wrong, without a change: tells whether it would have nothing to do either.
    ///
    /// Errors: those of [`migrate`], and [`Error::Migration`] where no step was ever applied.
    pub(crate) async fn check(&self, database: &Database) -> Result<bool> {
        if database.schema().table(TABLE).is_none() {
            return Err(Error::Migration("the database holds none of Insula's tables".to_owned()));
        }
        Ok(self.pending(database, &remembered(database).await?)?.is_empty())
    }

    /// The steps that a database does not have yet, with their checksums.
    fn pending(
        &self,
        database: &Database,
        applied: &HashMap<(String, u32), Remembered>,
    ) -> Result<Vec<(&Migration, &str)>> {
        for (feature, number) in applied.keys().filter(|(feature, _)| feature != crate::scripts::FEATURE) {
            if !self.steps.iter().any(|step| step.feature == feature && step.number == *number) {
                return Err(Error::Migration(format!(
                    "the database has step {number} of {feature}, which this version does not know: use a newer version"
                )));
            }
        }
        let mut pending = Vec::new();
        for (step, checksum) in self.steps.iter().zip(self.checksums(database.dialect())) {
            match applied.get(&(step.feature.to_owned(), step.number)) {
                Some(known) if known.checksum == *checksum => {}
                Some(_) => {
                    return Err(Error::Migration(format!(
                        "step {} of {} ({}) is not the one that was applied: its checksum differs",
                        step.number, step.feature, step.name
                    )));
                }
                None => pending.push((step, checksum.as_str())),
            }
        }
        Ok(pending)
    }

    fn checksums(&self, dialect: Dialect) -> &[String] {
        let place = match dialect {
            Dialect::Sqlite => 0,
            Dialect::Postgres => 1,
            Dialect::Mariadb => 2,
        };
        self.checksums[place].get_or_init(|| {
            let plain = Ddl::new(dialect, None);
            self.steps.iter().map(|step| checksum(&(step.statements)(&plain).join(";\n"))).collect()
        })
    }
}

/// Runs one step and remembers it. Where another process was quicker, its work stands.
pub(crate) async fn apply(
    database: &Database,
    feature: &str,
    number: u32,
    name: &str,
    checksum: &str,
    sql: &str,
) -> Result<()> {
    let mut insert = Query::insert();
    insert.into_table(database.ddl().table(TABLE));
    insert.columns(["feature", "number", "name", "checksum", "applied_at"].map(Alias::new));
    let values = [
        Value::from(feature),
        Value::from(i64::from(number)),
        Value::from(name),
        Value::from(checksum),
        Value::from(kernel::time::now()),
    ];
    insert.values(values.map(Expr::from)).map_err(|error| Error::Driver(error.to_string().into()))?;
    let record = match database.dialect() {
        crate::Dialect::Sqlite => insert.to_string(sea_query::SqliteQueryBuilder),
        crate::Dialect::Postgres => insert.to_string(sea_query::PostgresQueryBuilder),
        crate::Dialect::Mariadb => insert.to_string(sea_query::MysqlQueryBuilder),
    };
    match database.script(format!("{};\n{record}", sql.trim().trim_end_matches(';'))).await {
        Err(_) if remembered(database).await?.contains_key(&(feature.to_owned(), number)) => Ok(()),
        other => other,
    }
}

/// Whether a database holds the tables of features already.
pub(crate) async fn is_taken(database: &Database) -> Result<bool> {
    if database.schema().table(TABLE).is_none() {
        return Ok(false);
    }
    Ok(remembered(database).await?.keys().any(|(feature, _)| feature != crate::scripts::FEATURE))
}

/// What a database remembers, by feature and number.
pub(crate) async fn remembered(database: &Database) -> Result<HashMap<(String, u32), Remembered>> {
    if database.schema().table(TABLE).is_none() {
        create_table(database).await?;
        return Ok(HashMap::new());
    }
    let mut select = Query::select();
    select.columns(["feature", "number", "checksum", "name"].map(Alias::new)).from(database.ddl().table(TABLE));
    select.order_by(Alias::new("number"), Order::Asc);
    let rows = database.read(&select).await?;
    let entry = |row: &crate::Row| {
        let key = (row.text(0)?.to_owned(), row.int(1)? as u32);
        Ok((key, Remembered { checksum: row.text(2)?.to_owned(), name: row.text(3)?.to_owned() }))
    };
    rows.iter().map(entry).collect()
}

async fn create_table(database: &Database) -> Result<()> {
    let ddl = database.ddl();
    let mut table = ddl.create(
        TABLE,
        [
            ddl.text("feature", 64).not_null().take(),
            ddl.bigint("number").not_null().take(),
            ddl.text("name", 200).not_null().take(),
            ddl.text("checksum", 64).not_null().take(),
            ddl.timestamp("applied_at"),
        ],
    );
    let mut key = sea_query::Index::create();
    table.primary_key(key.col(Alias::new("feature")).col(Alias::new("number")));
    let made = database.script(ddl.sql(&table)).await;
    database.refresh_schema().await?;
    // Another process may have been quicker.
    if database.schema().table(TABLE).is_some() { Ok(()) } else { made }
}

/// The SHA-256 of a step's text, in hexadecimal.
pub(crate) fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to text does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
