//! Lists of Insula's own rows by pages: where a page begins, how it is sorted and how long it is.

use kernel::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, SelectStatement};

use crate::{Database, Dialect, Result, Row, Value};

/// The value that a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// A moment.
    Moment(Timestamp),
}

/// What kind of [`Key`] a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// A moment.
    Moment,
}

/// What a list can be sorted by; the first is the default.
pub trait Sort: Copy + PartialEq + 'static {
    /// The words and what they stand for.
    const ALL: &'static [(&'static str, Self)];

    /// The kind of its values.
    fn kind(self) -> KeyKind;
}

/// A page that is asked for. Rows with the same key are told apart by their numbers, so that what is added or removed
/// meanwhile neither repeats nor hides another row.
#[derive(Debug, Clone)]
pub struct Page<S> {
    /// What it is sorted by.
    pub sort: S,
    /// Whether the order is turned round.
    pub descending: bool,
    /// The key and number of the row before it.
    pub after: Option<(Key, i64)>,
    /// Rows it has at the most.
    pub limit: u64,
}

/// A page as it was found.
#[derive(Debug)]
pub struct Found<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The key and number of the last row, where there are more behind it.
    pub next: Option<(Key, i64)>,
}

impl<S> Page<S> {
    /// Cuts off the row that was read only to learn whether there are more.
    pub fn found<T>(&self, mut rows: Vec<(T, Key, i64)>) -> Found<T> {
        let more = rows.len() as u64 > self.limit;
        rows.truncate(self.limit as usize);
        let next = rows.last().filter(|_| more).map(|(_, key, number)| (key.clone(), *number));
        Found { rows: rows.into_iter().map(|(row, ..)| row).collect(), next }
    }
}

/// Sorts by a key and then by a number, begins behind the row before the page, and reads one row more than it has.
pub fn apply<S>(select: &mut SelectStatement, page: &Page<S>, key: &Expr, number: &Expr) {
    if let Some((last, last_number)) = &page.after {
        let (last, last_number) = (|| Expr::from(Value::from(last)), *last_number);
        let (beyond, further) = if page.descending {
            (key.clone().lt(last()), number.clone().lt(last_number))
        } else {
            (key.clone().gt(last()), number.clone().gt(last_number))
        };
        select.and_where(beyond.or(key.clone().eq(last()).and(further)));
    }
    let order = if page.descending { Order::Desc } else { Order::Asc };
    select.order_by_expr(key.clone(), order.clone()).order_by_expr(number.clone(), order);
    select.limit(page.limit + 1);
}

/// The key of a row that [`apply`] sorted by.
pub fn key(row: &Row, index: usize, kind: KeyKind) -> Result<Key> {
    Ok(match kind {
        KeyKind::Number => Key::Number(row.int(index)?),
        KeyKind::Text => Key::Text(row.text(index)?.to_owned()),
        KeyKind::Moment => Key::Moment(row.timestamp(index)?),
    })
}

impl From<&Key> for Value {
    fn from(key: &Key) -> Self {
        match key {
            Key::Number(number) => Self::from(*number),
            Key::Text(text) => Self::from(text.as_str()),
            Key::Moment(moment) => Self::from(*moment),
        }
    }
}

/// Text in the order of code points, as the other databases have it.
pub fn by_code_points(database: &Database, text: Expr) -> Expr {
    match database.dialect() {
        Dialect::Postgres => Expr::cust_with_expr("$1 COLLATE \"C\"", text),
        _ => text,
    }
}

/// A pattern for LIKE, with `\` as its escape, that finds a text anywhere.
pub fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    #[test]
    fn wildcards_mean_themselves() {
        assert_eq!(super::containing(r"50%_a\b"), r"%50\%\_a\\b%");
    }
}
