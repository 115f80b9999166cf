//! What is wrong in a configuration, said so that it can be mended.

use std::fmt;

use serde_json::json;
use toml::{Table, Value};

use super::{
    Config, Origin,
    layer::Leaf,
    repair::{self, Fits},
};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where the value was written.
    pub origin: Origin,
    /// The key, such as `server.listen`; empty where the file cannot be read at all.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        self.suggestion.iter().try_for_each(|suggestion| write!(f, "; {suggestion}"))
    }
}

impl Mistake {
    /// For programs: file, line and column where it is in a file, and the place in words.
    pub fn to_json(&self) -> serde_json::Value {
        let (file, line, column) = match &self.origin {
            Origin::File { file, line, column } => (Some(file), Some(line), Some(column)),
            Origin::Variable(_) | Origin::Flag(_) => (None, None, None),
        };
        json!({
            "file": file,
            "line": line,
            "column": column,
            "place": self.origin.to_string(),
            "key": self.key,
            "mistake": self.problem,
            "suggestion": self.suggestion,
        })
    }
}

/// All mistakes of a configuration; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Those of a file in the order of its lines, before those of the environment and of flags.
    pub(super) fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| match mistake.origin {
            Origin::File { line, column, .. } => (line, column),
            Origin::Variable(_) | Origin::Flag(_) => (usize::MAX, 0),
        });
        Self(mistakes)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has mistakes")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// Keys that serde does not know of, by the section they are in.
const EXTRA: [(&str, &[&str]); 2] = [("server", &["port", "host"]), ("", &["master_key_file"])];

/// The mistakes in one value, each element of a list for itself.
pub(super) fn of_leaf(leaf: &Leaf, fits: Fits, is_secret: fn(&[String]) -> bool) -> Vec<Mistake> {
    let said = |value: &Value| fits(leaf.nested(value.clone())).err().filter(|message| !is_of_others(message));
    let Some(message) = said(&leaf.value) else { return Vec::new() };
    let is_secret = is_secret(&leaf.path);
    if let Value::Array(list) = &leaf.value {
        let wrong = |(index, element): (usize, &Value)| {
            let alone = Value::Array(vec![element.clone()]);
            let mistake = explain(leaf, &said(&alone)?, is_secret, |_| None);
            Some(Mistake { key: format!("{}[{index}]", leaf.key()), ..mistake })
        };
        let found: Vec<Mistake> = list.iter().enumerate().filter_map(wrong).collect();
        if !found.is_empty() {
            return found;
        }
    }
    vec![explain(leaf, &message, is_secret, |leaf| repair::suggestion(leaf, fits))]
}

/// Whether what the types say is about keys that stand beside the value: whoever sees all of them tells it.
fn is_of_others(message: &str) -> bool {
    message.starts_with("missing field")
}

/// Explains what the types said of one value.
fn explain(leaf: &Leaf, message: &str, is_secret: bool, repair: impl FnOnce(&Leaf) -> Option<String>) -> Mistake {
    let (origin, path) = (&leaf.origin, &leaf.path);
    let mistake = |key: &[String], problem, suggestion| Mistake {
        origin: origin.clone(),
        key: key.join("."),
        problem,
        suggestion,
    };
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = message.strip_prefix("unknown field ").and_then(|_| words.next());
    if let Some(position) = unknown.and_then(|unknown| path.iter().position(|part| part == unknown)) {
        let section = path[..position].join(".");
        let extra = EXTRA.iter().filter(|(name, _)| *name == section).flat_map(|(_, keys)| keys.iter().copied());
        let known: Vec<&str> = words.chain(extra).collect();
        let suggestion = suggest(&path[position], &known);
        return mistake(&path[..=position], "there is no such key".to_owned(), Some(suggestion));
    }
    if is_secret {
        // A secret of the wrong type would be repeated in the message.
        return mistake(path, "expected text".to_owned(), Some("write it in quotes".to_owned()));
    }
    let problem = plain(message);
    if message.starts_with("unknown variant ") {
        let unknown = words.next().unwrap_or_default();
        let known: Vec<&str> = words.collect();
        return mistake(path, problem, nearest(unknown, &known).map(|near| format!("did you mean \"{near}\"?")));
    }
    let suggestion = if problem.starts_with("expected a section") {
        Some(format!("write it as [{}] with its keys below", path.join(".")))
    } else {
        repair(leaf).or_else(|| example(message).map(str::to_owned))
    };
    mistake(path, problem, suggestion)
}

/// What to write where the types say no more than that it is wrong.
fn example(message: &str) -> Option<&'static str> {
    let examples = [
        ("invalid socket address syntax", "write an address with its port, such as \"127.0.0.1:5777\""),
        ("invalid IP address syntax", "write a network, such as \"10.0.0.0/8\""),
    ];
    examples.into_iter().find(|(said, _)| *said == message.trim()).map(|(_, example)| example)
}

/// What the types say, in the words of a configuration file.
fn plain(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let parts = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, wanted)) = parts.and_then(|parts| parts.rsplit_once(", expected ")) else { return message };
    let wanted = match wanted {
        "a sequence" => "a list",
        "a string" | "string only" | "path string" => "text in quotes",
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        nonzero if nonzero.starts_with("a nonzero ") => "a whole number from 1",
        section if section.starts_with("struct ") || section == "a map" => "a section",
        other => other,
    };
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "a section".to_owned(),
        "unit variant" => return format!("expected {wanted}"),
        other => {
            let value =
                ["string ", "integer ", "boolean ", "floating point "].iter().find_map(|kind| other.strip_prefix(kind));
            value.map_or_else(|| other.to_owned(), |value| value.trim_matches('`').to_owned())
        }
    };
    format!("expected {wanted} and not {found}")
}

/// The nearest of the known keys, the same key in another section, or all known keys.
fn suggest(unknown: &str, known: &[&str]) -> String {
    if let Some(nearest) = nearest(unknown, known) {
        return format!("did you mean `{nearest}`?");
    }
    match (elsewhere(unknown), known) {
        (Some(key), _) => format!("did you mean `{key}`?"),
        (None, []) => "nothing can be set here".to_owned(),
        (None, known) => format!("known keys are {}", known.join(", ")),
    }
}

/// The nearest of the known words, where one is near.
pub(super) fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let likeness = |key: &&str| (strsim::jaro_winkler(unknown, key) * 1_000.0) as u32;
    known.iter().copied().max_by_key(likeness).filter(|nearest| likeness(nearest) >= 800)
}

/// The key of a name in any section.
fn elsewhere(name: &str) -> Option<String> {
    fn look(table: &Table, name: &str, path: &str) -> Option<String> {
        let path = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let here = table.get(name).map(|_| path(name));
        let inner = |(key, value): (&String, &Value)| look(value.as_table()?, name, &path(key));
        here.or_else(|| table.iter().find_map(inner))
    }
    let theirs = seckelapi::by_name(name).map(|setting| setting.ours.to_owned());
    theirs.or_else(|| look(&Table::try_from(Config::default()).ok()?, name, ""))
}
