//! What is wrong in a file, said so that it can be mended.

use std::fmt;

/// Words that are told to choose from.
const MOST_NAMED: usize = 50;

/// One mistake in a toolkit's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as people call it: `toolkits/<name>.toml`.
    pub file: String,
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// The key, such as `endpoints.0.path`; empty where there is none.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What the types said of a value, for people.
pub(super) fn explained(message: &str, more_keys: &[&str]) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    if let Some(unknown) = message.strip_prefix("unknown field ").and_then(|_| words.next()) {
        let known: Vec<_> = words.chain(more_keys.iter().copied()).collect();
        return format!("there is no such key; {}", nearest(unknown, &known));
    }
    if let Some(unknown) = message.strip_prefix("unknown variant ").and_then(|_| words.next()) {
        let known: Vec<_> = words.collect();
        return format!("there is no {unknown:?} here; {}", nearest(unknown, &known));
    }
    if let Some(missing) = message.strip_prefix("missing field ").and_then(|_| words.next()) {
        return format!("the key `{missing}` is missing; write it");
    }
    message.trim().replace('\n', ", ")
}

/// The nearest of the known words, or all of them where none is near.
pub(crate) fn nearest(unknown: &str, known: &[&str]) -> String {
    let likeness = |word: &&str| (strsim::jaro_winkler(unknown, word) * 1_000.0) as u32;
    match known.iter().copied().max_by_key(likeness) {
        Some(nearest) if likeness(&nearest) >= 800 => format!("did you mean `{nearest}`?"),
        Some(_) if known.len() > MOST_NAMED => format!("write one of {} …", known[..MOST_NAMED].join(", ")),
        Some(_) => format!("write one of {}", known.join(", ")),
        None => "there is none to choose from".to_owned(),
    }
}
