//! The counter of a key on PostgreSQL, which knows nothing of keys that were imported.

use sea_query::{Alias, Expr, ExprTrait, Func, Query};
use store::{Database, Dialect, Kind, Table};

/// Moves the counter of a table's key behind the greatest key. SQLite and MariaDB do that themselves.
pub(super) async fn catch_up(database: &Database, table: &Table) -> store::Result<()> {
    let [key] = table.key.as_slice() else { return Ok(()) };
    let counted = matches!(table.columns[*key].kind, Kind::Int { .. }) && table.columns[*key].has_default;
    if database.dialect() != Dialect::Postgres || !counted {
        return Ok(());
    }
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let qualifier = table.qualifier.as_deref().map(|name| quoted(name) + ".").unwrap_or_default();
    let name = format!("{qualifier}{}", quoted(&table.name));
    let call = |function: &'static str| Func::cust(Alias::new(function));
    // NULL for a key without a counter, which makes all of this NULL.
    let counter = || {
        let cast = |text: String| Expr::val(text).cast_as(Alias::new("text"));
        Expr::from(
            call("pg_get_serial_sequence").args([cast(name.clone()), cast(table.columns[*key].name.to_string())]),
        )
    };
    let greatest = call("greatest").args([table.col(None, *key).max(), call("nextval").arg(counter()).into()]);
    let mut select = Query::select();
    select.expr(call("setval").args([counter(), greatest.into()])).from(table.reference());
    database.read(&select).await.map(drop)
}
