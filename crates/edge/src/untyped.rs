//! What did not fit its type, in words that say what would, without repeating what was sent: the one place where errors of
//! serde about bodies and query strings become refusals.

use std::fmt::Write;

use kernel::{Error, Mismatch, Reason};
use serde_path_to_error::{Path, Segment};

use crate::scan::shorten;

/// The refusal for what serde says of the value at a path. `noun` is what callers know it as: `field`, `parameter`.
pub(crate) fn refusal(path: &Path, said: &str, noun: &str) -> Error {
    let mut path = written(path);
    let said = Mismatch::without_place(said);
    let (reason, message) = if let Some(name) = quoted(said, "missing field `") {
        join(&mut path, name);
        (Reason::FieldMissing, format!("This {noun} is required"))
    } else if let Some(name) = quoted(said, "unknown field `") {
        if path != name && !path.ends_with(&format!(".{name}")) {
            join(&mut path, name);
        }
        let known = match said.rsplit_once(", expected ") {
            Some((_, known)) => format!("expected {known}"),
            None => "there are none here".to_owned(),
        };
        (Reason::FieldUnknown, format!("There is no such {noun}; {known}"))
    } else if let Some(name) = quoted(said, "duplicate field `") {
        if path != name {
            join(&mut path, name);
        }
        (Reason::FieldInvalid, format!("The {noun} is there twice"))
    } else {
        let message = match Mismatch::read(said) {
            Some(mismatch @ Mismatch { got: Some(_), .. }) => format!("has the wrong type: {}", mismatch.words()),
            Some(mismatch) => format!("has a value that is not allowed: {}", mismatch.words()),
            None => String::new(),
        };
        let message = if message.is_empty() { said.to_owned() } else { format!("The {noun} {message}") };
        (Reason::FieldInvalid, message)
    };
    let error = Error::new(reason, shorten(message));
    if path.is_empty() { error } else { error.at(shorten(path)) }
}

fn written(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        let _ = match segment {
            Segment::Seq { index } => write!(text, "[{index}]"),
            Segment::Map { key } if text.is_empty() => write!(text, "{key}"),
            Segment::Map { key } => write!(text, ".{key}"),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    text
}

fn quoted<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?;
    ["`, expected ", "`, there are no fields", "`"].iter().find_map(|end| rest.split_once(end)).map(|(name, _)| name)
}

fn join(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}
