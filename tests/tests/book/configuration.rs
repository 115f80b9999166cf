//! The settings with their defaults, as `config show` has them, and their meanings, as the sources have them.

use std::{collections::HashMap, fmt::Write, fs, path::Path};

use insula::Config;
use serde_json::{Map, Value as Json};

/// The fields of a struct: its type and its doc comment, by name.
type Fields = HashMap<String, (String, String)>;

/// Sections that are not there by default, with the struct of each.
const OPTIONAL: [(&str, &str); 4] = [
    ("identity.captcha", "CaptchaConfig"),
    ("identity.key_rate_classes.NAME", "RateClass"),
    ("identity.providers.NAME", "ProviderConfig"),
    ("system_columns.overrides.TABLE", "ColumnChoice"),
];

/// A table for each section.
pub(crate) fn tables() -> String {
    let mut structs = HashMap::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    for part in ["insula", "edge", "store", "identity", "mail", "provider", "query", "columns", "audit", "kernel"] {
        read_folder(&crates.join(part).join("src"), &mut structs);
    }
    let config = Config::default();
    let Json::Object(shown) = serde_json::to_value(&config).unwrap() else { panic!("the configuration is an object") };
    let mut text = String::new();
    section(&structs, "Config", "", &shown, &config, &mut text);
    for (path, kind) in OPTIONAL {
        optional(&structs, kind, path, &mut text);
    }
    text.push('\n');
    text
}

fn section(
    structs: &HashMap<String, Fields>,
    kind: &str,
    path: &str,
    shown: &Map<String, Json>,
    config: &Config,
    text: &mut String,
) {
    let fields = structs.get(kind).unwrap_or_else(|| panic!("no source defines {kind}"));
    let field = |name: &String| fields.get(name).unwrap_or_else(|| panic!("{kind} says nothing of {name}"));
    let title = if path.is_empty() { "At the top".to_owned() } else { format!("`[{path}]`") };
    let _ = write!(text, "\n### {title}\n\n| Key | Default | Meaning |\n| --- | --- | --- |\n");
    for (name, value) in shown.iter().filter(|(_, value)| !is_section(value)) {
        let default = match value {
            Json::Null => "none".to_owned(),
            // Shown as ***, because there may be a password in it.
            Json::String(stars) if stars == "***" => format!("`\"{}\"`", secret(config, path, name)),
            other => format!("`{other}`"),
        };
        let _ = writeln!(text, "| `{name}` | {default} | {} |", field(name).1);
    }
    for (name, value) in shown {
        if let Json::Object(inner) = value
            && is_section(value)
        {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            section(structs, &field(name).0, &path, inner, config, text);
        }
    }
}

/// Whether a value is a section of its own; an empty one is a table that users fill.
fn is_section(value: &Json) -> bool {
    value.as_object().is_some_and(|fields| !fields.is_empty())
}

/// A section that is there only where somebody writes it.
fn optional(structs: &HashMap<String, Fields>, kind: &str, path: &str, text: &mut String) {
    let fields = structs.get(kind).unwrap_or_else(|| panic!("no source defines {kind}"));
    let mut rows: Vec<_> = fields.iter().map(|(name, (_, meaning))| format!("| `{name}` | {meaning} |\n")).collect();
    rows.sort();
    let _ = write!(text, "\n### `[{path}]`\n\n| Key | Meaning |\n| --- | --- |\n{}", rows.concat());
}

fn secret<'c>(config: &'c Config, path: &str, name: &str) -> &'c str {
    match (path, name) {
        ("store", "database") => config.store.database.expose(),
        ("store", "control") => config.store.control.expose(),
        _ => panic!("the default of {path}.{name} is a secret"),
    }
}

/// Reads all structs of a folder's sources.
fn read_folder(folder: &Path, structs: &mut HashMap<String, Fields>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_folder(&path, structs);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            read_structs(&fs::read_to_string(&path).unwrap(), structs);
        }
    }
}

fn read_structs(source: &str, structs: &mut HashMap<String, Fields>) {
    let mut current: Option<(String, Fields)> = None;
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            current = Some((name.to_owned(), Fields::new()));
        } else if line == "}" {
            structs.extend(current.take());
        } else if let Some(text) = line.trim_start().strip_prefix("/// ") {
            comment = if comment.is_empty() { text.to_owned() } else { format!("{comment} {text}") };
            continue;
        } else if line.trim_start().starts_with("#[") {
            // An attribute between the comment and its field.
            continue;
        } else if let Some((_, fields)) = &mut current
            && let Some((name, kind)) = line.trim_start().strip_prefix("pub ").and_then(|rest| rest.split_once(": "))
        {
            fields.insert(name.to_owned(), (kind.trim_end_matches(',').to_owned(), std::mem::take(&mut comment)));
        }
        comment.clear();
    }
}
