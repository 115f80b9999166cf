//! What serde says of JSON that does not fit a type, in the words of JSON. Nothing of what was sent is repeated.

/// What was expected, and what was there in its place where its type is the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Such as `a whole number that is not negative`.
    pub expected: String,
    /// Such as `a string`; none where the type is right and the value is not.
    pub got: Option<&'static str>,
}

impl Mismatch {
    /// Reads an error of serde or of its JSON. None where its text is someone's own and made for people already.
    pub fn read(error: &str) -> Option<Self> {
        let error = Self::without_place(error);
        if error == "expected value" {
            // One of some words was wanted, and the parser saw that no word begins here.
            return Some(Self { expected: "a string".to_owned(), got: Some("something else") });
        }
        if error.starts_with("number out of range") || error == "invalid number" {
            return Some(Self { expected: "a number within the range of its field".to_owned(), got: None });
        }
        if let Some(expected) = of_text(error) {
            return Some(Self { expected: expected.to_owned(), got: None });
        }
        let (found, expected) = error.rsplit_once(", expected ")?;
        let is_value = found.starts_with("invalid value: ");
        let got = if found.starts_with("invalid length ") { Some("an array") } else { got(found) };
        Some(Self { expected: words(expected, is_value), got: got.filter(|_| !is_value) })
    }

    /// The text of an error without the line and the column at its end.
    pub fn without_place(error: &str) -> &str {
        error.rsplit_once(" at line ").map_or(error, |(text, _)| text)
    }

    /// Both in a sentence's part: `expected a string, got a number`.
    pub fn words(&self) -> String {
        match self.got {
            Some("something else") | None => format!("expected {}", self.expected),
            Some(got) => format!("expected {}, got {got}", self.expected),
        }
    }
}

/// What the standard library misses in a text that stands for a number or a flag.
fn of_text(error: &str) -> Option<&'static str> {
    match error {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => Some("a whole number"),
        "provided string was not `true` or `false`" => Some("`true` or `false`"),
        _ => None,
    }
}

/// What was there, by the way in which serde names what it was not willing to take.
fn got(found: &str) -> Option<&'static str> {
    let found = found.strip_prefix("invalid type: ")?.split(['`', '"', ',']).next()?;
    match found.trim() {
        "sequence" => Some("an array"),
        "map" => Some("an object"),
        "null" => Some("null"),
        "string" => Some("a string"),
        "boolean" => Some("a boolean"),
        "floating point" => Some("a number with a fraction or an exponent"),
        "number" | "integer" => Some("a number"),
        _ => None,
    }
}

/// A type of Rust in the words of JSON; a number with its bounds, where these are what a value misses.
fn words(expected: &str, with_bounds: bool) -> String {
    let (least, number) = match expected.strip_prefix("a nonzero ") {
        Some(number) => (1, number),
        None => (0, expected),
    };
    let most = match number {
        "u8" => Some(u64::from(u8::MAX)),
        "u16" => Some(u64::from(u16::MAX)),
        "u32" => Some(u64::from(u32::MAX)),
        "u64" | "u128" | "usize" => Some(u64::MAX),
        _ => None,
    };
    let plain = match (most, expected) {
        (Some(most), _) if with_bounds && most < u64::MAX => return format!("a whole number from {least} to {most}"),
        (Some(_), _) if least == 1 => "a whole number from 1",
        (Some(_), _) => "a whole number that is not negative",
        (None, "i8" | "i16" | "i32" | "i64" | "isize" | "i128") => "a whole number",
        (None, "f32" | "f64") => "a number",
        (None, "a sequence") => "an array",
        (None, "a map") => "an object",
        (None, "unit" | "string or map" | "map with a single key" | "borrowed string" | "a borrowed string") => {
            "a string"
        }
        (None, other) if other.starts_with("struct ") => "an object",
        (None, other) if other.starts_with("enum ") || other.starts_with("unit variant ") => "a string",
        (None, other) if other.starts_with("a tuple") || other.starts_with("tuple ") => "an array",
        (None, other) => other,
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use serde::{Deserialize, de::DeserializeOwned};

    use super::Mismatch;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Up,
        Down,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the shape is of interest")]
    struct Pair {
        first: u8,
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        Mismatch::read(&error).unwrap_or_else(|| panic!("{error}")).words()
    }

    #[test]
    fn no_type_of_rust_is_told() {
        assert_eq!(said::<u64>("\"x\""), "expected a whole number that is not negative, got a string");
        assert_eq!(said::<u64>("-1"), "expected a whole number that is not negative");
        assert_eq!(said::<u8>("300"), "expected a whole number from 0 to 255");
        assert_eq!(said::<NonZeroU32>("0"), "expected a whole number from 1 to 4294967295");
        assert_eq!(said::<NonZeroU32>("null"), "expected a whole number from 1, got null");
        assert_eq!(said::<i64>("1.5"), "expected a whole number, got a number with a fraction or an exponent");
        assert_eq!(said::<f64>("[]"), "expected a number, got an array");
        assert_eq!(said::<bool>("{}"), "expected a boolean, got an object");
        assert_eq!(said::<Vec<u8>>("true"), "expected an array, got a boolean");
        assert_eq!(said::<Pair>("7"), "expected an object, got a number");
        assert_eq!(said::<Pair>("[]"), "expected an object, got an array");
        assert_eq!(said::<Word>("\"x\""), "expected `up` or `down`");
        for json in ["true", "{}", "[]", "5", "null", "{\"up\": 1}"] {
            assert!(said::<Word>(json).starts_with("expected a string"), "{json}: {}", said::<Word>(json));
        }
    }

    #[test]
    fn what_was_made_for_people_is_left() {
        assert_eq!(Mismatch::read("\"x\" is not a duration; write \"30s\""), None);
    }
}
