//! What became of each key.

use serde::Serialize;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is there on the other side.
    Mapped,
    /// It is not known; it is kept and comes back unchanged.
    Unknown,
    /// It is about a group, which is in the database of a tenant: a command takes it there.
    Group,
    /// What it says is not in force on the other side.
    Lossy,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What became of it.
    pub outcome: Outcome,
    /// The file it was read from.
    pub file: String,
    /// The key with its section.
    pub key: String,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Why. Values are never repeated, for they may be secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// All keys in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The keys.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Whether anything is not in force on the other side.
    pub fn is_lossy(&self) -> bool {
        self.of(Outcome::Lossy).next().is_some()
    }

    /// The keys that became of a kind.
    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.outcome == outcome)
    }

    pub(crate) fn add(&mut self, outcome: Outcome, file: &str, path: &[String], now: Option<&str>, note: Option<&str>) {
        self.entries.push(Entry {
            outcome,
            file: file.to_owned(),
            key: path.join("."),
            now: now.map(str::to_owned),
            note: note.map(str::to_owned),
        });
    }
}
