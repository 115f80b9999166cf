//! Reads the catalogue of an SQLite database.
//!
//! It follows from the definitions in `sqlite_schema` alone, and tenants often have the same: those share it, so that it is
//! put together once and lies in memory once.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Weak},
};

use parking_lot::Mutex;
use rusqlite::{Connection, types::ValueRef};
use sha2::{Digest, Sha256};

use crate::{Column, Dialect, Kind, Schema, Table};

const TABLES: &str = "SELECT name, type = 'view', type = 'table' FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const COLUMNS: &str = "SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value IS NOT NULL, c.pk, c.hidden \
    FROM pragma_table_list m JOIN pragma_table_xinfo(m.name) c \
    WHERE m.schema = 'main' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1 ORDER BY m.name, c.cid";
const UNIQUE: &str = "SELECT m.name, i.name, x.name \
    FROM pragma_table_list m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) x \
    WHERE m.schema = 'main' AND i.\"unique\" AND NOT i.partial AND x.name IS NOT NULL ORDER BY m.name, i.seq, x.seqno";

/// Tables whose key, where they have one, has no index of its own: it is the number of the row.
const ROW_IDS: &str = "SELECT m.name FROM pragma_table_list m WHERE m.schema = 'main' AND m.type = 'table' \
    AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) i WHERE i.origin = 'pk')";

const DEFINITIONS: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema";

/// Catalogues that are in use, by the digest of the definitions.
static KNOWN: LazyLock<Mutex<HashMap<[u8; 32], Weak<Schema>>>> = LazyLock::new(Mutex::default);

/// Reads all tables and views.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Arc<Schema>> {
    // One state of the database for all that is read.
    let snapshot = connection.unchecked_transaction()?;
    let digest = digest(&snapshot)?;
    if let Some(known) = KNOWN.lock().get(&digest).and_then(Weak::upgrade) {
        return Ok(known);
    }
    let schema = Arc::new(put_together(&snapshot)?);
    let mut known = KNOWN.lock();
    known.retain(|_, schema| schema.strong_count() > 0);
    known.insert(digest, Arc::downgrade(&schema));
    Ok(schema)
}

/// The digest of all definitions in their order.
fn digest(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut statement = connection.prepare_cached(DEFINITIONS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for index in 0..4 {
            let text = match row.get_ref(index)? {
                ValueRef::Text(text) => Some(text),
                _ => None,
            };
            // Lengths keep apart what lies side by side.
            digest.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            digest.update(text.unwrap_or_default());
        }
    }
    Ok(digest.finalize().into())
}

fn put_together(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut tables: HashMap<String, Table> = HashMap::new();
    let mut statement = connection.prepare(TABLES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let mut table = Table::new(name, None, Dialect::Sqlite, row.get(1)?);
        table.extensible = row.get(2)?;
        tables.insert(table.name.clone(), table);
    }
    read_columns(connection, &mut tables)?;
    read_row_ids(connection, &mut tables)?;
    read_unique(connection, &mut tables)?;
    Ok(Schema::new(tables.into_values()))
}

fn read_columns(connection: &Connection, tables: &mut HashMap<String, Table>) -> rusqlite::Result<()> {
    let mut keys: HashMap<String, Vec<(i64, usize)>> = HashMap::new();
    let mut rowid: HashMap<String, usize> = HashMap::new();
    let mut statement = connection.prepare(COLUMNS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let Some(table) = tables.get_mut(&name) else { continue };
        let (declared, key): (String, i64) = (row.get(2)?, row.get(5)?);
        let position = table.columns.len();
        if key > 0 {
            keys.entry(name.clone()).or_default().push((key, position));
            if declared.eq_ignore_ascii_case("integer") {
                rowid.insert(name.clone(), position);
            }
        }
        table.push(Column {
            name: Arc::from(row.get::<_, String>(1)?),
            kind: kind_of(&declared),
            nullable: !row.get::<_, bool>(3)? && key == 0,
            has_default: row.get(4)?,
            generated: row.get::<_, i64>(6)? > 1,
            read_as_text: false,
            foreign_collation: false,
        });
    }
    for (name, mut key) in keys {
        let Some(table) = tables.get_mut(&name) else { continue };
        key.sort_unstable();
        // A single key column of type INTEGER is the row id, which SQLite fills in.
        if let (1, Some(position)) = (key.len(), rowid.get(&name)) {
            table.columns[*position].has_default = true;
        }
        table.key = key.into_iter().map(|(_, position)| position).collect();
    }
    Ok(())
}

/// Before [`read_unique`], which takes unique keys for the key where there is no other.
fn read_row_ids(connection: &Connection, tables: &mut HashMap<String, Table>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(ROW_IDS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(table) = tables.get_mut(row.get_ref(0)?.as_str()?) {
            table.key_is_row_id = table.key.len() == 1;
        }
    }
    Ok(())
}

fn read_unique(connection: &Connection, tables: &mut HashMap<String, Table>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(UNIQUE)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    super::add_unique_keys(tables, rows.collect::<rusqlite::Result<Vec<_>>>()?);
    Ok(())
}

/// The kind of a declared type. SQLite keeps whatever text was declared, so that the same words as elsewhere work.
fn kind_of(declared: &str) -> Kind {
    let lower = declared.to_ascii_lowercase();
    let (word, arguments) = lower.split_once('(').unwrap_or((&lower, ""));
    let mut sizes = arguments.trim_end_matches(')').split(',').map(|size| size.trim().parse::<u32>().ok());
    let (first, second) = (sizes.next().flatten(), sizes.next().flatten());
    match word.trim() {
        "boolean" | "bool" => Kind::Bool,
        "tinyint" if first == Some(1) => Kind::Bool,
        "tinyint" => Kind::Int { min: -128, max: 127 },
        "smallint" => Kind::Int { min: i64::from(i16::MIN), max: i64::from(i16::MAX) },
        "decimal" | "numeric" | "money" => Kind::Decimal { precision: first, scale: second.or(first.map(|_| 0)) },
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "timestamp" | "timestamptz" | "timestamp with time zone" => Kind::Timestamp,
        "time" => Kind::Time,
        "json" | "jsonb" => Kind::Json,
        "uuid" => Kind::Uuid,
        word if word.contains("int") => Kind::BIGINT,
        word if word.contains("char") || word.contains("text") || word.contains("clob") => Kind::Text { max: first },
        word if word.contains("real") || word.contains("floa") || word.contains("doub") => Kind::Float,
        word if word.contains("blob") || word.contains("binary") => Kind::Bytes,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, read};
    use crate::Kind;
    use rusqlite::Connection;

    #[test]
    fn declared_types_have_their_kinds() {
        assert_eq!(kind_of("INTEGER"), Kind::BIGINT);
        assert_eq!(kind_of("TINYINT(1)"), Kind::Bool);
        assert_eq!(kind_of("DECIMAL(10,2)"), Kind::Decimal { precision: Some(10), scale: Some(2) });
        assert_eq!(kind_of("varchar(20)"), Kind::Text { max: Some(20) });
        assert_eq!(kind_of("TIMESTAMP"), Kind::Timestamp);
        assert_eq!(kind_of(""), Kind::Other);
    }

    #[test]
    fn keys_defaults_and_generated_columns_are_seen() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT NOT NULL DEFAULT 'x', l INT AS (length(n)) STORED);
                 CREATE TABLE b (x TEXT, y TEXT, z INT, PRIMARY KEY (y, x)); CREATE UNIQUE INDEX bz ON b (z);
                 CREATE TABLE c (code TEXT NOT NULL UNIQUE); CREATE VIEW v AS SELECT n FROM a;
                 CREATE TABLE d (id INTEGER PRIMARY KEY DESC); CREATE TABLE e (id INT PRIMARY KEY);
                 CREATE TABLE f (id INTEGER PRIMARY KEY) WITHOUT ROWID;
                 CREATE TABLE g (id INTEGER, n INT, PRIMARY KEY (id));",
            )
            .unwrap();
        let schema = read(&connection).unwrap();
        let table = |name: &str| schema.table(name).unwrap();
        assert!(table("a").columns[0].has_default && table("a").columns[1].has_default);
        assert!(table("a").columns[2].generated);
        assert_eq!((table("b").key.clone(), table("c").key.clone()), (vec![1, 0], vec![0]));
        let by_row_id = ["a", "b", "c", "d", "e", "f", "g", "v"].map(|name| table(name).key_is_row_id);
        assert_eq!(by_row_id, [true, false, false, false, false, false, true, false]);
        assert_eq!(table("b").unique["bz"], ["z"]);
        assert!(table("v").view && table("v").key.is_empty());
        assert!(schema.table("sqlite_schema").is_none());
    }
}
