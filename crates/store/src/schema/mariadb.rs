//! Reads the catalogue of a MariaDB database.

use std::{collections::HashMap, sync::Arc};

use mysql_async::{Conn, prelude::Queryable};

use crate::{Column, Dialect, Kind, Result, Schema, Table, mariadb::map_error};

const TABLES: &str = "SELECT table_name, table_type <> 'BASE TABLE' FROM information_schema.tables \
    WHERE table_schema = ? AND table_type IN ('BASE TABLE', 'VIEW')";
const COLUMNS: &str = "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable = 'YES', \
        c.column_default IS NOT NULL AND c.column_default <> 'NULL' OR c.extra LIKE '%auto_increment%', \
        c.is_generated <> 'NEVER', COALESCE(c.collation_name NOT LIKE '%nopad_bin', FALSE), \
        EXISTS (SELECT 1 FROM information_schema.check_constraints k WHERE k.constraint_schema = c.table_schema \
            AND k.table_name = c.table_name AND k.check_clause = CONCAT('json_valid(`', c.column_name, '`)')) \
    FROM information_schema.columns c WHERE c.table_schema = ? ORDER BY c.table_name, c.ordinal_position";
const KEYS: &str = "SELECT table_name, index_name, column_name FROM information_schema.statistics \
    WHERE table_schema = ? AND non_unique = 0 ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index";

type ColumnRow = (String, String, String, bool, bool, bool, bool, bool);

/// Reads all tables and views.
pub(crate) async fn read(connection: &mut Conn, database: &Arc<str>) -> Result<Schema> {
    let parameters = || (database.as_ref(),);
    let mut tables: HashMap<String, Table> = HashMap::new();
    let rows: Vec<(String, bool)> = connection.exec(TABLES, parameters()).await.map_err(map_error)?;
    for (name, view) in rows {
        tables.insert(name.clone(), Table::new(name, Some(Arc::clone(database)), Dialect::Mariadb, view));
    }
    let rows: Vec<ColumnRow> = connection.exec(COLUMNS, parameters()).await.map_err(map_error)?;
    for (table, name, declared, nullable, has_default, generated, foreign_collation, is_json) in rows {
        let Some(table) = tables.get_mut(&table) else { continue };
        let kind = if is_json { Kind::Json } else { kind_of(&declared) };
        let foreign_collation = foreign_collation && kind.is_text();
        table.push(Column {
            name: name.into(),
            kind,
            nullable,
            has_default,
            generated,
            read_as_text: false,
            foreign_collation,
        });
    }
    let rows: Vec<(String, String, String)> = connection.exec(KEYS, parameters()).await.map_err(map_error)?;
    super::add_unique_keys(&mut tables, rows);
    Ok(Schema::new(tables.into_values()))
}

/// The kind of a column type such as `int(11) unsigned` or `enum('a','b')`.
fn kind_of(declared: &str) -> Kind {
    let unsigned = declared.contains("unsigned");
    let (word, rest) = declared.split_once(['(', ' ']).unwrap_or((declared, ""));
    let arguments = rest.split_once(')').map_or(rest, |(inside, _)| inside);
    let mut sizes = arguments.split(',').map(|size| size.trim().parse::<u32>().ok());
    let (first, second) = (sizes.next().flatten(), sizes.next().flatten());
    let int = |bits: u32| match (unsigned, bits) {
        (false, 64) => Kind::BIGINT,
        (true, 64) => Kind::BigUnsigned,
        (false, bits) => Kind::Int { min: -(1 << (bits - 1)), max: (1 << (bits - 1)) - 1 },
        (true, bits) => Kind::Int { min: 0, max: (1 << bits) - 1 },
    };
    match word {
        "tinyint" if first == Some(1) => Kind::Bool,
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" => int(32),
        "bigint" => int(64),
        "decimal" => Kind::Decimal { precision: first, scale: second },
        "float" | "double" => Kind::Float,
        "char" | "varchar" => Kind::Text { max: first },
        "tinytext" | "text" | "mediumtext" | "longtext" => Kind::Text { max: None },
        "enum" => Kind::Enum(words(declared).into()),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Bytes,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "timestamp" => Kind::Timestamp,
        "time" => Kind::Time,
        "uuid" => Kind::Uuid,
        "bit" => Kind::Bit { width: first.unwrap_or(1) },
        "year" => Kind::Int { min: 0, max: 2155 },
        _ => Kind::Other,
    }
}

/// The words in `enum('a','it''s')`.
fn words(declared: &str) -> Vec<String> {
    let inside = declared.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let inside = inside.trim_start_matches('\'').trim_end_matches('\'');
    inside.split("','").map(|word| word.replace("''", "'")).collect()
}

#[cfg(test)]
mod tests {
    use super::kind_of;
    use crate::Kind;

    #[test]
    fn column_types_have_their_kinds() {
        assert_eq!(kind_of("tinyint(1)"), Kind::Bool);
        assert_eq!(kind_of("int(10) unsigned"), Kind::Int { min: 0, max: 4_294_967_295 });
        assert_eq!(kind_of("bigint(20) unsigned"), Kind::BigUnsigned);
        assert_eq!(kind_of("decimal(10,2)"), Kind::Decimal { precision: Some(10), scale: Some(2) });
        assert_eq!(kind_of("enum('a','it''s')"), Kind::Enum(vec!["a".into(), "it's".into()].into()));
        assert_eq!(kind_of("datetime"), Kind::DateTime);
        assert_eq!(kind_of("year(4)"), Kind::Int { min: 0, max: 2155 });
    }
}
