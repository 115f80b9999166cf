//! What is stored: the table `_audit` of each tenant, and every statement on it.

use std::sync::Arc;

use kernel::{
    WriteContext,
    time::{self, Timestamp},
};
use sea_query::{Alias, Expr, ExprTrait, Index, Order, Query, SelectStatement, TableCreateStatement};
use store::{Database, Ddl, Migration, Result, Row, Rows, Value};
use uuid::Uuid;

use crate::entry::{Entry, Line, first_id_at};

const AUDIT: &str = "_audit";
/// Rows that one statement inserts: a SQLite statement binds 32,766 values at the most.
const ROWS: usize = 500;
/// Rows that one transaction removes.
const REMOVED_AT_ONCE: u64 = 1_000;

static COLUMNS: [&str; 18] = [
    "id",
    "ts",
    "request_id",
    "client_ip",
    "user_id",
    "username",
    "session_id_prefix",
    "method",
    "path",
    "action",
    "outcome",
    "table_name",
    "rows_affected",
    "status",
    "duration_ms",
    "warning",
    "error",
    "details",
];

/// The steps of the audit log's table.
pub const MIGRATIONS: &[Migration] = &[Migration {
    feature: crate::NAME,
    number: 1,
    name: "the audit log",
    statements: |ddl| vec![ddl.sql(definition(ddl).if_not_exists())],
}];

fn definition(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        AUDIT,
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.timestamp("ts"),
            ddl.text("request_id", 32),
            ddl.text("client_ip", 45),
            ddl.bigint("user_id"),
            ddl.text("username", 500),
            ddl.text("session_id_prefix", 36),
            ddl.text("method", 16),
            ddl.text("path", 500),
            ddl.text("action", 500).not_null().take(),
            ddl.text("outcome", 500).not_null().take(),
            ddl.text("table_name", 64),
            ddl.bigint("rows_affected"),
            ddl.bigint("status"),
            ddl.double("duration_ms"),
            ddl.long_text("warning"),
            ddl.long_text("error"),
            ddl.json("details"),
        ],
    );
    // Keys, because those may be defined inside a table, where running twice does no harm.
    for (name, column) in [("_audit_request", "request_id"), ("_audit_user", "user_id")] {
        table.index(Index::create().name(name).unique().col(Alias::new(column)).col(Alias::new("id")));
    }
    table
}

/// Which entries are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What was done.
    pub action: Option<String>,
    /// The outcome.
    pub outcome: Option<String>,
    /// The acting user's number.
    pub user: Option<i64>,
    /// The table.
    pub table: Option<String>,
    /// The request's id.
    pub request: Option<String>,
    /// The client's address.
    pub client: Option<String>,
    /// Entries of this moment or later.
    pub since: Option<Timestamp>,
    /// Entries before this moment.
    pub until: Option<Timestamp>,
}

/// Which of them: beside an entry that is known, since entries neither change nor change places.
#[derive(Debug, Clone, Copy)]
pub enum Page {
    /// The newest.
    Newest,
    /// The newest of those before this one.
    Before(Uuid),
    /// The oldest of those behind this one, the oldest first.
    After(Uuid),
}

/// Entries in the order of the page; one more than `limit` where there are more.
pub(crate) async fn page(database: &Database, filter: &Filter, page: Page, limit: u64) -> Result<Vec<Entry>> {
    let mut select = Query::select();
    select.columns(COLUMNS.map(Alias::new)).from(database.ddl().table(AUDIT));
    restrict(&mut select, filter);
    let order = match page {
        Page::Newest => Order::Desc,
        Page::Before(id) => {
            select.and_where(column("id").lt(id.to_string()));
            Order::Desc
        }
        Page::After(id) => {
            select.and_where(column("id").gt(id.to_string()));
            Order::Asc
        }
    };
    select.order_by(Alias::new("id"), order).limit(limit + 1);
    database.read(&select).await?.iter().map(from_row).collect()
}

fn restrict(select: &mut SelectStatement, filter: &Filter) {
    let texts = [
        ("action", &filter.action),
        ("outcome", &filter.outcome),
        ("table_name", &filter.table),
        ("request_id", &filter.request),
        ("client_ip", &filter.client),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            select.and_where(column(name).eq(text.as_str()));
        }
    }
    if let Some(user) = filter.user {
        select.and_where(column("user_id").eq(user));
    }
    // Ids are in the order of moments, and are what the table is sorted by.
    if let Some(since) = filter.since {
        select.and_where(column("id").gte(first_id_at(since).to_string()));
    }
    if let Some(until) = filter.until {
        select.and_where(column("id").lt(first_id_at(until).to_string()));
    }
}

fn column(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}

fn from_row(row: &Row) -> Result<Entry> {
    let text = |index| row.maybe_text(index).map(|text| text.map(str::to_owned));
    Ok(Entry {
        id: row.uuid(0)?,
        ts: row.timestamp(1)?,
        request_id: text(2)?,
        client_ip: text(3)?,
        user_id: row.maybe_int(4)?,
        username: text(5)?,
        session_id_prefix: text(6)?,
        method: text(7)?,
        path: text(8)?,
        action: row.text(9)?.to_owned(),
        outcome: row.text(10)?.to_owned(),
        table: text(11)?,
        rows_affected: row.maybe_int(12)?,
        status: row.maybe_int(13)?.and_then(|status| u16::try_from(status).ok()),
        duration_ms: match row.0.get(14) {
            Some(Value::Float(milliseconds)) => Some(*milliseconds),
            Some(Value::Int(milliseconds)) => Some(*milliseconds as f64),
            _ => None,
        },
        warning: text(15)?,
        error: text(16)?,
        details: row.maybe_text(17)?.and_then(|text| serde_json::from_str(text).ok()),
    })
}

fn to_row(entry: &Entry) -> Vec<sea_query::Value> {
    let details = entry.details.as_ref().and_then(|details| serde_json::to_string(details).ok());
    let ids = [Value::from(entry.id), Value::from(entry.ts)].map(sea_query::Value::from);
    let rest = [
        entry.request_id.as_deref().into(),
        entry.client_ip.as_deref().into(),
        entry.user_id.into(),
        entry.username.as_deref().into(),
        entry.session_id_prefix.as_deref().into(),
        entry.method.as_deref().into(),
        entry.path.as_deref().into(),
        entry.action.as_str().into(),
        entry.outcome.as_str().into(),
        entry.table.as_deref().into(),
        entry.rows_affected.into(),
        entry.status.map(i64::from).into(),
        entry.duration_ms.into(),
        entry.warning.as_deref().into(),
        entry.error.as_deref().into(),
        details.into(),
    ];
    ids.into_iter().chain::<[sea_query::Value; 16]>(rest).collect()
}

/// Stores entries since a moment; those that are there already stay as they are.
pub(crate) async fn add(database: &Database, lines: &[Line], since: Timestamp) -> Result<()> {
    for lines in lines.chunks(ROWS) {
        let entries = lines.iter().map(|line| &line.entry).filter(|entry| entry.ts >= since);
        let rows = Arc::new(Rows { table: AUDIT, columns: &COLUMNS, rows: entries.map(to_row).collect() });
        let ddl = Arc::new(database.ddl());
        database
            .transaction(&WriteContext::system(), move |transaction| {
                let (ddl, rows) = (Arc::clone(&ddl), Arc::clone(&rows));
                Box::pin(async move { transaction.add_missing(&ddl, &rows).await })
            })
            .await?;
    }
    Ok(())
}

/// Removes the oldest entries before a moment, at most so many as one transaction should; tells whether there may be more.
pub(crate) async fn remove_before(database: &Database, moment: Timestamp) -> Result<bool> {
    let table = database.ddl().table(AUDIT);
    let bound = first_id_at(moment).to_string();
    let mut last = Query::select();
    last.column(Alias::new("id")).from(table.clone()).and_where(column("id").lt(&*bound));
    last.order_by(Alias::new("id"), Order::Asc).offset(REMOVED_AT_ONCE - 1).limit(1);
    let last = database.read(&last).await?.first().map(|row| row.text(0).map(str::to_owned)).transpose()?;
    let mut delete = Query::delete();
    delete.from_table(table);
    match &last {
        Some(last) => delete.and_where(column("id").lte(&**last)),
        None => delete.and_where(column("id").lt(&*bound)),
    };
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let delete = delete.clone();
            Box::pin(async move { transaction.execute(&delete).await })
        })
        .await?;
    Ok(last.is_some())
}

/// The moment that lies so far back, where there is one.
pub(crate) fn ago(age: std::time::Duration) -> Option<Timestamp> {
    time::now().checked_sub(age).ok()
}
