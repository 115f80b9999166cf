//! Hands bound values to each driver.

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sea_query::Value;
use tokio_postgres::types::{Format, IsNull, Type};

/// A value on its way into SQLite.
pub(crate) struct Sqlite<'a>(pub(crate) &'a Value);

impl rusqlite::ToSql for Sqlite<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Bool(Some(flag)) => ValueRef::Integer(i64::from(*flag)),
            Value::TinyInt(Some(number)) => ValueRef::Integer(i64::from(*number)),
            Value::SmallInt(Some(number)) => ValueRef::Integer(i64::from(*number)),
            Value::Int(Some(number)) => ValueRef::Integer(i64::from(*number)),
            Value::BigInt(Some(number)) => ValueRef::Integer(*number),
            Value::Unsigned(Some(number)) => ValueRef::Integer(i64::from(*number)),
            // Only limits and offsets are unsigned; one beyond the range has no further rows to give.
            Value::BigUnsigned(Some(number)) => ValueRef::Integer(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Double(Some(number)) => ValueRef::Real(*number),
            Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            _ => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// A value on its way into PostgreSQL.
///
/// It is sent in text form, so that the server reads it as whatever type the statement wants in its place:
/// dates, decimals, enums and types that this program has never heard of need no code here.
#[derive(Debug)]
pub(crate) struct Postgres<'a>(pub(crate) &'a Value);

impl tokio_postgres::types::ToSql for Postgres<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        use std::fmt::Write;
        match self.0 {
            Value::Bool(Some(flag)) => out.extend_from_slice(if *flag { b"t" } else { b"f" }),
            Value::TinyInt(Some(number)) => write!(out, "{number}")?,
            Value::SmallInt(Some(number)) => write!(out, "{number}")?,
            Value::Int(Some(number)) => write!(out, "{number}")?,
            Value::BigInt(Some(number)) => write!(out, "{number}")?,
            Value::Unsigned(Some(number)) => write!(out, "{number}")?,
            Value::BigUnsigned(Some(number)) => write!(out, "{}", i64::try_from(*number).unwrap_or(i64::MAX))?,
            Value::Double(Some(number)) => write!(out, "{number}")?,
            Value::String(Some(text)) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(Some(bytes)) => {
                out.extend_from_slice(b"\\x");
                for byte in bytes {
                    write!(out, "{byte:02x}")?;
                }
            }
            _ => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A value on its way into MariaDB.
pub(crate) fn mariadb(value: &Value) -> mysql_async::Value {
    use mysql_async::Value as Out;
    match value {
        Value::Bool(Some(flag)) => Out::Int(i64::from(*flag)),
        Value::TinyInt(Some(number)) => Out::Int(i64::from(*number)),
        Value::SmallInt(Some(number)) => Out::Int(i64::from(*number)),
        Value::Int(Some(number)) => Out::Int(i64::from(*number)),
        Value::BigInt(Some(number)) => Out::Int(*number),
        Value::Unsigned(Some(number)) => Out::UInt(u64::from(*number)),
        Value::BigUnsigned(Some(number)) => Out::UInt(*number),
        Value::Double(Some(number)) => Out::Double(*number),
        Value::String(Some(text)) => Out::Bytes(text.as_bytes().to_vec()),
        Value::Bytes(Some(bytes)) => Out::Bytes(bytes.clone()),
        _ => Out::NULL,
    }
}
