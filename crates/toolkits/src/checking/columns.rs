//! What a toolkit says of columns: those it protects, fills in, or does without.

use kernel::{
    identifier::is_identifier,
    toolkits::{GeneratedColumn, GeneratedValue},
};

use super::Draft;
use crate::{
    file::{Generation, GenerationKind, WriteAction},
    toolkit::Need,
};

/// What random characters are taken from: no 0 and O, no 1, I and L.
const ALPHABET: &str = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const LENGTH: u8 = 8;
const MOST_DIGITS: u8 = 18;
const MOST_TEXT: usize = 64;

impl Draft<'_> {
    pub(super) fn columns(&mut self) {
        for (index, name) in self.file.write_protected_columns.clone().iter().enumerate() {
            let key = format!("write_protected_columns[{index}]");
            match name.split_once('.') {
                Some((table, column)) if is_identifier(column) => self.own_table(&key, table),
                _ => self.complaints.add(&key, "write it as \"table.column\""),
            }
        }
        for (table, columns) in self.file.auto_generation.clone() {
            self.own_table(&format!("auto_generation.{table}"), &table);
            for (column, generation) in columns {
                let key = format!("auto_generation.{table}.{column}");
                if !is_identifier(&column) {
                    self.complaints.add(&key, format!("{column:?} is not the name of a column"));
                }
                for (name, problem) in generation.problems() {
                    self.complaints.add(&format!("{key}.{name}"), problem);
                }
            }
        }
        for table in self.file.system_column_overrides.keys().cloned().collect::<Vec<_>>() {
            self.own_table(&format!("system_column_overrides.{table}"), &table);
        }
    }
}

impl Draft<'_> {
    /// The tables and columns without which the file would not do what it says. Of a toolkit that is switched off, what
    /// it says against writing alone is in force.
    pub(super) fn needs(&self) -> Vec<Need> {
        let need = |key: String, table: &str, column: Option<&str>, filled| Need {
            line: self.complaints.line(&key),
            key,
            table: table.to_owned(),
            column: column.map(str::to_owned),
            filled,
        };
        let file = &self.file;
        let tables = file.read_only_tables.iter().enumerate();
        let tables = tables.map(|(index, table)| need(format!("read_only_tables[{index}]"), table, None, false));
        let protected = file.write_protected_columns.iter().enumerate().filter_map(|(index, name)| {
            let (table, column) = name.split_once('.')?;
            Some(need(format!("write_protected_columns[{index}]"), table, Some(column), false))
        });
        let filled = file.auto_generation.iter().filter(|_| file.enabled).flat_map(|(table, columns)| {
            columns.keys().map(move |column| (format!("auto_generation.{table}.{column}"), table, column))
        });
        let filled = filled.map(|(key, table, column)| need(key, table, Some(column), true));
        tables.chain(protected).chain(filled).collect()
    }
}

impl Generation {
    /// The keys that are wrong, each with why.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let is = |kind| self.kind == kind;
        let (sequence, random) = (is(GenerationKind::Sequence), is(GenerationKind::Random));
        let strays = [
            ("prefix", !self.prefix.is_empty() && !sequence && !random, "sequence and random"),
            ("suffix", !self.suffix.is_empty() && !sequence, "sequence"),
            ("digits", self.digits != 0 && !sequence, "sequence"),
            ("start", self.start.is_some() && !sequence, "sequence"),
            ("alphabet", self.alphabet.is_some() && !random, "random"),
            ("length", self.length.is_some() && !random, "random"),
        ];
        for (name, stray, with) in strays {
            if stray {
                problems.push((name, format!("it goes with the kind {with}; leave it out")));
            }
        }
        for (name, text) in [("prefix", &self.prefix), ("suffix", &self.suffix)] {
            if text.chars().count() > MOST_TEXT || text.chars().any(char::is_control) {
                problems.push((name, format!("it has at most {MOST_TEXT} characters")));
            }
        }
        if self.digits > MOST_DIGITS {
            problems.push(("digits", format!("at most {MOST_DIGITS}")));
        }
        if self.start.is_some_and(|start| i64::try_from(start).is_err()) {
            problems.push(("start", "it is too large".to_owned()));
        }
        if let Some(alphabet) = &self.alphabet {
            let characters: Vec<_> = alphabet.chars().collect();
            let twice = characters.iter().enumerate().any(|(index, one)| characters[..index].contains(one));
            if !(2..=MOST_TEXT).contains(&characters.len()) || twice {
                problems.push(("alphabet", format!("write 2 to {MOST_TEXT} characters, each once")));
            }
        }
        if self.length.is_some_and(|length| !(1..=64).contains(&length)) {
            problems.push(("length", "from 1 to 64".to_owned()));
        }
        if self.on.is_empty() {
            problems.push(("on", "write [\"insert\"], [\"update\"] or both".to_owned()));
        }
        problems
    }

    /// What the data API is told.
    pub(crate) fn column(&self, name: &str) -> GeneratedColumn {
        let value = match self.kind {
            GenerationKind::Sequence => GeneratedValue::Sequence {
                prefix: self.prefix.clone(),
                digits: self.digits,
                suffix: self.suffix.clone(),
                start: self.start.unwrap_or(1),
            },
            GenerationKind::Random => GeneratedValue::Random {
                prefix: self.prefix.clone(),
                alphabet: self.alphabet.clone().unwrap_or_else(|| ALPHABET.to_owned()),
                length: self.length.unwrap_or(LENGTH),
            },
            GenerationKind::Uuid => GeneratedValue::Uuid,
            GenerationKind::Now => GeneratedValue::Now,
            GenerationKind::User => GeneratedValue::User,
        };
        GeneratedColumn {
            column: name.to_owned(),
            value,
            on_insert: self.on.contains(&WriteAction::Insert),
            on_update: self.on.contains(&WriteAction::Update),
            always: self.always,
        }
    }
}
