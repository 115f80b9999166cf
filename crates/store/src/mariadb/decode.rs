//! MariaDB's values, as JSON and as values of the server's own use.

use mysql_async::Value as Sent;

use crate::{
    Kind, Row, Value,
    cell::{self, Cell},
};

/// Writes a value as JSON in the format of its column's kind.
pub(super) fn write(out: &mut Vec<u8>, kind: &Kind, value: Option<&Sent>) {
    let Some(value) = value else { return cell::write(out, kind, &Cell::Null) };
    match value {
        Sent::NULL => cell::write(out, kind, &Cell::Null),
        Sent::Int(number) => cell::write(out, kind, &Cell::Int(*number)),
        Sent::UInt(number) => cell::write(out, kind, &Cell::Unsigned(*number)),
        Sent::Float(number) => cell::write(out, kind, &Cell::Single(*number)),
        Sent::Double(number) => cell::write(out, kind, &Cell::Float(*number)),
        Sent::Bytes(bytes) => cell::write(out, kind, &Cell::Bytes(bytes)),
        Sent::Date(..) | Sent::Time(..) => match spelled(value, *kind == Kind::Date) {
            Some(text) => cell::write(out, kind, &Cell::Text(&text)),
            None => cell::write(out, kind, &Cell::Null),
        },
    }
}

/// A date or a time as SQL spells it; none for the zero date, which is no date.
fn spelled(value: &Sent, only_date: bool) -> Option<String> {
    let fraction = |micros: u32| if micros == 0 { String::new() } else { format!(".{micros:06}") };
    match value {
        Sent::Date(0, 0, 0, ..) => None,
        Sent::Date(year, month, day, ..) if only_date => Some(format!("{year:04}-{month:02}-{day:02}")),
        Sent::Date(year, month, day, hour, minute, second, micros) => {
            Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{}", fraction(*micros)))
        }
        Sent::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if *negative { "-" } else { "" };
            let hours = days * 24 + u32::from(*hours);
            Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(*micros)))
        }
        _ => None,
    }
}

/// A row for the server's own use.
pub(super) fn row(row: mysql_async::Row) -> Row {
    let owned = |value: Sent| match value {
        Sent::NULL => Value::Null,
        Sent::Int(number) => Value::Int(number),
        Sent::UInt(number) => i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int),
        Sent::Float(number) => Value::Float(f64::from(number)),
        Sent::Double(number) => Value::Float(number),
        Sent::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        },
        moment => spelled(&moment, false).map_or(Value::Null, Value::Text),
    };
    Row(row.unwrap().into_iter().map(owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{Sent, spelled};

    #[test]
    fn times_may_be_negative_and_long() {
        assert_eq!(spelled(&Sent::Time(true, 0, 12, 0, 0, 0), false).unwrap(), "-12:00:00");
        assert_eq!(spelled(&Sent::Time(false, 34, 22, 59, 59, 0), false).unwrap(), "838:59:59");
        assert_eq!(spelled(&Sent::Date(2026, 11, 21, 0, 0, 0, 0), true).unwrap(), "2026-11-21");
        assert_eq!(spelled(&Sent::Date(0, 0, 0, 0, 0, 0, 0), false), None);
    }
}
