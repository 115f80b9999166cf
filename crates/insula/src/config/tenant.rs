//! Checks the files in a tenant's folder without its database.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use columns::TenantColumns;
use identity::IdentityConfig;
use query::rules::RuleSource;
use serde::Deserialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    Config, Mistake, Mistakes, Origin,
    layer::{Leaf, Source},
    mistake,
};

const IDENTITY: &str = "identity.toml";
const RULES: &str = "rules.toml";
const MAIL: &str = "mail";
const MOST_BYTES: u64 = 1 << 20;

/// What finds the mistakes in the text of a file.
type Check = fn(&Config, Source<'_>) -> Vec<Mistake>;

/// The mistakes in the files of a tenant's folder: `identity.toml`, `rules.toml`, `columns.toml`, toolkits and the letters in `mail`. Whether
/// tables and columns are there is known to the database alone, and not checked.
pub async fn check_tenant(config: &Config, folder: &Path) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let checks: [(_, Check); 3] = [(IDENTITY, identity), (RULES, rules), (columns::FILE, system_columns)];
    for (name, check) in checks {
        let file = folder.join(name);
        match read(&file) {
            Ok(None) => {}
            Ok(Some(text)) => mistakes.extend(Mistakes::sorted(check(config, Source { name: &file, text: &text })).0),
            Err(problem) => mistakes.push(at(file, 1, problem)),
        }
    }
    mistakes.extend(toolkits(&folder.join(toolkits::FOLDER)));
    mistakes.extend(letters(&folder.join(MAIL)).await);
    mistakes
}

/// Bad toolkits, each with its own mistakes.
fn toolkits(folder: &Path) -> Vec<Mistake> {
    let mut files: Vec<PathBuf> = entries(folder).into_iter().map(|name| folder.join(name)).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    let check = |file: PathBuf| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = match read(&file) {
            Ok(text) => text.unwrap_or_default(),
            Err(problem) => return vec![at(file, 1, problem)],
        };
        let found = toolkits::check(&query::rules::Grammar, &stem, &text, folder);
        let place = |mistake: toolkits::Mistake| {
            // The advice comes last in what is said.
            let (problem, advice) = match mistake.problem.rsplit_once("; ") {
                Some((problem, advice)) => (problem.to_owned(), Some(advice.to_owned())),
                None => (mistake.problem, None),
            };
            Mistake { key: mistake.key, suggestion: advice, ..at(file.clone(), mistake.line.max(1), problem) }
        };
        found.into_iter().map(place).collect()
    };
    files.into_iter().flat_map(check).collect()
}

/// The names in a folder that are not hidden, in order; none where there is no folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn at(file: PathBuf, line: usize, problem: String) -> Mistake {
    Mistake { origin: Origin::File { file, line, column: 1 }, key: String::new(), problem, suggestion: None }
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let opened = match fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(metadata) if !metadata.is_file() => return Err("is no file".to_owned()),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err("is larger than 1MB".to_owned()),
        _ => fs::File::open(file),
    };
    let mut text = String::new();
    let read = opened.and_then(|opened| opened.take(MOST_BYTES).read_to_string(&mut text));
    read.map(|_| Some(text)).map_err(|error| format!("cannot be read: {error}"))
}

fn identity_fits(table: Table) -> Result<(), String> {
    IdentityConfig::deserialize(Value::Table(table)).map(drop).map_err(|error| error.message().to_owned())
}

fn identity(config: &Config, source: Source<'_>) -> Vec<Mistake> {
    let leaves = match source.leaves() {
        Ok(leaves) => leaves,
        Err(mistakes) => return mistakes,
    };
    let is_secret = |path: &[String]| {
        let path: Vec<&str> = std::iter::once("identity").chain(path.iter().map(String::as_str)).collect();
        super::schema::is_secret(&path)
    };
    let mut mistakes = Vec::new();
    let mut good = Table::new();
    for leaf in &leaves {
        if identity::OF_THE_INSTALLATION.iter().any(|key| leaf.path.first().is_some_and(|first| first == key)) {
            let problem = "is for the whole installation".to_owned();
            let suggestion = Some(format!("write it into [identity] of insula.toml, and not into {IDENTITY}"));
            mistakes.push(Mistake { origin: leaf.origin.clone(), key: leaf.key(), problem, suggestion });
            continue;
        }
        let found = mistake::of_leaf(leaf, identity_fits, is_secret);
        if found.is_empty() {
            super::load::insert(&mut good, &leaf.path, leaf.value.clone());
        }
        mistakes.extend(found);
    }
    let place = |key: &str| {
        let of = |leaf: &&Leaf| leaf.key() == key || leaf.key().starts_with(&format!("{key}."));
        leaves.iter().find(of).map_or_else(|| source.at(0), |leaf| leaf.origin.clone())
    };
    let whole = identity::laid_over(&config.identity, good);
    let further = match whole {
        Ok(settings) => settings.mistakes(),
        Err(problem) => vec![(String::new(), problem.replace('\n', ", "))],
    };
    // What is wrong with the installation's own settings is told with insula.toml.
    let known = config.identity.mistakes();
    let further = further.into_iter().filter(|mistake| !known.contains(mistake));
    mistakes.extend(further.map(|(key, problem)| Mistake { origin: place(&key), key, problem, suggestion: None }));
    mistakes
}

fn columns_fit(table: Table) -> Result<(), String> {
    TenantColumns::deserialize(Value::Table(table)).map(drop).map_err(|error| error.message().to_owned())
}

fn system_columns(_: &Config, source: Source<'_>) -> Vec<Mistake> {
    match source.leaves() {
        Ok(leaves) => leaves.iter().flat_map(|leaf| mistake::of_leaf(leaf, columns_fit, |_| false)).collect(),
        Err(mistakes) => mistakes,
    }
}

/// What the types say of a rule in which the other keys are right.
fn rule_fits(table: Table) -> Result<(), String> {
    let mut rule = Table::from_iter([
        ("table".to_owned(), Value::from("t")),
        ("groups".to_owned(), Value::Array(Vec::new())),
        ("actions".to_owned(), Value::Array(Vec::new())),
    ]);
    rule.extend(table);
    RuleSource::deserialize(Value::Table(rule)).map(drop).map_err(|error| error.message().to_owned())
}

fn rules(_: &Config, source: Source<'_>) -> Vec<Mistake> {
    let (spans, errors) = DeTable::parse_recoverable(source.text);
    if !errors.is_empty() {
        return errors.iter().map(|error| source.broken(error)).collect();
    }
    let table: Table = match toml::from_str(source.text) {
        Ok(table) => table,
        Err(error) => return vec![source.broken(&error)],
    };
    let mut mistakes = Vec::new();
    for (key, spanned) in spans.get_ref() {
        let origin = source.at(key.span().start);
        let name = key.get_ref().as_ref();
        let suggestion = Some("rules begin with [[rules]]".to_owned());
        match (table.get(name), spanned.get_ref()) {
            (Some(Value::Array(rules)), DeValue::Array(spans)) if name == "rules" => {
                for (index, (rule, spanned)) in rules.iter().zip(spans.iter()).enumerate() {
                    mistakes.extend(one_rule(source, index, rule, spanned));
                }
            }
            _ if name == "rules" => {
                let problem = "expected a list of rules".to_owned();
                mistakes.push(Mistake { origin, key: name.to_owned(), problem, suggestion });
            }
            _ => {
                let problem = "there is no such key".to_owned();
                mistakes.push(Mistake { origin, key: name.to_owned(), problem, suggestion });
            }
        }
    }
    mistakes
}

fn one_rule(source: Source<'_>, index: usize, rule: &Value, spanned: &Spanned<DeValue<'_>>) -> Vec<Mistake> {
    let origin = source.at(spanned.span().start);
    let named = |key: &str| format!("rules[{index}].{key}");
    let mistake = |key: String, origin, problem| Mistake { origin, key, problem, suggestion: None };
    let (Value::Table(table), DeValue::Table(spans)) = (rule, spanned.get_ref()) else {
        return vec![mistake(format!("rules[{index}]"), origin, "expected a table".to_owned())];
    };
    let place = |key: &str| {
        let written = spans.iter().find(|(name, _)| name.get_ref() == key);
        written.map_or_else(|| origin.clone(), |(name, _)| source.at(name.span().start))
    };
    let mut mistakes: Vec<Mistake> = Vec::new();
    for (key, value) in table {
        let leaf = Leaf { path: vec![key.clone()], value: value.clone(), origin: place(key) };
        let found = mistake::of_leaf(&leaf, rule_fits, |_| false);
        mistakes.extend(found.into_iter().map(|found| Mistake { key: named(&found.key), ..found }));
    }
    for key in ["table", "actions"] {
        if !table.contains_key(key) {
            mistakes.push(mistake(named(key), origin.clone(), "is missing".to_owned()));
        }
    }
    if mistakes.is_empty() {
        let read = RuleSource::deserialize(rule.clone()).map_err(|error| ("", error.message().to_owned()));
        if let Err((key, problem)) = read.and_then(|rule| rule.check()) {
            mistakes.push(mistake(named(key), place(key), problem));
        }
    }
    mistakes
}

async fn letters(folder: &Path) -> Vec<Mistake> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let broken = mail::check(folder).await.into_iter().map(|error| match error {
        mail::TemplateError::Broken { file, line, what } => at(folder.join(file), line, what),
        mail::TemplateError::Unreadable(file, error) => at(file, 1, format!("cannot be read: {error}")),
        mail::TemplateError::TooLarge(file) => at(file, 1, "is larger than 64KB".to_owned()),
        mail::TemplateError::TooLong(file) => at(folder.join(file), 1, "makes more than 256KB".to_owned()),
    });
    let mut mistakes: Vec<Mistake> = broken.collect();
    let letters = mail::Template::ALL.iter().map(|letter| letter.name());
    let known: Vec<String> =
        letters.flat_map(|name| ["subject", "txt", "html"].map(|ending| format!("{name}.{ending}"))).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let strangers = entries(folder).into_iter().filter(|name| !known.contains(&name.as_str()));
    mistakes.extend(strangers.map(|name| Mistake {
        suggestion: mistake::nearest(&name, &known).map(|near| format!("did you mean {near}?")),
        ..at(folder.join(name), 1, "no letter is made of this file".to_owned())
    }));
    mistakes
}
