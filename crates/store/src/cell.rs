//! Writes one value of a driver's row as JSON, in the format of its column's kind.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{Error, Kind, OutputColumn, Result};

/// Bytes of rows that one read may bring together; one row alone may be larger.
pub(crate) const MOST: usize = 64 << 20;

/// A value as a driver hands it over, not yet formatted.
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Single(f32),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Appends rows as objects of a JSON array, one after the other.
pub(crate) struct Rows<'a> {
    out: &'a mut Vec<u8>,
    columns: &'a [OutputColumn],
    count: u64,
    /// Where the next row is one too many.
    end: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>, columns: &'a [OutputColumn]) -> Self {
        out.push(b'[');
        let end = out.len() + MOST;
        Self { out, columns, count: 0, end }
    }

    /// Appends a row. Errors: [`Error::TooLarge`]. `value` writes the value of a column; `flag` tells whether the number at a position is not 0.
    pub(crate) fn push(
        &mut self,
        flag: impl Fn(usize) -> Result<bool>,
        value: impl Fn(&mut Vec<u8>, &Kind, usize) -> Result<()>,
    ) -> Result<()> {
        if self.out.len() > self.end {
            return Err(Error::TooLarge);
        }
        self.out.extend_from_slice(if self.count == 0 { b"{" } else { b",{" });
        let mut first = true;
        for (index, column) in self.columns.iter().enumerate() {
            if let Some(position) = column.shown_by
                && !flag(position)?
            {
                continue;
            }
            let comma = usize::from(std::mem::replace(&mut first, false));
            self.out.extend_from_slice(&column.label[comma..]);
            value(self.out, &column.kind, index)?;
        }
        self.out.push(b'}');
        self.count += 1;
        Ok(())
    }

    /// Ends the array and tells how many rows it has.
    pub(crate) fn end(self) -> u64 {
        self.out.push(b']');
        self.count
    }
}

/// Appends the value as JSON.
pub(crate) fn write(out: &mut Vec<u8>, kind: &Kind, cell: &Cell<'_>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Int(number) => match kind {
            Kind::Bool => flag(out, *number != 0),
            Kind::Decimal { scale: Some(scale), .. } => decimal(out, *number as f64, *scale),
            _ => integer(out, *number),
        },
        Cell::Unsigned(number) => match kind {
            Kind::Bool => flag(out, *number != 0),
            _ => display(out, *number),
        },
        Cell::Float(number) => match kind {
            Kind::Decimal { scale: Some(scale), .. } => decimal(out, *number, *scale),
            _ => json(out, number),
        },
        Cell::Single(number) => json(out, number),
        Cell::Text(text) => write_text(out, kind, text),
        Cell::Bytes(bytes) => write_bytes(out, kind, bytes),
    }
}

fn write_text(out: &mut Vec<u8>, kind: &Kind, text: &str) {
    match kind {
        Kind::Decimal { .. } if is_json_number(text) => out.extend_from_slice(text.as_bytes()),
        Kind::Json if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            out.extend_from_slice(text.as_bytes());
        }
        Kind::Timestamp => moment(out, text, b'T', b"Z\""),
        Kind::DateTime => moment(out, text, b' ', b"\""),
        Kind::Time => {
            out.push(b'"');
            out.extend_from_slice(trim_fraction(text).as_bytes());
            out.push(b'"');
        }
        _ => kernel::json::string(out, text),
    }
}

fn write_bytes(out: &mut Vec<u8>, kind: &Kind, bytes: &[u8]) {
    match kind {
        Kind::Uuid if bytes.len() == 16 => {
            let id = uuid::Uuid::from_slice(bytes).unwrap_or_default();
            json(out, &id.as_hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
        }
        Kind::Bit { width } => {
            let number = bytes.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            if *width == 1 { flag(out, number != 0) } else { display(out, number) }
        }
        Kind::Bytes => json(out, &BASE64_STANDARD.encode(bytes)),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => write_text(out, kind, text),
            Err(_) => json(out, &BASE64_STANDARD.encode(bytes)),
        },
    }
}

/// Appends a JSON string or number by serde's rules; NaN and the infinities become null.
pub(crate) fn json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

fn display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

fn integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

fn decimal(out: &mut Vec<u8>, number: f64, scale: u32) {
    if number.is_finite() {
        let _ = write!(out, "{number:.*}", scale as usize);
    } else {
        out.extend_from_slice(b"null");
    }
}

fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// Writes `YYYY-MM-DD HH:MM:SS[.f]` with another separator and end; whatever else a table holds stays as it is.
fn moment(out: &mut Vec<u8>, text: &str, separator: u8, end: &[u8]) {
    let bytes = text.as_bytes();
    if bytes.starts_with(b"0000-00-00") {
        return out.extend_from_slice(b"null");
    }
    let regular = bytes.len() >= 19
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b' ' | b'T')
        && bytes[..4].iter().chain(&bytes[11..13]).all(u8::is_ascii_digit)
        && bytes[19..].iter().all(|b| b.is_ascii_digit() || *b == b'.');
    if !regular {
        return kernel::json::string(out, text);
    }
    out.push(b'"');
    let start = out.len();
    out.extend_from_slice(&bytes[..19]);
    out[start + 10] = separator;
    out.extend_from_slice(trim_fraction(&text[19..]).as_bytes());
    out.extend_from_slice(end);
}

/// Takes the trailing zeros off a fraction of a second, and the point with them when nothing is left.
fn trim_fraction(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Cell, write};
    use crate::Kind;

    fn written(kind: &Kind, cell: &Cell<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, kind, cell);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_and_times_have_the_promised_formats() {
        let text = Cell::Text("2026-11-21 23:27:06.500000");
        assert_eq!(written(&Kind::Timestamp, &text), "\"2026-11-21T23:27:06.5Z\"");
        assert_eq!(written(&Kind::DateTime, &text), "\"2026-11-21 23:27:06.5\"");
        assert_eq!(written(&Kind::DateTime, &Cell::Text("2026-11-21 23:27:06.000000")), "\"2026-11-21 23:27:06\"");
        assert_eq!(written(&Kind::DateTime, &Cell::Text("0000-00-00 00:00:00")), "null");
        assert_eq!(written(&Kind::Time, &Cell::Text("-12:00:00")), "\"-12:00:00\"");
        assert_eq!(written(&Kind::Timestamp, &Cell::Text("yesterday \"noon\"")), r#""yesterday \"noon\"""#);
        assert_eq!(written(&Kind::Timestamp, &Cell::Text("äää-äää-ääääääääääääää")), "\"äää-äää-ääääääääääääää\"");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let price = Kind::Decimal { precision: Some(10), scale: Some(2) };
        assert_eq!(written(&price, &Cell::Text("19.90")), "19.90");
        assert_eq!(written(&price, &Cell::Float(19.9)), "19.90");
        assert_eq!(written(&price, &Cell::Int(20)), "20.00");
        assert_eq!(written(&price, &Cell::Text("NaN")), "\"NaN\"");
        assert_eq!(written(&Kind::BigUnsigned, &Cell::Unsigned(u64::MAX)), "18446744073709551615");
        assert_eq!(written(&Kind::Float, &Cell::Float(f64::NAN)), "null");
        assert_eq!(written(&Kind::Bool, &Cell::Int(2)), "true");
    }

    #[test]
    fn what_is_not_json_in_a_json_column_is_a_string() {
        assert_eq!(written(&Kind::Json, &Cell::Text("{\"a\": [1]}")), "{\"a\": [1]}");
        assert_eq!(written(&Kind::Json, &Cell::Text("{\"a\": ")), r#""{\"a\": ""#);
    }
}
