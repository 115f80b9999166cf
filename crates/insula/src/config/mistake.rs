//! What is wrong in a configuration, said so that it can be mended.

use std::fmt;

use super::Origin;

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

/// All mistakes of a configuration; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has mistakes")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// Keys that serde does not know of, by the section they are in.
const EXTRA: [(&str, &[&str]); 2] = [("server", &["port", "host"]), ("", &["master_key_file"])];

/// Explains what the types said of one value.
pub(super) fn explain(origin: &Origin, path: &[String], message: &str, is_secret: bool) -> Mistake {
    let mistake = |key: &[String], problem, suggestion| Mistake {
        origin: origin.clone(),
        key: key.join("."),
        problem,
        suggestion,
    };
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = message.strip_prefix("unknown field ").and_then(|_| words.next());
    let Some(position) = unknown.and_then(|unknown| path.iter().position(|part| part == unknown)) else {
        // A secret of the wrong type would be repeated in the message.
        let problem = if is_secret { "expected text".to_owned() } else { message.trim().replace('\n', ", ") };
        return mistake(path, problem, None);
    };
    let section = path[..position].join(".");
    let extra = EXTRA.iter().filter(|(name, _)| *name == section).flat_map(|(_, keys)| keys.iter().copied());
    let known: Vec<&str> = words.chain(extra).collect();
    mistake(&path[..=position], "there is no such key".to_owned(), Some(suggest(&path[position], &known)))
}

/// The nearest of the known keys, or all of them where none is near.
fn suggest(unknown: &str, known: &[&str]) -> String {
    let likeness = |key: &&str| (strsim::jaro_winkler(unknown, key) * 1_000.0) as u32;
    match known.iter().copied().max_by_key(likeness) {
        Some(nearest) if likeness(&nearest) >= 800 => format!("did you mean `{nearest}`?"),
        Some(_) => format!("known keys are {}", known.join(", ")),
        None => "nothing can be set here".to_owned(),
    }
}
