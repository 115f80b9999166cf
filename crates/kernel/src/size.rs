//! Sizes in the configuration: `"1MB"`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes, written as `^\d+\s*(B|KB|MB|GB)$` with 1,024 as the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u32); 4] = [("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || format!("{text:?} is not a size; write a whole number with B, KB, MB or GB, such as \"1MB\"");
        let (digits, shift) =
            UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift))).ok_or_else(explain)?;
        let digits = digits.trim_end();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(explain());
        }
        let number: u64 = digits.parse().map_err(|_| explain())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(explain)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(unit, shift): (&'static str, u32)| {
            (self.0 > 0 && self.0.trailing_zeros() >= shift).then_some((unit, self.0 >> shift))
        };
        let (unit, number) = UNITS.into_iter().find_map(whole).unwrap_or(("B", self.0));
        write!(f, "{number}{unit}")
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of bytes: a whole number with B, KB, MB or GB; 1,024 is the base.",
            "type": "string",
            "pattern": "^[0-9]+\\s*(B|KB|MB|GB)$",
            "examples": ["1MB", "512KB"],
        })
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;
    use proptest::prelude::*;

    #[test]
    fn the_grammar_is_exact() {
        assert_eq!("1MB".parse(), Ok(ByteSize(1 << 20)));
        assert_eq!("10 KB".parse(), Ok(ByteSize(10 << 10)));
        assert_eq!("0B".parse(), Ok(ByteSize(0)));
        for bad in ["", "MB", "1", "1 M", "1mb", "-1MB", "1.5MB", "1MB ", " 1MB", "99999999999GB", "+1MB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in any::<u64>()) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<ByteSize>();
        }
    }
}
