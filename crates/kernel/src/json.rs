//! JSON that strangers wrote, and texts on their way out.
//!
//! `serde_json` gives some keys a meaning of its own: behind one of them it reads the text of the value as JSON again,
//! however deeply that nests. Whoever reads a stranger's JSON into a [`Value`] does so here, where such a key is a
//! mistake.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Result, Value};

/// How keys begin that `serde_json` gives a meaning of its own.
pub const RESERVED: &str = "$serde_json::private::";

/// What `serde_json` itself hands over a number with.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads a value. Errors: what is wrong with the text; it nests more than 127 levels deep; it has a reserved key.
pub fn value(text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map(|Foreign(value)| value)
}

/// Reads an object. Errors: those of [`value`]; it is none.
pub fn object(text: &[u8]) -> Result<Map<String, Value>> {
    match value(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("this is not an object")),
    }
}

/// Appends a text as a JSON string. In most there is nothing to escape, which is seen sooner than each character is written.
pub fn string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Whole blocks, the last of which may overlap: a loop over the bytes that are left costs more than the others.
    let plain = match bytes.last_chunk::<BLOCK>() {
        Some(last) => is_plain(&bytes[..bytes.len() / BLOCK * BLOCK]) & is_plain(last),
        None => is_plain(bytes),
    };
    if plain {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    } else {
        // Writing a text to memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Bytes that a processor looks at in one step.
const BLOCK: usize = 16;

/// Whether nothing is to be escaped. It looks at all bytes, so that many are looked at in one step.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..))
}

/// A value that a stranger wrote, to be read as part of something else.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign(pub Value);

impl<'de> Deserialize<'de> for Foreign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> std::result::Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Foreign(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == NUMBER && fields.is_empty() {
                let number: Number = map.next_value::<String>()?.parse().map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            if key.starts_with(RESERVED) {
                return Err(A::Error::custom("a key is reserved"));
            }
            let Foreign(value) = map.next_value()?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, object, string, value};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// An object whose reserved key holds a text that nests deeper than any stack.
    fn hostile(key: &str) -> String {
        json!({ key: "[".repeat(200 << 10) }).to_string()
    }

    #[test]
    fn a_reserved_key_is_a_mistake_wherever_it_is() {
        let raw = format!("{RESERVED}RawValue");
        let escaped = hostile(&raw).replacen('$', "\\u0024", 1);
        for text in [hostile(&raw), escaped, format!("[{{\"a\":[{}]}}]", hostile(&raw))] {
            assert!(value(text.as_bytes()).unwrap_err().to_string().starts_with("a key is reserved"));
        }
        assert!(value(hostile(&format!("{RESERVED}Number")).as_bytes()).is_err());
        assert!(object(format!("{{\"a\":1,{}", &hostile(&raw)[1..]).as_bytes()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(value("[".repeat(200 << 10).as_bytes()).is_err());
        assert!(value(format!("{}{}", "[".repeat(127), "]".repeat(127)).as_bytes()).is_ok());
        assert!(value(format!("{}{}", "[".repeat(128), "]".repeat(128)).as_bytes()).is_err());
    }

    #[test]
    fn an_object_is_asked_for() {
        assert_eq!(object(b"{\"a\":1}").unwrap().len(), 1);
        assert!(object(b"[1]").is_err());
    }

    #[test]
    fn numbers_keep_their_digits() {
        for number in ["0", "-1", "18446744073709551616", "0.10", "1.50e300", "123456789012345678901234567890.5"] {
            assert_eq!(value(number.as_bytes()).unwrap().to_string(), number.replace("e300", "e+300"), "{number}");
        }
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn texts_are_escaped_as_serde_does(text in ".{0,40}|[ -~\n\t\u{0}]{0,40}") {
            let mut out = b"before".to_vec();
            string(&mut out, &text);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before{}", serde_json::to_string(&text).unwrap()));
        }

        #[test]
        fn all_else_is_read_as_ever(json in anything()) {
            let text = json.to_string();
            prop_assert_eq!(value(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:0-9.e\\\\a é-]{0,60}|.*") {
            prop_assert_eq!(value(text.as_bytes()).is_ok(), serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
