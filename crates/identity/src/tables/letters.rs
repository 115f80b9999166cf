//! `_letters` of the control database: letters that shall be sent, of all tenants.
//!
//! A letter is claimed by moving its moment into the future: whoever moved it has it until then, and what a process that
//! died had claimed is due again by itself.

use kernel::{TenantId, WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Index, Order, Query};
use store::{Database, Migration, Result, Row, Value};
use uuid::Uuid;

use super::{column, insert};
use crate::letters::{Facts, Kind};

const LETTERS: &str = "_letters";
const COLUMNS: [&str; 9] =
    ["id", "tenant_id", "kind", "address", "user_id", "parameters", "attempts", "due_at", "created_at"];

/// The steps of identity's tables in the control database.
pub const CONTROL_MIGRATIONS: &[Migration] = &[Migration {
    feature: crate::NAME,
    number: 1,
    name: "letters to be sent",
    statements: |ddl| {
        let mut table = ddl.create(
            LETTERS,
            [
                ddl.uuid("id").not_null().primary_key().take(),
                ddl.uuid("tenant_id").not_null().take(),
                ddl.text("kind", 32).not_null().take(),
                ddl.text("address", 254).not_null().take(),
                // Whom the letter is about; whoever has the address where there is none.
                ddl.uuid("user_id"),
                ddl.json("parameters").not_null().take(),
                ddl.bigint("attempts").not_null().take(),
                ddl.timestamp("due_at"),
                ddl.timestamp("created_at"),
                // What was sent is kept for as long as it counts against the next.
                ddl.timestamp("done_at"),
            ],
        );
        let key = |name: &str, columns: &[&'static str]| {
            let mut index = Index::create();
            index.name(name).unique();
            for column in columns {
                index.col(Alias::new(*column));
            }
            index.take()
        };
        table.index(&mut key("_letters_due", &["done_at", "due_at", "id"]));
        table.index(&mut key("_letters_address", &["tenant_id", "address", "id"]));
        table.index(&mut key("_letters_waiting", &["tenant_id", "done_at", "id"]));
        vec![ddl.sql(table.if_not_exists())]
    },
}];

/// A letter to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) kind: Kind,
    /// In lower case.
    pub(crate) address: String,
    pub(crate) user: Option<Uuid>,
    pub(crate) facts: Facts,
    pub(crate) attempts: i64,
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
}

/// What becomes of a letter that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is on its way.
    Sent,
    /// It shall not be sent.
    Dropped,
    /// It is tried again at a moment.
    Again(Timestamp),
}

/// Stores a letter; tells whether there was room for it: a tenant may have so many waiting.
pub(crate) async fn add(database: &Database, letter: Queued, most: i64) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, letter) = (ddl.table(LETTERS), letter.clone());
            Box::pin(async move {
                let mut waiting = Query::select();
                waiting.expr(column("id").count()).from(table.clone());
                waiting.and_where(column("tenant_id").eq(letter.tenant.to_string()));
                waiting.and_where(column("done_at").is_null());
                let rows = transaction.rows(&waiting).await?;
                if rows.first().is_some_and(|row| row.int(0).is_ok_and(|count| count >= most)) {
                    return Ok(false);
                }
                let facts = serde_json::to_string(&letter.facts).unwrap_or_default();
                let row = [
                    ("id", Value::from(letter.id)),
                    ("tenant_id", Value::from(letter.tenant)),
                    ("kind", Value::from(letter.kind.word())),
                    ("address", Value::from(letter.address)),
                    ("user_id", Value::from(letter.user)),
                    ("parameters", Value::from(facts)),
                    ("attempts", Value::from(letter.attempts)),
                    ("due_at", Value::from(letter.due_at)),
                    ("created_at", Value::from(letter.created_at)),
                ];
                transaction.execute(&insert(table, row)?).await?;
                Ok(true)
            })
        })
        .await
}

/// Letters that are due, the oldest first, but for those of some tenants.
pub(crate) async fn due(database: &Database, but: &[TenantId], most: u64) -> Result<Vec<Queued>> {
    let mut select = Query::select();
    select.columns(COLUMNS.map(Alias::new)).from(database.ddl().table(LETTERS));
    select.and_where(column("done_at").is_null());
    select.and_where(column("due_at").lte(Expr::from(Value::from(kernel::time::now()))));
    if !but.is_empty() {
        select.and_where(column("tenant_id").is_not_in(but.iter().map(Uuid::to_string)));
    }
    select.order_by(Alias::new("due_at"), Order::Asc).order_by(Alias::new("id"), Order::Asc).limit(most);
    database.read(&select).await?.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Queued> {
    Ok(Queued {
        id: row.uuid(0)?,
        tenant: row.uuid(1)?,
        kind: Kind::from_word(row.text(2)?),
        address: row.text(3)?.to_owned(),
        user: row.maybe_text(4)?.and_then(|text| text.parse().ok()),
        facts: serde_json::from_str(row.text(5)?).unwrap_or_default(),
        attempts: row.int(6)?,
        due_at: row.timestamp(7)?,
        created_at: row.timestamp(8)?,
    })
}

/// Claims a letter until a moment, unless another process was quicker.
pub(crate) async fn claim(database: &Database, letter: &mut Queued, until: Timestamp) -> Result<bool> {
    let values = vec![("due_at", Expr::from(Value::from(until))), ("attempts", column("attempts").add(1_i64))];
    let claimed = change(database, letter, values).await?;
    if claimed {
        letter.due_at = until;
        letter.attempts += 1;
    }
    Ok(claimed)
}

/// Writes down what became of a claimed letter, unless the claim ran out.
pub(crate) async fn finish(database: &Database, letter: &Queued, outcome: Outcome) -> Result<()> {
    let value = |moment: Timestamp| Expr::from(Value::from(moment));
    match outcome {
        Outcome::Sent => change(database, letter, vec![("done_at", value(kernel::time::now()))]).await.map(drop),
        Outcome::Again(at) => change(database, letter, vec![("due_at", value(at))]).await.map(drop),
        Outcome::Dropped => {
            let mut delete = Query::delete();
            delete.from_table(database.ddl().table(LETTERS)).and_where(as_read(letter));
            let context = WriteContext::system();
            let work = database.transaction(&context, move |transaction| {
                let delete = delete.clone();
                Box::pin(async move { transaction.execute(&delete).await.map(drop) })
            });
            work.await
        }
    }
}

/// The letter, unless somebody has claimed it since it was read.
fn as_read(letter: &Queued) -> Expr {
    column("id").eq(letter.id.to_string()).and(column("due_at").eq(Expr::from(Value::from(letter.due_at))))
}

/// Changes a letter that is as it was read; tells whether it was.
async fn change(database: &Database, letter: &Queued, values: Vec<(&'static str, Expr)>) -> Result<bool> {
    let mut update = Query::update();
    update.table(database.ddl().table(LETTERS)).and_where(as_read(letter));
    for (field, value) in values {
        update.value(Alias::new(field), value);
    }
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let update = update.clone();
            Box::pin(async move { Ok(transaction.execute(&update).await? == 1) })
        })
        .await
}

/// How many letters of the same kind were asked for before this one, for the same address and since a moment.
pub(crate) async fn earlier(database: &Database, letter: &Queued, since: Timestamp) -> Result<i64> {
    let mut select = Query::select();
    select.expr(column("id").count()).from(database.ddl().table(LETTERS));
    select.and_where(column("tenant_id").eq(letter.tenant.to_string()));
    select.and_where(column("address").eq(&*letter.address));
    select.and_where(column("kind").eq(letter.kind.word()));
    select.and_where(column("created_at").gt(Expr::from(Value::from(since))));
    select.and_where(column("id").lt(letter.id.to_string()));
    database.read(&select).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// Forgets letters that were sent before a moment.
pub(crate) async fn sweep(database: &Database, before: Timestamp) -> Result<u64> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(LETTERS));
            delete.and_where(column("done_at").lt(Expr::from(Value::from(before))));
            Box::pin(async move { transaction.execute(&delete).await })
        })
        .await
}

#[cfg(test)]
#[path = "letters_tests.rs"]
mod tests;
