//! Numbers that are given once.

use sea_query::{Alias, CaseStatement, Expr, ExprTrait, OnConflict, Query, ReturningClause};

use crate::{Ddl, Dialect, Error, Result, Transaction, Value};

impl Transaction<'_> {
    /// Takes the next `count` numbers of a counter and tells the first of them, which is at least `first`.
    ///
    /// The counter is a row of one of Insula's own tables with the columns `name` (the key) and `value` (the last number
    /// that was given), and is made where it is missing. Until the end of the transaction it is locked: whoever wants
    /// numbers of it waits.
    pub async fn take_numbers(&mut self, ddl: &Ddl, table: &str, name: &str, first: i64, count: i64) -> Result<i64> {
        let last = Expr::col((Alias::new(table), Alias::new("value")));
        let (before, next) = (first.saturating_sub(1), first.saturating_sub(1).saturating_add(count));
        let value = CaseStatement::new().case(last.clone().lt(before), next).finally(last.add(count));
        let mut insert = Query::insert();
        insert.into_table(ddl.table(table)).columns(["name", "value"].map(Alias::new));
        let row = [Value::from(name), Value::from(next)].map(Expr::from);
        insert.values(row).map_err(|error| Error::Driver(error.to_string().into()))?;
        insert.on_conflict(OnConflict::column(Alias::new("name")).value(Alias::new("value"), value).to_owned());
        insert.returning(ReturningClause::Exprs(vec![Expr::col(Alias::new("value"))]));
        let mut statement = self.dialect().build(&insert);
        if self.dialect() == Dialect::Mariadb {
            // MariaDB has INSERT … RETURNING, MySQL and so the builder has not.
            statement.sql = format!("{} RETURNING `value`", statement.sql).into();
        }
        let rows = self.fetch(&statement).await?;
        let last = rows.first().ok_or_else(|| Error::Driver("a counter has no row".into()))?.int(0)?;
        Ok(last - count + 1)
    }
}
