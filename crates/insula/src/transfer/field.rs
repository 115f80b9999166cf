//! Single values: from the text of a CSV field to a value of a column, and back.

use serde_json::{Number, Value as Json};
use store::{Column, Kind, Value};

/// A value for a column, or none where the database shall fill it in.
pub(super) type Filled = Option<Value>;

/// Takes a field of a CSV row. `quoted` tells `""`, the empty text, from nothing at all, NULL.
pub(super) fn from_csv(column: &Column, text: &str, quoted: bool) -> Result<Filled, String> {
    if text.is_empty() && !(quoted && keeps_empty(&column.kind)) {
        return match column {
            Column { nullable: true, .. } => Ok(Some(Value::Null)),
            Column { has_default: true, .. } => Ok(None),
            Column { kind, .. } if keeps_empty(kind) => accept(column, &Json::from("")),
            Column { .. } => Err(format!("{} needs a value", column.name)),
        };
    }
    let json = match &column.kind {
        Kind::Bool | Kind::Bit { width: 1 } => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "1" => Json::Bool(true),
            "false" | "f" | "no" | "0" => Json::Bool(false),
            _ => Json::from(text),
        },
        Kind::Float => serde_json::from_str::<Number>(text).map_or_else(|_| Json::from(text), Json::Number),
        Kind::Json => kernel::json::value(text.as_bytes()).map_err(|error| format!("{}: {error}", column.name))?,
        _ => Json::from(text),
    };
    accept(column, &json)
}

/// Takes a value of a JSON row.
pub(super) fn from_json(column: &Column, json: &Json) -> Result<Filled, String> {
    if json.is_null() && !column.nullable {
        return Err(format!("{} needs a value", column.name));
    }
    accept(column, json)
}

fn accept(column: &Column, json: &Json) -> Result<Filled, String> {
    column.kind.accept(json).map(Some).map_err(|problem| format!("{}: {problem}", column.name))
}

/// Whether an empty text is a value of this kind.
pub(super) fn keeps_empty(kind: &Kind) -> bool {
    matches!(kind, Kind::Text { .. } | Kind::Bytes | Kind::Other | Kind::Enum(_))
}

/// Appends a value as a CSV field.
pub(super) fn to_csv(kind: &Kind, json: &Json, out: &mut Vec<u8>) {
    let text = match json {
        Json::Null => return,
        Json::String(text) if *kind != Kind::Json => text.clone(),
        other => other.to_string(),
    };
    quote(&text, out);
}

/// Appends a text as a CSV field, in quotes where it needs them.
pub(super) fn quote(text: &str, out: &mut Vec<u8>) {
    // Readers may drop spaces at the edges and a byte-order mark at the beginning.
    let edged = text.trim().len() < text.len() || text.starts_with('\u{feff}');
    let plain = !text.is_empty() && !edged && !text.contains([',', '"', '\r', '\n']);
    if plain {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    }
}

/// Which fields of a raw CSV row are in quotes. The row is well-formed: it has been read before.
pub(super) fn quoted_fields(raw: &[u8]) -> Vec<bool> {
    let begin = raw.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(raw.len());
    let mut fields = Vec::new();
    let (mut inside, mut at_start) = (false, true);
    for byte in &raw[begin..] {
        match byte {
            b'"' if at_start => {
                fields.push(true);
                inside = true;
            }
            b'"' => inside = !inside,
            b',' | b'\r' | b'\n' if !inside => {
                if at_start {
                    fields.push(false);
                }
                at_start = true;
                if *byte != b',' {
                    return fields;
                }
                continue;
            }
            _ if at_start => fields.push(false),
            _ => {}
        }
        at_start = false;
    }
    if at_start {
        fields.push(false);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{quote, quoted_fields};
    use proptest::prelude::*;

    #[test]
    fn quotes_are_seen() {
        assert_eq!(quoted_fields(b"\n\"\",,a,\"b\"\"c\",\r\n"), [true, false, false, true, false]);
        assert_eq!(quoted_fields(b"\"a\nb\",c"), [true, false]);
        assert_eq!(quoted_fields(b""), [false]);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(fields in prop::collection::vec(".{0,12}", 2..6)) {
            let mut line = Vec::new();
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                quote(field, &mut line);
            }
            line.push(b'\n');
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*line);
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.iter().collect::<Vec<_>>(), fields.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(quoted_fields(&line).len(), fields.len());
        }
    }
}
