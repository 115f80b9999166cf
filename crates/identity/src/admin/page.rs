//! One page of a list: where it begins, how it is sorted and how long it is.

use kernel::time::Timestamp;

/// The value that a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
    Moment(Timestamp),
}

/// What kind of [`Key`] a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Number,
    Text,
    Moment,
}

/// What a list can be sorted by; the first is the default.
pub(crate) trait Sort: Copy + PartialEq + 'static {
    /// The words and what they stand for.
    const ALL: &'static [(&'static str, Self)];

    /// The kind of its values.
    fn kind(self) -> KeyKind;
}

/// A page that is asked for. Rows with the same key are told apart by their numbers, so that what is added or removed
/// meanwhile neither repeats nor hides another row.
#[derive(Debug, Clone)]
pub(crate) struct Page<S> {
    pub(crate) sort: S,
    pub(crate) descending: bool,
    /// The key and number of the row before it.
    pub(crate) after: Option<(Key, i64)>,
    pub(crate) limit: u64,
}

/// A page as it was found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) rows: Vec<T>,
    /// The key and number of the last row, where there are more behind it.
    pub(crate) next: Option<(Key, i64)>,
}

impl<S> Page<S> {
    /// Cuts off the row that was read only to learn whether there are more.
    pub(crate) fn found<T>(&self, mut rows: Vec<(T, Key, i64)>) -> Found<T> {
        let more = rows.len() as u64 > self.limit;
        rows.truncate(self.limit as usize);
        let next = rows.last().filter(|_| more).map(|(_, key, number)| (key.clone(), *number));
        Found { rows: rows.into_iter().map(|(row, ..)| row).collect(), next }
    }
}
