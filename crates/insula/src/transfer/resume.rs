//! How far an import has come: kept in the transaction of the rows themselves, so that a killed import neither loses
//! nor doubles a row when it goes on.

use std::sync::Arc;

use kernel::{Reason, time};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use store::{Database, Migration, Transaction, Value};

use super::{chunk, rows::Mark};

const TABLE: &str = "_imports";

/// The step that makes the table of imports.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    feature: "import",
    number: 1,
    name: "imports",
    statements: |ddl| {
        let mut imports = ddl.create(
            TABLE,
            [
                ddl.uuid("id").not_null().primary_key().take(),
                ddl.text("target", 64).not_null().take(),
                ddl.long_text("file").not_null().take(),
                ddl.bigint("position").not_null().take(),
                ddl.bigint("line").not_null().take(),
                ddl.bigint("records").not_null().take(),
                ddl.bigint("skipped").not_null().take(),
                ddl.text("prefix_hash", 64).not_null().take(),
                ddl.boolean("finished").not_null().take(),
                ddl.timestamp("started_at"),
                ddl.timestamp("updated_at"),
            ],
        );
        vec![ddl.sql(imports.if_not_exists())]
    },
}];

/// An import as the database knows it.
#[derive(Debug, Clone)]
pub(super) struct Progressed {
    pub(super) id: String,
    /// Where the next row begins.
    pub(super) mark: Mark,
    /// Rows that are written.
    pub(super) records: u64,
    /// Rows that were refused and passed over.
    pub(super) skipped: u64,
    /// The hash of the file up to the mark.
    pub(super) prefix_hash: String,
    pub(super) finished: bool,
}

/// The latest import of a file into a table.
pub(super) async fn latest(database: &Database, target: &str, file: &str) -> store::Result<Option<Progressed>> {
    let mut select = Query::select();
    select
        .columns(["id", "position", "line", "records", "skipped", "prefix_hash", "finished"].map(Alias::new))
        .from(database.ddl().table(TABLE))
        .and_where(Expr::col(Alias::new("target")).eq(target))
        .and_where(Expr::col(Alias::new("file")).eq(file))
        .order_by(Alias::new("started_at"), Order::Desc)
        .limit(1);
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Progressed {
        id: row.text(0)?.to_owned(),
        mark: Mark { byte: row.int(1)? as u64, line: row.int(2)? as u64 },
        records: row.int(3)? as u64,
        skipped: row.int(4)? as u64,
        prefix_hash: row.text(5)?.to_owned(),
        finished: row.flag(6)?,
    }))
}

/// Notes that an import begins.
pub(super) async fn begin(database: &Database, target: &str, file: &str, begun: &Progressed) -> store::Result<()> {
    let mut insert = Query::insert();
    let now = time::now();
    let columns = [
        "id",
        "target",
        "file",
        "position",
        "line",
        "records",
        "skipped",
        "prefix_hash",
        "finished",
        "started_at",
        "updated_at",
    ];
    let values = [
        Value::from(begun.id.clone()),
        Value::from(target),
        Value::from(file),
        Value::from(begun.mark.byte as i64),
        Value::from(begun.mark.line as i64),
        Value::from(0),
        Value::from(0),
        Value::from(begun.prefix_hash.clone()),
        Value::from(false),
        Value::from(now),
        Value::from(now),
    ];
    insert.into_table(database.ddl().table(TABLE)).columns(columns.map(Alias::new));
    insert.values(values.map(Expr::from)).map_err(|error| store::Error::Driver(error.to_string().into()))?;
    let insert = Arc::new(insert);
    let context = chunk::context();
    database
        .transaction(&context, move |transaction| {
            let insert = Arc::clone(&insert);
            Box::pin(async move { transaction.execute(&*insert).await.map(drop) })
        })
        .await
}

/// Notes in the transaction of a chunk how far the import is then. Errors: 409 where another process moved it on.
pub(super) async fn advance(
    transaction: &mut Transaction<'_>,
    ddl: &store::Ddl,
    before: Mark,
    after: &Progressed,
) -> store::Result<()> {
    let mut update = Query::update();
    let values = [
        ("position", Value::from(after.mark.byte as i64)),
        ("line", Value::from(after.mark.line as i64)),
        ("records", Value::from(after.records as i64)),
        ("skipped", Value::from(after.skipped as i64)),
        ("prefix_hash", Value::from(after.prefix_hash.clone())),
        ("finished", Value::from(after.finished)),
        ("updated_at", Value::from(time::now())),
    ];
    update
        .table(ddl.table(TABLE))
        .values(values.map(|(column, value)| (Alias::new(column), Expr::from(value))))
        .and_where(Expr::col(Alias::new("id")).eq(after.id.clone()))
        .and_where(Expr::col(Alias::new("position")).eq(before.byte as i64))
        .and_where(Expr::col(Alias::new("finished")).eq(false));
    if transaction.execute(&update).await? == 1 {
        return Ok(());
    }
    Err(kernel::Error::new(Reason::Conflict, "Another process is importing this file into this table").into())
}
