//! A look at the shape of JSON before anything is made of it: depth, keys that are there twice, reserved keys.
//!
//! It walks without recursion and stops at the first thing that is too deep. It tells nothing about grammar: that is
//! the parser's work. On text that is no JSON it may find anything, but never fails.

use std::{borrow::Cow, collections::HashSet, fmt::Write};

use kernel::json::RESERVED;

/// Objects and arrays may be inside each other this deep.
pub(crate) const MAX_DEPTH: usize = 64;
const MAX_PATH: usize = 256;

/// What is wrong with the shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The key at this path is there twice.
    Duplicate(String),
    /// The key at this path is reserved.
    Reserved(String),
}

/// Looks for the first flaw.
pub(crate) fn scan(text: &str) -> Result<(), Flaw> {
    let bytes = text.as_bytes();
    let mut open: Vec<Frame<'_>> = Vec::with_capacity(8);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' if open.len() == MAX_DEPTH => return Err(Flaw::TooDeep),
            b'{' => open.push(Frame::Object { keys: Keys::default(), key: Cow::Borrowed(""), awaits_key: true }),
            b'[' => open.push(Frame::Array(0)),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Frame::Object { awaits_key, .. }) => *awaits_key = true,
                Some(Frame::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = end_of_string(bytes, at);
                if let Some(Frame::Object { keys, key, awaits_key: awaits_key @ true }) = open.last_mut() {
                    *awaits_key = false;
                    *key = decode(text, at, end);
                    let new = keys.insert(key.clone());
                    let reserved = key.starts_with(RESERVED);
                    if !new || reserved {
                        let path = path(&open);
                        return Err(if reserved { Flaw::Reserved(path) } else { Flaw::Duplicate(path) });
                    }
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    Ok(())
}

enum Frame<'a> {
    Object { keys: Keys<'a>, key: Cow<'a, str>, awaits_key: bool },
    Array(usize),
}

/// The keys of one object: compared one by one while they are few, hashed beyond that.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        const FEW: usize = 16;
        if self.many.is_empty() && self.few.len() < FEW {
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(key)
    }
}

/// The position of the closing quote, or the end of the text.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn decode(text: &str, start: usize, end: usize) -> Cow<'_, str> {
    let raw = &text[start..end];
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let quoted = text.get(start - 1..=end).unwrap_or_default();
    serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(raw), Cow::Owned)
}

fn path(open: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in open {
        let _ = match frame {
            Frame::Object { key, .. } if path.is_empty() => write!(path, "{key}"),
            Frame::Object { key, .. } => write!(path, ".{key}"),
            Frame::Array(index) => write!(path, "[{index}]"),
        };
    }
    shorten(path)
}

/// Cuts what a stranger wrote to a length that is fit for an answer.
pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > MAX_PATH {
        text.truncate(text.floor_char_boundary(MAX_PATH));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Flaw, MAX_DEPTH, scan};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn duplicate(path: &str) -> Result<(), Flaw> {
        Err(Flaw::Duplicate(path.to_owned()))
    }

    fn keys(count: u32) -> String {
        (0..count).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn duplicates_are_named_with_their_path() {
        assert_eq!(scan(r#"{"a":1,"b":{"a":2},"c":["a","a",{"a":"a"},{"a":1}]}"#), Ok(()));
        assert_eq!(scan(r#"{"a":1,"a":2}"#), duplicate("a"));
        assert_eq!(scan(r#"{"f":{"and":[{"op":1},{"op":{},"op":2}]}}"#), duplicate("f.and[1].op"));
        assert_eq!(scan(r#"{"a":1,"\u0061":2}"#), duplicate("a"));
        assert_eq!(scan(r#"{"a\"":1,"a":2, "a\\":3}"#), Ok(()));
        let many = keys(1_000);
        assert_eq!(scan(&format!("{{{many},\"last\":1}}")), Ok(()));
        assert_eq!(scan(&format!("{{{many},\"k3\":1}}")), duplicate("k3"));
        assert_eq!(scan(&format!("{{{many},\"k999\":1}}")), duplicate("k999"));
    }

    #[test]
    fn depth() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(scan(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(scan(&nested(MAX_DEPTH + 1)), Err(Flaw::TooDeep));
    }

    #[test]
    fn reserved_keys() {
        assert_eq!(
            scan(r#"{"d":{"$serde_json::private::RawValue":"[1]"}}"#),
            Err(Flaw::Reserved("d.$serde_json::private::RawValue".to_owned()))
        );
    }

    #[test]
    fn hostile_bodies_cost_little() {
        let started = Instant::now();
        assert_eq!(scan(&"[".repeat(10_000_000)), Err(Flaw::TooDeep));
        assert_eq!(scan(&format!("{{{}", keys(200_000))), Ok(()));
        assert_eq!(scan(&"{}".repeat(1_000_000)), Ok(()));
        assert_eq!(scan(&"\"\\".repeat(1_000_000)), Ok(()));
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into)
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:\\\\a é]{0,60}|.*") {
            let _ = scan(&text);
        }

        #[test]
        fn sound_json_has_no_flaw_and_a_repeated_key_is_always_found(value in json(), key in any::<String>()) {
            let text = value.to_string();
            prop_assert_eq!(scan(&text), Ok(()));
            let key = serde_json::to_string(&key).unwrap();
            let twice = format!("{{{key}:{text},{key}:1}}");
            prop_assert!(matches!(scan(&twice), Err(Flaw::Duplicate(_))), "{}", twice);
        }
    }
}
