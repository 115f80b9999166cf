//! Comparisons and literals that mean the same on three databases.

use sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr};
use serde_json::Value as Json;
use store::{Column, Dialect, Kind, Value};

use crate::request::Op;

/// Digits that SQLite keeps of a decimal, which it stores as a 64-bit float.
const SQLITE_DECIMAL_DIGITS: usize = 15;

/// A value of a request as the column keeps it. The error says what was expected.
pub(crate) fn value(dialect: Dialect, kind: &Kind, json: &Json) -> Result<Value, String> {
    let value = kind.accept(json)?;
    match (dialect, kind, value) {
        (Dialect::Sqlite, Kind::Decimal { .. }, Value::Text(text)) => sqlite_decimal(&text),
        (_, _, value) => Ok(value),
    }
}

fn sqlite_decimal(text: &str) -> Result<Value, String> {
    let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if digits > SQLITE_DECIMAL_DIGITS {
        return Err(format!("SQLite keeps {SQLITE_DECIMAL_DIGITS} digits of a decimal; this one has {digits}"));
    }
    text.parse().map(Value::Float).map_err(|_| "expected a decimal".into())
}

/// A value as an operand of a comparison with a column of a kind.
pub(crate) fn operand(dialect: Dialect, kind: &Kind, value: Value) -> Expr {
    let is_null = value == Value::Null;
    let bound = Expr::Value(value.into());
    match (dialect, kind) {
        // A bare string would be compared as a float, and digits would be lost.
        (Dialect::Mariadb, Kind::Decimal { .. }) if !is_null => bound.cast_as(Alias::new("decimal(65,30)")),
        _ => bound,
    }
}

/// What a leaf is compared with.
pub(crate) enum Operands {
    /// Nothing: the null tests.
    None,
    /// One value; none for null.
    One(Option<Expr>),
    /// A list.
    Many(Vec<Expr>),
}

/// One comparison of a column. `target` is the column, or what of it may be seen.
///
/// Errors: the comparison does not fit the kind of the column.
pub(crate) fn leaf(
    dialect: Dialect,
    column: &Column,
    target: Expr,
    op: Op,
    operands: Operands,
) -> Result<Expr, String> {
    let ordered = |target: Expr| collated(dialect, column, target);
    if matches!(column.kind, Kind::Json) && !matches!(operands, Operands::None | Operands::One(None)) {
        return Err("a JSON column can only be tested for null".into());
    }
    Ok(match (op, operands) {
        (Op::IsNull, _) | (Op::Eq, Operands::One(None)) => target.is_null(),
        (Op::IsNotNull, _) | (Op::Ne, Operands::One(None)) => target.is_not_null(),
        (Op::Eq, Operands::One(Some(value))) => target.eq(value),
        (Op::Ne, Operands::One(Some(value))) => target.ne(value),
        (Op::Gt, Operands::One(Some(value))) => ordered(target).gt(value),
        (Op::Ge, Operands::One(Some(value))) => ordered(target).gte(value),
        (Op::Lt, Operands::One(Some(value))) => ordered(target).lt(value),
        (Op::Le, Operands::One(Some(value))) => ordered(target).lte(value),
        (Op::In, Operands::Many(values)) => target.is_in(values),
        (Op::NotIn, Operands::Many(values)) => target.is_not_in(values),
        (Op::Between, Operands::Many(values)) => {
            let [low, high] = <[Expr; 2]>::try_from(values).map_err(|_| "between takes [min, max]")?;
            ordered(target).between(low, high)
        }
        _ => return Err("the comparison and its value do not go together".into()),
    })
}

/// A pattern of LIKE. Errors: no text, or one that ends in a bare `\`.
pub(crate) fn pattern(value: &Json) -> Result<&str, String> {
    let pattern = value.as_str().ok_or("like takes a text pattern")?;
    if pattern.contains('\0') {
        return Err("the character U+0000 cannot be in a pattern".into());
    }
    let trailing = pattern.len() - pattern.trim_end_matches('\\').len();
    if trailing % 2 == 1 {
        return Err("the pattern ends in an escape without its character".into());
    }
    Ok(pattern)
}

/// LIKE with `\` as the escape on every database. Errors: no text column.
pub(crate) fn like(
    dialect: Dialect,
    column: &Column,
    target: Expr,
    pattern: String,
    not: bool,
) -> Result<Expr, String> {
    if !matches!(column.kind, Kind::Text { .. } | Kind::Enum(_)) {
        return Err("like compares text columns only".into());
    }
    let text = match (&column.kind, dialect) {
        (Kind::Enum(_), Dialect::Postgres) => target.cast_as(Alias::new("text")),
        _ => target,
    };
    let pattern = LikeExpr::new(pattern).escape('\\');
    Ok(if not { text.not_like(pattern) } else { text.like(pattern) })
}

/// Text in the order of code points where the database would order it otherwise.
pub(crate) fn collated(dialect: Dialect, column: &Column, target: Expr) -> Expr {
    if dialect == Dialect::Postgres && column.foreign_collation && matches!(column.kind, Kind::Text { .. }) {
        by_code_points(target)
    } else {
        target
    }
}

/// The column as an answer reads it: as text where the driver cannot decode the type.
pub(crate) fn readable(column: &Column, target: Expr) -> Expr {
    if column.read_as_text { Expr::from(Func::cast_as(target, Alias::new("text"))) } else { target }
}

/// Text in the order of code points, on PostgreSQL, whose builder numbers the places of a custom expression.
fn by_code_points(target: Expr) -> Expr {
    Expr::cust_with_expr("$1 COLLATE \"C\"", target)
}

#[cfg(test)]
mod tests {
    use sea_query::{Alias, Expr, Order, Query};
    use store::Dialect;

    #[test]
    fn a_foreign_collation_leaves_no_open_place_in_the_statement() {
        let mut select = Query::select();
        select.expr(Expr::val(1)).from(Alias::new("t"));
        select.order_by_expr(super::by_code_points(Expr::col(Alias::new("name"))), Order::Asc);
        let sql = Dialect::Postgres.select(&select).sql;
        assert_eq!(&*sql, r#"SELECT $1 FROM "t" ORDER BY "name" COLLATE "C" ASC"#);
    }
}
