//! What may be meant by a value that does not fit: found by trying.

use toml::Value;

use super::layer::Leaf;

/// Whether a table fits into what it is for; the error is what the types say.
pub(super) type Fits = fn(toml::Table) -> Result<(), String>;

/// A value that fits where the given one does not, with a remark for people.
pub(super) fn suggestion(leaf: &Leaf, fits: Fits) -> Option<String> {
    let fits = |value: &Value| fits(leaf.nested(value.clone())).is_ok();
    let key = leaf.path.last()?;
    if let Value::Integer(number) = leaf.value {
        if let Some(near) = nearest(number, &|number| fits(&Value::Integer(number))) {
            let word = if near > number { "least" } else { "most" };
            return Some(format!("write {near} at {word}"));
        }
    }
    let found = candidates(&leaf.value).into_iter().find(fits)?;
    Some(format!("write {key} = {found}"))
}

/// What else a value may have been meant as.
fn candidates(value: &Value) -> Vec<Value> {
    let text = |text: String| Value::String(text);
    match value {
        Value::Integer(number) if *number >= 0 => {
            vec![text(format!("{number}s")), text(format!("{number}B")), text(number.to_string())]
        }
        Value::Float(number) => vec![Value::Integer(number.round() as i64)],
        Value::String(given) => {
            let plain = given.trim();
            let number = plain.parse().ok().map(Value::Integer);
            let word = match plain.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            };
            let unit = |space: &str| text(plain.replace(space, "").to_ascii_lowercase());
            let size = text(format!("{}B", plain.trim_end_matches(['b', 'B', 'i']).to_ascii_uppercase()));
            let list = Value::Array(plain.split([',', ' ']).filter(|part| !part.is_empty()).map(Value::from).collect());
            number
                .into_iter()
                .chain(word.map(Value::Boolean))
                .chain([unit(" "), size, text(plain.to_ascii_lowercase()), text(format!("{plain}:5777")), list])
                .collect()
        }
        Value::Boolean(true) => vec![text("on".to_owned()), text("open".to_owned())],
        Value::Boolean(false) => vec![text("off".to_owned()), text("closed".to_owned())],
        Value::Array(list) if list.len() == 1 => list.clone(),
        _ => Vec::new(),
    }
}

/// The nearest whole number that fits, where whole numbers fit at all.
fn nearest(number: i64, fits: &dyn Fn(i64) -> bool) -> Option<i64> {
    let mut ends = [0, 1, i64::from(u8::MAX), i64::from(u16::MAX), i64::from(u32::MAX), i64::MAX];
    ends.sort_by_key(|end| end.abs_diff(number));
    ends.into_iter().find(|end| fits(*end))
}
