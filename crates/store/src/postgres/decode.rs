//! PostgreSQL's binary values, as JSON and as values of the server's own use.

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time, date},
};
use tokio_postgres::{
    Row as PgRow,
    types::{FromSql, Type},
};

use crate::{
    Error, Kind, Result, Row, Value,
    cell::{self, Cell},
};

const EPOCH: Date = date(2000, 1, 1);

/// The bytes of a value with its type.
struct Raw<'a> {
    ty: Type,
    bytes: &'a [u8],
}

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self { ty: ty.clone(), bytes })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value decoded: numbers, bytes, or the text that is written for it.
enum Decoded<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Single(f32),
    Text(&'a str),
    Spelled(String),
    Bytes(&'a [u8]),
}

fn get<'a>(row: &'a PgRow, index: usize) -> Result<Option<Raw<'a>>> {
    row.try_get::<_, Option<Raw<'a>>>(index).map_err(super::map_error)
}

fn number<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::Driver("PostgreSQL sent a value of an unexpected length".into()))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| Error::Driver(error.into()))
}

fn decode<'a>(raw: &Raw<'a>) -> Result<Decoded<'a>> {
    let bytes = raw.bytes;
    Ok(match raw.ty {
        Type::BOOL => Decoded::Bool(bytes.first().is_some_and(|byte| *byte != 0)),
        Type::INT2 => Decoded::Int(i16::from_be_bytes(number(bytes)?).into()),
        Type::INT4 => Decoded::Int(i32::from_be_bytes(number(bytes)?).into()),
        Type::INT8 => Decoded::Int(i64::from_be_bytes(number(bytes)?)),
        Type::OID => Decoded::Int(u32::from_be_bytes(number(bytes)?).into()),
        Type::FLOAT4 => Decoded::Single(f32::from_be_bytes(number(bytes)?)),
        Type::FLOAT8 => Decoded::Float(f64::from_be_bytes(number(bytes)?)),
        Type::BYTEA => Decoded::Bytes(bytes),
        Type::JSONB => Decoded::Text(text(bytes.get(1..).unwrap_or_default())?),
        Type::UUID => Decoded::Spelled(uuid::Uuid::from_bytes(number(bytes)?).to_string()),
        Type::DATE => Decoded::Spelled(spelled_date(i32::from_be_bytes(number(bytes)?))),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Decoded::Spelled(spelled_moment(i64::from_be_bytes(number(bytes)?))),
        Type::TIME => Decoded::Spelled(spelled_time(i64::from_be_bytes(number(bytes)?))),
        _ => Decoded::Text(text(bytes)?),
    })
}

fn spelled_date(days: i32) -> String {
    let days = SignedDuration::from_hours(i64::from(days).saturating_mul(24));
    EPOCH.checked_add(days).map_or_else(|_| "infinity".into(), |date| date.to_string())
}

fn spelled_moment(micros: i64) -> String {
    let moment = DateTime::from_parts(EPOCH, Time::midnight()).checked_add(SignedDuration::from_micros(micros));
    match moment {
        Ok(moment) => spelled(moment, "%Y-%m-%d %H:%M:%S", moment.subsec_nanosecond()),
        Err(_) if micros > 0 => "infinity".into(),
        Err(_) => "-infinity".into(),
    }
}

fn spelled(moment: DateTime, format: &str, nanoseconds: i32) -> String {
    match nanoseconds / 1_000 {
        0 => moment.strftime(format).to_string(),
        micros => format!("{}.{micros:06}", moment.strftime(format)),
    }
}

fn spelled_time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { clock } else { format!("{clock}.{fraction:06}") }
}

/// Writes a value as JSON in the format of its column's kind.
pub(super) fn write(out: &mut Vec<u8>, kind: &Kind, row: &PgRow, index: usize) -> Result<()> {
    let Some(raw) = get(row, index)? else {
        cell::write(out, kind, &Cell::Null);
        return Ok(());
    };
    match decode(&raw)? {
        Decoded::Bool(flag) => cell::json(out, &flag),
        Decoded::Int(number) => cell::write(out, kind, &Cell::Int(number)),
        Decoded::Float(number) => cell::write(out, kind, &Cell::Float(number)),
        Decoded::Single(number) => cell::write(out, kind, &Cell::Single(number)),
        // PostgreSQL has checked its JSON; nobody needs to parse it once more.
        Decoded::Text(text) if *kind == Kind::Json => out.extend_from_slice(text.as_bytes()),
        Decoded::Text(text) => cell::write(out, kind, &Cell::Text(text)),
        Decoded::Spelled(text) => cell::write(out, kind, &Cell::Text(&text)),
        Decoded::Bytes(bytes) => cell::write(out, kind, &Cell::Bytes(bytes)),
    }
    Ok(())
}

/// Whether the number at a position is not 0.
pub(super) fn flag(row: &PgRow, index: usize) -> Result<bool> {
    let Some(raw) = get(row, index)? else { return Ok(false) };
    Ok(matches!(decode(&raw)?, Decoded::Int(1..)))
}

/// A row for the server's own use.
pub(super) fn row(row: &PgRow) -> Result<Row> {
    let values = (0..row.len()).map(|index| {
        let Some(raw) = get(row, index)? else { return Ok(Value::Null) };
        Ok(match decode(&raw)? {
            Decoded::Bool(flag) => Value::Bool(flag),
            Decoded::Int(number) => Value::Int(number),
            Decoded::Float(number) => Value::Float(number),
            Decoded::Single(number) => Value::Float(f64::from(number)),
            Decoded::Text(text) => Value::Text(text.to_owned()),
            Decoded::Spelled(text) => Value::Text(text),
            Decoded::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        })
    });
    values.collect::<Result<_>>().map(Row)
}

#[cfg(test)]
mod tests {
    use super::{spelled_date, spelled_moment, spelled_time};

    #[test]
    fn binary_dates_are_spelled_like_sql() {
        assert_eq!(spelled_date(9_821), "2026-11-21");
        assert_eq!(spelled_date(-1), "1999-12-31");
        assert_eq!(spelled_moment(0), "2000-01-01 00:00:00");
        assert_eq!(spelled_moment(1_500_000), "2000-01-01 00:00:01.500000");
        assert_eq!(spelled_moment(i64::MAX), "infinity");
        assert_eq!(spelled_time(86_399_000_001), "23:59:59.000001");
    }
}
