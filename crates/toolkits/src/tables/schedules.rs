//! `_schedules` of the control database: what runs by itself, of all tenants.
//!
//! A run is claimed by moving `claimed_until` into the future: whoever moved it has it until then, and what a process
//! that died had claimed is due again by itself.

use std::time::Duration;

use kernel::{TenantId, WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Func, Index, Order, Query};
use store::{Database, Migration, Result, Row, Value};

use super::{column, insert};

const SCHEDULES: &str = "_schedules";
const COLUMNS: [&str; 8] =
    ["tenant_id", "toolkit", "name", "expression", "next_run", "claimed_until", "last_run", "last_outcome"];

pub(super) const MIGRATION: Migration = Migration {
    feature: crate::NAME,
    number: 1,
    name: "schedules of toolkits",
    statements: |ddl| {
        let mut table = ddl.create(
            SCHEDULES,
            [
                ddl.uuid("tenant_id").not_null().take(),
                ddl.text("toolkit", 64).not_null().take(),
                ddl.text("name", 64).not_null().take(),
                ddl.text("expression", 200).not_null().take(),
                ddl.timestamp("next_run"),
                ddl.timestamp("claimed_until"),
                ddl.timestamp("last_run"),
                ddl.text("last_outcome", 64),
            ],
        );
        let mut key = Index::create();
        table.primary_key(key.col(Alias::new("tenant_id")).col(Alias::new("toolkit")).col(Alias::new("name")));
        let mut due = Index::create();
        due.name("_schedules_due").unique().col(Alias::new("next_run")).col(Alias::new("tenant_id"));
        table.index(due.col(Alias::new("toolkit")).col(Alias::new("name")));
        vec![ddl.sql(table.if_not_exists())]
    },
};

/// Which schedule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ScheduleKey {
    pub(crate) tenant: TenantId,
    pub(crate) toolkit: String,
    pub(crate) name: String,
}

/// A schedule as the database has it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: ScheduleKey,
    /// When, in words: another one is another schedule.
    pub(crate) expression: String,
    pub(crate) next_run: Timestamp,
    pub(crate) last_run: Option<Timestamp>,
    pub(crate) last_outcome: Option<String>,
}

/// A schedule that a tenant shall have.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) toolkit: String,
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) next_run: Timestamp,
}

fn from_row(row: &Row) -> Result<Stored> {
    Ok(Stored {
        key: ScheduleKey { tenant: row.uuid(0)?, toolkit: row.text(1)?.to_owned(), name: row.text(2)?.to_owned() },
        expression: row.text(3)?.to_owned(),
        next_run: row.timestamp(4)?,
        last_run: row.maybe_timestamp(6)?,
        last_outcome: row.maybe_text(7)?.map(str::to_owned),
    })
}

fn is(key: &ScheduleKey) -> Expr {
    let toolkit = column("toolkit").eq(&*key.toolkit).and(column("name").eq(&*key.name));
    column("tenant_id").eq(key.tenant.to_string()).and(toolkit)
}

fn moment(moment: Timestamp) -> Expr {
    Expr::from(Value::from(moment))
}

/// Nobody has claimed it, or the claim ran out.
fn is_free(now: Timestamp) -> Expr {
    column("claimed_until").is_null().or(column("claimed_until").lte(moment(now)))
}

/// The schedules of a tenant.
pub(crate) async fn of(database: &Database, tenant: TenantId) -> Result<Vec<Stored>> {
    let mut select = Query::select();
    select.columns(COLUMNS.map(Alias::new)).from(database.ddl().table(SCHEDULES));
    select.and_where(column("tenant_id").eq(tenant.to_string()));
    database.read(&select).await?.iter().map(from_row).collect()
}

/// Schedules that are due but for those of some tenants, the longest waiting first. One that was put off waits since the
/// end of that, so that those that are put off again and again are not before all others.
pub(crate) async fn due(database: &Database, now: Timestamp, but: &[TenantId], most: u64) -> Result<Vec<Stored>> {
    let mut select = Query::select();
    select.columns(COLUMNS.map(Alias::new)).from(database.ddl().table(SCHEDULES));
    select.and_where(column("next_run").lte(moment(now))).and_where(is_free(now));
    if !but.is_empty() {
        select.and_where(column("tenant_id").is_not_in(but.iter().map(ToString::to_string)));
    }
    let since = Func::coalesce([column("claimed_until"), column("next_run")]);
    select.order_by_expr(since.into(), Order::Asc).limit(most);
    database.read(&select).await?.iter().map(from_row).collect()
}

/// Makes the schedules of a tenant those that it shall have, but for those of some toolkits. One that is there already
/// keeps its moment.
pub(crate) async fn keep(database: &Database, tenant: TenantId, wanted: Vec<Wanted>, but: Vec<String>) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, wanted, but) = (ddl.table(SCHEDULES), wanted.clone(), but.clone());
            Box::pin(async move {
                let mut select = Query::select();
                select.columns(COLUMNS.map(Alias::new)).from(table.clone());
                select.and_where(column("tenant_id").eq(tenant.to_string()));
                let known = transaction.rows(&select).await?;
                let known = known.iter().map(from_row).collect::<Result<Vec<_>>>()?;
                let same = |wanted: &Wanted, known: &Stored| {
                    wanted.toolkit == known.key.toolkit
                        && wanted.name == known.key.name
                        && wanted.expression == known.expression
                };
                let stays = |known: &Stored| {
                    but.contains(&known.key.toolkit) || wanted.iter().any(|wanted| same(wanted, known))
                };
                for known in known.iter().filter(|known| !stays(known)) {
                    let mut delete = Query::delete();
                    delete.from_table(table.clone()).and_where(is(&known.key));
                    transaction.execute(&delete).await?;
                }
                for wanted in wanted.into_iter().filter(|wanted| !known.iter().any(|known| same(wanted, known))) {
                    let row = [
                        ("tenant_id", Value::from(tenant)),
                        ("toolkit", Value::from(wanted.toolkit)),
                        ("name", Value::from(wanted.name)),
                        ("expression", Value::from(wanted.expression)),
                        ("next_run", Value::from(wanted.next_run)),
                    ];
                    transaction.execute(&insert(table.clone(), row)?).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Claims a run until a moment, unless another process was quicker.
pub(crate) async fn claim(database: &Database, due: &Stored, now: Timestamp, until: Timestamp) -> Result<bool> {
    let mut update = Query::update();
    update.table(database.ddl().table(SCHEDULES)).value(Alias::new("claimed_until"), moment(until));
    update.and_where(is(&due.key)).and_where(column("next_run").eq(moment(due.next_run))).and_where(is_free(now));
    change(database, update).await
}

/// Keeps a claim until another moment, unless it ran out and another process has it.
pub(crate) async fn keep_claim(database: &Database, due: &Stored, from: Timestamp, until: Timestamp) -> Result<bool> {
    let mut update = Query::update();
    update.table(database.ddl().table(SCHEDULES)).value(Alias::new("claimed_until"), moment(until));
    update.and_where(is(&due.key)).and_where(column("next_run").eq(moment(due.next_run)));
    change(database, update.and_where(column("claimed_until").eq(moment(from))).take()).await
}

/// Writes down what became of a claimed run and when the next is, unless the claim ran out.
pub(crate) async fn finish(
    database: &Database,
    due: &Stored,
    claimed_until: Timestamp,
    begun: Timestamp,
    outcome: &str,
    next: Timestamp,
) -> Result<bool> {
    let mut update = Query::update();
    update.table(database.ddl().table(SCHEDULES));
    update.value(Alias::new("next_run"), moment(next)).value(Alias::new("claimed_until"), Expr::from(Value::Null));
    update.value(Alias::new("last_run"), moment(begun)).value(Alias::new("last_outcome"), outcome);
    update.and_where(is(&due.key)).and_where(column("claimed_until").eq(moment(claimed_until)));
    change(database, update).await
}

/// Forgets the schedules of a tenant that is gone.
pub(crate) async fn forget(database: &Database, tenant: TenantId) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(SCHEDULES)).and_where(column("tenant_id").eq(tenant.to_string()));
            Box::pin(async move { transaction.execute(&delete).await.map(drop) })
        })
        .await
}

async fn change(database: &Database, update: sea_query::UpdateStatement) -> Result<bool> {
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let update = update.clone();
            Box::pin(async move { Ok(transaction.execute(&update).await? == 1) })
        })
        .await
}

/// So long a claim outlives the time that its run may take.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
