//! One page of rows of a sorted list, in one statement.

use sea_query::{Expr, ExprTrait, Order, SelectStatement};
use store::{Database, Dialect, Result, Row, Value};

use crate::admin::page::{Key, KeyKind, Page};

/// Sorts by a key and then by a number, begins behind the row before the page, and reads one row more than it has.
pub(crate) fn apply<S>(select: &mut SelectStatement, page: &Page<S>, key: &Expr, number: &Expr) {
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
pub(crate) fn key(row: &Row, index: usize, kind: KeyKind) -> Result<Key> {
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
pub(crate) fn by_code_points(database: &Database, text: Expr) -> Expr {
    match database.dialect() {
        Dialect::Postgres => Expr::cust_with_expr("? COLLATE \"C\"", text),
        _ => text,
    }
}

/// A pattern for LIKE, with `\` as its escape, that finds a text anywhere.
pub(crate) fn containing(text: &str) -> String {
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
