//! The kinds of columns: what a value may be when it comes in. (How it goes out is in `cell`.)

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
};
use serde_json::Value as Json;

use crate::Value;

/// What a column holds, in words that are the same on three databases.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number within bounds.
    Int {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A whole number from 0 to 2^64 - 1.
    BigUnsigned,
    /// A decimal with exact digits.
    Decimal {
        /// Digits in all, where the column says so.
        precision: Option<u32>,
        /// Digits behind the point, where the column says so.
        scale: Option<u32>,
    },
    /// A floating-point number.
    Float,
    /// Text of at most so many characters.
    Text {
        /// Characters, where the column says so.
        max: Option<u32>,
    },
    /// One of a list of words.
    Enum(Arc<[String]>),
    /// Bytes; base64 in JSON.
    Bytes,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD HH:MM:SS`, of no time zone.
    DateTime,
    /// A moment; RFC 3339 in JSON.
    Timestamp,
    /// `HH:MM:SS`.
    Time,
    /// Any JSON.
    Json,
    /// A UUID; text in JSON.
    Uuid,
    /// Bits; a truth value for one, a number for more.
    Bit {
        /// How many.
        width: u32,
    },
    /// A type of one database alone; its text form in JSON.
    Other,
}

impl Kind {
    /// A whole number of 64 bits.
    pub const BIGINT: Self = Self::Int { min: i64::MIN, max: i64::MAX };

    /// Whether values are ordered as text, so that collations matter.
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Enum(_) | Self::Other)
    }

    /// Takes a value of a request for a column of this kind. The error says what was expected.
    pub fn accept(&self, value: &Json) -> Result<Value, String> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match self {
            Self::Bool | Self::Bit { width: 1 } => accept_bool(value),
            Self::Int { min, max } => accept_int(value, *min, *max),
            Self::BigUnsigned => accept_unsigned(value),
            Self::Decimal { precision, scale } => accept_decimal(value, *precision, *scale),
            Self::Float => accept_float(value),
            Self::Text { max } => accept_text(value, *max),
            Self::Enum(words) => accept_word(value, words),
            Self::Bytes => accept_bytes(value),
            Self::Date => parsed::<Date>(value, "a date as YYYY-MM-DD").map(|date| Value::Text(date.to_string())),
            Self::DateTime => accept_moment(value, false),
            Self::Timestamp => accept_moment(value, true),
            Self::Time => accept_time(value),
            Self::Json => Ok(Value::Text(value.to_string())),
            Self::Uuid => parsed::<uuid::Uuid>(value, "a UUID").map(Value::from),
            Self::Bit { width } => accept_int(value, 0, if *width > 62 { i64::MAX } else { (1 << width) - 1 }),
            Self::Other => string(value, "text").and_then(no_nul),
        }
    }
}

fn string<'a>(value: &'a Json, wanted: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("expected {wanted}"))
}

fn parsed<T: std::str::FromStr>(value: &Json, wanted: &str) -> Result<T, String> {
    string(value, wanted)?.parse().map_err(|_| format!("expected {wanted}"))
}

/// PostgreSQL cannot keep U+0000 in text, so that no database here does.
fn no_nul(text: &str) -> Result<Value, String> {
    if text.contains('\0') { Err("the character U+0000 cannot be kept".into()) } else { Ok(Value::Text(text.into())) }
}

fn accept_bool(value: &Json) -> Result<Value, String> {
    match value {
        Json::Bool(flag) => Ok(Value::Bool(*flag)),
        Json::Number(number) if number.as_str() == "0" => Ok(Value::Bool(false)),
        Json::Number(number) if number.as_str() == "1" => Ok(Value::Bool(true)),
        _ => Err("expected true or false".into()),
    }
}

/// The digits of a number, written as a number or as text.
fn digits<'a>(value: &'a Json, wanted: &str) -> Result<&'a str, String> {
    match value {
        Json::Number(number) => Ok(number.as_str()),
        Json::String(text) => Ok(text),
        _ => Err(format!("expected {wanted}")),
    }
}

fn accept_int(value: &Json, min: i64, max: i64) -> Result<Value, String> {
    let wanted = || format!("expected a whole number from {min} to {max}");
    let number: i64 = digits(value, "a whole number")?.parse().map_err(|_| wanted())?;
    if (min..=max).contains(&number) { Ok(Value::Int(number)) } else { Err(wanted()) }
}

fn accept_unsigned(value: &Json) -> Result<Value, String> {
    let number: u64 = digits(value, "a whole number")?
        .parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))?;
    Ok(i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int))
}

fn accept_decimal(value: &Json, precision: Option<u32>, scale: Option<u32>) -> Result<Value, String> {
    let wanted = || match (precision, scale) {
        (Some(p), Some(s)) => format!("expected a decimal of at most {p} digits, {s} of them behind the point"),
        _ => "expected a decimal".to_owned(),
    };
    let text = digits(value, "a decimal")?;
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || (unsigned.contains('.') && fraction.is_empty()) {
        return Err(wanted());
    }
    let whole_digits = whole.trim_start_matches('0').len();
    let fraction_digits = fraction.trim_end_matches('0').len();
    // No database here keeps more digits than this in a decimal without bounds.
    let (p, s) = (precision.unwrap_or(65), scale.unwrap_or(30));
    if fraction_digits as u32 > s || whole_digits as u32 > p.saturating_sub(s.min(p)) {
        return Err(wanted());
    }
    Ok(Value::Text(text.to_owned()))
}

fn accept_float(value: &Json) -> Result<Value, String> {
    let number: f64 = match value {
        Json::Number(number) => number.as_str().parse().map_err(|_| "expected a number")?,
        _ => return Err("expected a number".into()),
    };
    if number.is_finite() { Ok(Value::Float(number)) } else { Err("expected a number that fits 64 bits".into()) }
}

fn accept_text(value: &Json, max: Option<u32>) -> Result<Value, String> {
    let text = string(value, "text")?;
    match max {
        Some(max) if text.chars().count() > max as usize => Err(format!("expected at most {max} characters")),
        _ => no_nul(text),
    }
}

fn accept_word(value: &Json, words: &[String]) -> Result<Value, String> {
    let text = string(value, "text")?;
    if words.iter().any(|word| word == text) {
        return Ok(Value::Text(text.into()));
    }
    Err(format!("expected one of {}", words.join(", ")))
}

fn accept_bytes(value: &Json) -> Result<Value, String> {
    let bytes = BASE64_STANDARD.decode(string(value, "base64")?).map_err(|_| "expected base64")?;
    Ok(Value::Bytes(bytes))
}

/// Takes `YYYY-MM-DD HH:MM:SS[.f]` and RFC 3339. A moment with an offset becomes UTC; without one it is UTC already.
fn accept_moment(value: &Json, zoned: bool) -> Result<Value, String> {
    let wanted = if zoned { "a moment as RFC 3339" } else { "a date and time as YYYY-MM-DD HH:MM:SS" };
    let text = string(value, wanted)?;
    if text.len() > 40 {
        return Err(format!("expected {wanted}"));
    }
    let civil = match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        Err(_) => text.parse::<DateTime>().map_err(|_| format!("expected {wanted}"))?,
    };
    if !(1..=9999).contains(&civil.year()) {
        return Err(format!("expected {wanted}"));
    }
    Ok(Value::Text(spelled(civil)))
}

/// The one spelling that is kept, so that equal moments are equal text and text order is the order of time.
fn spelled(civil: DateTime) -> String {
    let micros = civil.subsec_nanosecond() / 1_000;
    let whole = civil.strftime("%Y-%m-%d %H:%M:%S");
    if micros == 0 { whole.to_string() } else { format!("{whole}.{micros:06}") }
}

fn accept_time(value: &Json) -> Result<Value, String> {
    let text = string(value, "a time as HH:MM:SS")?;
    let regular = text.len() >= 5 && text.len() <= 15 && text.as_bytes()[2] == b':';
    let time: Time = regular.then(|| text.parse().ok()).flatten().ok_or("expected a time as HH:MM:SS")?;
    let micros = time.subsec_nanosecond() / 1_000;
    let whole = time.strftime("%H:%M:%S");
    Ok(Value::Text(if micros == 0 { whole.to_string() } else { format!("{whole}.{micros:06}") }))
}

#[cfg(test)]
mod tests {
    use super::Kind;
    use crate::Value;
    use proptest::prelude::*;
    use serde_json::json;

    fn accept(kind: &Kind, json: &str) -> Result<Value, String> {
        kind.accept(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn integers_keep_to_their_bounds_and_their_digits() {
        let small = Kind::Int { min: -128, max: 127 };
        assert_eq!(accept(&small, "127"), Ok(Value::Int(127)));
        assert_eq!(accept(&Kind::BIGINT, "9007199254740993"), Ok(Value::Int(9_007_199_254_740_993)));
        assert_eq!(accept(&Kind::BIGINT, "\"12\""), Ok(Value::Int(12)));
        for bad in ["128", "1.5", "1e2", "true", "\"x\"", "[1]", "{}", "99999999999999999999999"] {
            assert!(accept(&small, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn decimals_are_taken_digit_by_digit() {
        let price = Kind::Decimal { precision: Some(10), scale: Some(2) };
        assert_eq!(accept(&price, "19.99"), Ok(Value::Text("19.99".into())));
        assert_eq!(accept(&price, "\"12345678.90\""), Ok(Value::Text("12345678.90".into())));
        for bad in ["19.999", "123456789", "1e400", "\"1.\"", "\"--1\"", "\"NaN\"", "true"] {
            assert!(accept(&price, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_become_one_spelling() {
        let same = Ok(Value::Text("2026-11-21 23:27:06".into()));
        assert_eq!(accept(&Kind::Timestamp, "\"2026-11-21T23:27:06Z\""), same);
        assert_eq!(accept(&Kind::Timestamp, "\"2026-11-22T00:27:06+01:00\""), same);
        assert_eq!(accept(&Kind::DateTime, "\"2026-11-21 23:27:06\""), same);
        let fraction = Ok(Value::Text("2026-11-21 23:27:06.500000".into()));
        assert_eq!(accept(&Kind::DateTime, "\"2026-11-21 23:27:06.5\""), fraction);
        for bad in ["\"yesterday\"", "1", "\"2026-13-01 00:00:00\"", "\"2026-02-30T00:00:00Z\"", "\"\""] {
            assert!(accept(&Kind::Timestamp, bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_any_kind_panic(text in ".*") {
            for kind in [
                Kind::Bool, Kind::BIGINT, Kind::BigUnsigned, Kind::Float, Kind::Bytes, Kind::Date, Kind::DateTime,
                Kind::Timestamp, Kind::Time, Kind::Uuid, Kind::Other, Kind::Bit { width: 64 },
                Kind::Decimal { precision: Some(5), scale: Some(2) }, Kind::Text { max: Some(3) },
            ] {
                let _ = kind.accept(&json!(text));
            }
        }

        #[test]
        fn text_is_counted_in_characters(text in "\\PC{0,20}") {
            let fits = text.chars().count() <= 10;
            prop_assert_eq!(Kind::Text { max: Some(10) }.accept(&json!(text)).is_ok(), fits);
        }
    }
}
