//! Where in a file each key is.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The places of all keys and values of a file.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    /// Where each line begins.
    lines: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    /// As people write it: `endpoints.0.methods[1]`.
    path: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl Index {
    pub(super) fn of(text: &str, root: &DeTable<'_>) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut index = Self { entries: Vec::new(), lines };
        index.add_table("", root);
        index
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = key.get_ref();
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            self.add(path, key.span(), value);
        }
    }

    fn add(&mut self, path: String, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(&path, table),
            DeValue::Array(array) => {
                // Endpoints have numbers in either way of writing them.
                let dotted = path == "endpoints";
                for (number, element) in array.iter().enumerate() {
                    let inner = if dotted { format!("{path}.{number}") } else { format!("{path}[{number}]") };
                    self.add(inner, element.span(), element);
                }
            }
            _ => {}
        }
        self.entries.push(Entry { path, key, value: value.span() });
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| entry.path == path)
    }

    /// The line of a position in the file.
    pub(super) fn line_at(&self, position: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= position)
    }

    /// The line of a key, or of the nearest one around it; 0 where there is none.
    pub(super) fn line(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(entry) = self.entries.iter().find(|entry| entry.path == path) {
                return self.line_at(entry.key.start);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return 0,
            }
        }
    }

    /// The key that a range of the file is about: the smallest that holds it.
    pub(super) fn path_at(&self, span: &Range<usize>) -> Option<&str> {
        let holds = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        let width = |entry: &Entry| {
            [&entry.key, &entry.value].into_iter().filter(|part| holds(part)).map(ExactSizeIterator::len).min()
        };
        let found = self.entries.iter().filter_map(|entry| Some((width(entry)?, entry)));
        found.min_by_key(|(width, _)| *width).map(|(_, entry)| &*entry.path)
    }
}
