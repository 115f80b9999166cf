//! Reads the catalogue of a PostgreSQL schema.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Column, Dialect, Kind, Result, Schema, Table,
    postgres::{Client, map_error},
};

const TABLES: &str = "SELECT c.relname, c.relkind IN ('v', 'm'), c.relkind IN ('r', 'p') AND NOT c.relispartition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
const COLUMNS: &str = "SELECT c.relname, a.attname, t.typname, a.atttypmod, a.attnotnull, \
        a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a', \
        (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder)::text[] FROM pg_enum e WHERE e.enumtypid = t.oid), \
        co.collname \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation co ON co.oid = a.attcollation \
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY c.relname, a.attnum";
const KEYS: &str = "SELECT c.relname, i.relname, x.indisprimary, \
        array_agg(a.attname ORDER BY array_position(x.indkey::int2[], a.attnum))::text[] \
    FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey::int2[]) \
    WHERE n.nspname = $1 AND x.indisunique AND x.indpred IS NULL AND NOT 0 = ANY (x.indkey::int2[]) \
    GROUP BY c.relname, i.relname, x.indisprimary ORDER BY c.relname, x.indisprimary DESC, i.relname";

/// Whether text of the database is ordered otherwise than by code points.
pub(crate) async fn has_foreign_collation(client: &Client) -> Result<bool> {
    let sql = "SELECT datcollate NOT IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8') FROM pg_database WHERE datname = current_database()";
    let row = client.query_one(sql, &[]).await.map_err(map_error)?;
    Ok(row.get(0))
}

/// Reads all tables and views.
pub(crate) async fn read(client: &Client, schema: &Arc<str>, foreign_collation: bool) -> Result<Schema> {
    let name = schema.as_ref();
    let mut tables: HashMap<String, Table> = HashMap::new();
    for row in client.query(TABLES, &[&name]).await.map_err(map_error)? {
        let mut table = Table::new(row.get(0), Some(Arc::clone(schema)), Dialect::Postgres, row.get(1));
        table.extensible = row.get(2);
        tables.insert(table.name.clone(), table);
    }
    for row in client.query(COLUMNS, &[&name]).await.map_err(map_error)? {
        let Some(table) = tables.get_mut(row.get::<_, &str>(0)) else { continue };
        let words: Option<Vec<String>> = row.get(7);
        let (kind, read_as_text) = kind_of(row.get(2), row.get(3), words);
        let collation: Option<&str> = row.get(8);
        let foreign = match collation {
            Some("default") => foreign_collation,
            Some(name) => !matches!(name, "C" | "POSIX" | "ucs_basic" | "C.utf8" | "C.UTF-8"),
            None => false,
        };
        table.push(Column {
            name: Arc::from(row.get::<_, &str>(1)),
            kind,
            nullable: !row.get::<_, bool>(4),
            has_default: row.get(5),
            generated: row.get(6),
            read_as_text,
            foreign_collation: foreign,
        });
    }
    for row in client.query(KEYS, &[&name]).await.map_err(map_error)? {
        let Some(table) = tables.get_mut(row.get::<_, &str>(0)) else { continue };
        let columns: Vec<String> = row.get(3);
        if row.get(2) {
            table.key = columns.iter().filter_map(|column| table.position(column)).collect();
        }
        table.add_unique(row.get(1), columns);
    }
    Ok(Schema::new(tables.into_values()))
}

/// The kind of a type, and whether it must be read as text because its binary form is not decoded here.
fn kind_of(name: &str, modifier: i32, words: Option<Vec<String>>) -> (Kind, bool) {
    if let Some(words) = words {
        return (Kind::Enum(words.into()), false);
    }
    // A modifier of text is its length, of a decimal its digits, both with an offset of 4; -1 means none.
    let size = u32::try_from(modifier - 4).ok();
    let kind = match name {
        "bool" => Kind::Bool,
        "int2" => Kind::Int { min: i64::from(i16::MIN), max: i64::from(i16::MAX) },
        "int4" => Kind::Int { min: i64::from(i32::MIN), max: i64::from(i32::MAX) },
        "int8" => Kind::BIGINT,
        "float4" | "float8" => Kind::Float,
        "numeric" => {
            return (
                Kind::Decimal { precision: size.map(|size| size >> 16), scale: size.map(|size| size & 0x7ff) },
                true,
            );
        }
        "varchar" | "bpchar" => Kind::Text { max: size },
        "text" | "name" | "citext" => Kind::Text { max: None },
        "bytea" => Kind::Bytes,
        "date" => Kind::Date,
        "timestamp" => Kind::DateTime,
        "timestamptz" => Kind::Timestamp,
        "time" => Kind::Time,
        "json" | "jsonb" => Kind::Json,
        "uuid" => Kind::Uuid,
        _ => return (Kind::Other, true),
    };
    (kind, false)
}

#[cfg(test)]
mod tests {
    use super::kind_of;
    use crate::Kind;

    #[test]
    fn modifiers_are_read() {
        assert_eq!(kind_of("varchar", 24, None), (Kind::Text { max: Some(20) }, false));
        assert_eq!(kind_of("varchar", -1, None), (Kind::Text { max: None }, false));
        let price = Kind::Decimal { precision: Some(10), scale: Some(2) };
        assert_eq!(kind_of("numeric", ((10 << 16) | 2) + 4, None), (price, true));
        assert_eq!(kind_of("inet", -1, None), (Kind::Other, true));
    }
}
