//! What an import of old keys found and did.

use std::{collections::BTreeMap, fmt::Write};

use identity::Imported;
use serde::Serialize;

use super::class::Class;

/// Rows that the report names at the most.
const NAMED: usize = 1_000;

/// What an import found and did, or would do.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Whether anything was written.
    pub(crate) applied: bool,
    /// Where the keys came from.
    pub(crate) source: String,
    /// Rows with a key.
    pub(crate) rows: u64,
    /// How many there are of each class.
    pub(crate) classes: BTreeMap<&'static str, u64>,
    /// Keys that can be used for 30 days.
    pub(crate) kept: u64,
    /// Keys that have to be rotated and cannot be used.
    pub(crate) rotation_due: u64,
    /// Secrets of outside services that were sealed.
    pub(crate) sealed: u64,
    /// What was imported before, or is there twice.
    pub(crate) known: u64,
    /// Keys of Insula's own, which stay where they are.
    pub(crate) own: u64,
    /// Keys of nobody who is known here, which stay where they are.
    pub(crate) unowned: u64,
    /// Old keys that were blanked.
    pub(crate) blanked: u64,
    /// Why old keys lie where they lay, where that is so.
    pub(crate) not_blanked: Option<String>,
    /// Rows whose owners have to be told, or that need one: the first thousand.
    pub(crate) named: Vec<Named>,
}

/// A row that somebody has to do something about.
#[derive(Debug, Serialize)]
pub(crate) struct Named {
    /// Where it came from.
    pub(crate) from: String,
    /// Whose it is, as the old table has it or as it is known here.
    pub(crate) owner: Option<String>,
    /// What it is.
    pub(crate) class: String,
    /// `rotation_due`, `sealed` or `unowned`.
    pub(crate) outcome: &'static str,
}

impl Report {
    /// Counts a row of a class.
    pub(crate) fn class(&mut self, class: Class) {
        self.rows += 1;
        *self.classes.entry(class.word()).or_default() += 1;
    }

    /// Counts what became of a row.
    pub(crate) fn outcome(&mut self, outcome: Imported, from: &str, owner: Option<&str>, class: Class) {
        let word = match outcome {
            Imported::Kept => {
                self.kept += 1;
                return;
            }
            Imported::Known => {
                self.known += 1;
                return;
            }
            Imported::RotationDue => {
                self.rotation_due += 1;
                "rotation_due"
            }
            Imported::Sealed => {
                self.sealed += 1;
                "sealed"
            }
        };
        self.name(from, owner, class, word);
    }

    /// Counts a row without an owner who is known here.
    pub(crate) fn nobody(&mut self, from: &str, owner: Option<&str>, class: Class) {
        self.unowned += 1;
        self.name(from, owner, class, "unowned");
    }

    fn name(&mut self, from: &str, owner: Option<&str>, class: Class, outcome: &'static str) {
        if self.named.len() < NAMED {
            let (from, owner) = (from.to_owned(), owner.map(str::to_owned));
            self.named.push(Named { from, owner, class: class.to_string(), outcome });
        }
    }

    /// The report for people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("{} keys in {}", self.rows, self.source);
        for (class, count) in &self.classes {
            let _ = write!(text, "\n  {class:<12} {count}");
        }
        let will = |done: &'static str, would: &'static str| if self.applied { done } else { would };
        for (count, what) in [
            (self.kept, will("can be used for 30 days; rotate them", "would be kept for 30 days")),
            (self.rotation_due, will("cannot be used; their owners have to make others", "would have to be made anew")),
            (
                self.sealed,
                will("are sealed: insula key secret list; rotate them where they were made", "would be sealed"),
            ),
            (self.known, "were imported before, or are there twice"),
            (self.own, "are keys of Insula's own and stay where they are"),
            (self.unowned, "have no owner who is known here and stay where they are; see --owner-column and --user"),
            (self.blanked, "were blanked where they lay"),
        ] {
            if count > 0 {
                let _ = write!(text, "\n{count} {what}");
            }
        }
        if let Some(why) = &self.not_blanked {
            let _ = write!(text, "\nThe old keys lie where they lay: {why}.");
        }
        for named in &self.named {
            let owner = named.owner.as_deref().unwrap_or("-");
            let _ = write!(text, "\n  {}  {owner}  {}  {}", named.from, named.class, named.outcome);
        }
        if !self.applied {
            text.push_str("\nNothing was written. To do it, run this again with --apply.");
        }
        text
    }
}
