//! Row rules as an operator writes them, in `rules.toml` of the tenant's folder.

use std::path::Path;

use kernel::{Error, Reason, Result};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use toml::Spanned;

use crate::request::{Action, Filter};

/// The file below the tenant's folder.
const FILE: &str = "rules.toml";
/// Larger files are refused.
const MAX_BYTES: u64 = 1 << 20;

/// All row rules of a tenant.
#[derive(Debug, Default)]
pub struct RuleBook {
    /// The rules in their order.
    pub rules: Vec<RuleSource>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// The rules, in their order.
    #[serde(default)]
    #[schemars(with = "Vec<RuleSource>")]
    rules: Vec<Spanned<RuleSource>>,
}

/// One rule as it is written.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["groups"] }, { "required": ["power"] }]))]
pub struct RuleSource {
    /// A name for people; `explain` shows it.
    #[serde(default)]
    pub name: Option<String>,
    /// The table whose rows it is about.
    pub table: String,
    /// The groups it is for, by name.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// The powers it is for.
    #[serde(default)]
    pub power: Option<PowerRange>,
    /// What it allows.
    #[schemars(length(min = 1))]
    pub actions: Vec<RuleAction>,
    /// Which rows; all when absent.
    #[serde(default)]
    pub when: Option<Filter>,
    /// Which columns; all when absent.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// Values that are forced on insert and update.
    #[serde(default)]
    pub set: Map<String, Json>,
    /// The line it begins in.
    #[serde(skip)]
    pub line: usize,
}

/// Powers from and to, both included.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerRange {
    /// The lowest.
    #[serde(default)]
    pub min: u8,
    /// The highest.
    #[serde(default = "highest_power")]
    pub max: u8,
}

const fn highest_power() -> u8 {
    100
}

/// What a row rule can allow. Counting is reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Reading and counting rows.
    Select,
    /// Making rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
}

impl RuleAction {
    /// The action that a request's action falls under.
    pub const fn of(action: Action) -> Self {
        match action {
            Action::Select | Action::Count => Self::Select,
            Action::Insert => Self::Insert,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
        }
    }
}

impl RuleBook {
    /// Reads the rules of a tenant's folder; none where there is no file. Errors: 500 `reload_failed` with file and line.
    pub async fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match tokio::fs::metadata(&path).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Ok(meta) if meta.len() > MAX_BYTES => return Err(broken(0, "the file is larger than 1MB")),
            _ => {}
        }
        let text = tokio::fs::read_to_string(&path).await.map_err(|error| broken(0, &error.to_string()))?;
        Self::parse(&text)
    }

    /// What `rules.toml` may hold, as a JSON Schema.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(File)
    }

    /// Reads rules from text.
    pub fn parse(text: &str) -> Result<Self> {
        let line_of = |position: usize| text[..position.min(text.len())].matches('\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(span.start));
            broken(line, error.message())
        })?;
        let rules = file.rules.into_iter().map(|spanned| {
            let line = line_of(spanned.span().start);
            let rule = RuleSource { line, ..spanned.into_inner() };
            rule.check().map_err(|(field, error)| broken(line, &format!("{field}: {error}")))?;
            Ok(rule)
        });
        Ok(Self { rules: rules.collect::<Result<_>>()? })
    }
}

/// The refusal of a rule file.
pub(crate) fn broken(line: usize, what: &str) -> Error {
    let place = if line == 0 { FILE.to_owned() } else { format!("{FILE} line {line}") };
    Error::new(Reason::ReloadFailed, format!("{place}: {what}"))
}

impl RuleSource {
    /// What the types alone cannot refuse: a key with what is wrong with it.
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.groups.is_none() && self.power.is_none() {
            return Err(("groups", "a rule is for groups = [\"…\"] or power = { min = … }".into()));
        }
        if self.actions.is_empty() {
            return Err(("actions", "a rule allows at least one of select, insert, update, delete".into()));
        }
        if self.when.as_ref().is_some_and(|when| when.depth() > crate::request::filter::MAX_DEPTH) {
            return Err(("when", "the condition nests too deeply".into()));
        }
        Ok(())
    }

    /// Whether it is for a group. A range of powers never means a toolkit itself, which has none.
    pub fn is_for(&self, group: &kernel::Group) -> bool {
        let named = self.groups.as_ref().is_none_or(|groups| groups.contains(&group.name));
        let in_range = |range: PowerRange| group.power > 0 && (range.min..=range.max).contains(&group.power);
        named && self.power.is_none_or(in_range)
    }

    /// What to call it in front of people.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("rules.toml line {}", self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::RuleBook;
    use proptest::prelude::*;

    const CHAT: &str = r#"
[[rules]]
table = "messages"
groups = ["users"]
actions = ["select", "insert"]
when = { exists = { table = "room_members", where = { room = "$row.room", member = "$principal.id" } } }
columns = ["id", "room", "body"]
set = { author = "$principal.id" }

[[rules]]
name = "moderators see all"
table = "messages"
power = { min = 70 }
actions = ["select"]
"#;

    #[test]
    fn a_file_is_read_with_its_lines() {
        let book = RuleBook::parse(CHAT).unwrap();
        assert_eq!(book.rules.len(), 2);
        assert_eq!(book.rules[0].label(), "rules.toml line 2");
        assert_eq!(book.rules[1].label(), "moderators see all");
        assert_eq!(book.rules[0].when.as_ref().unwrap().leaves(), 2);
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = |text: &str| RuleBook::parse(text).unwrap_err().message;
        assert!(error("[[rules]]\ntable = \"a\"\nactions = [\"select\"]").contains("line 1: groups"));
        assert!(error("[[rules]]\ntable = \"a\"\ngroups = [\"g\"]\nactions = [\"fly\"]").contains("line 4"));
        assert!(error("[[rules]]\ntabel = \"a\"").contains("tabel"));
        assert!(error("[[rules]\n").contains("line 1"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = RuleBook::parse(&text);
        }
    }
}
