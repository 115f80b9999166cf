//! `_sessions`: who is logged in. A token is never stored, only what recognises it.

use std::sync::Arc;

use kernel::{Group, ToolkitOverride, WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Order, Query};
use store::{Database, Ddl, Result, Transaction, Value};
use uuid::Uuid;

use super::{
    column, groups,
    groups::GROUPS,
    insert, of, overrides,
    users::{self, USERS},
};
use crate::{UserStatus, entry::Method};

pub(crate) const SESSIONS: &str = "_sessions";

/// Rows that one statement names at the most.
const CHUNK: usize = 500;

/// A session to be stored.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) id: Uuid,
    /// SHA-256 of the first token, in hexadecimal: by it nodes of the version before recognise the session.
    pub(crate) token_hash: String,
    pub(crate) user: Uuid,
    pub(crate) method: Method,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Until when a refresh token renews it.
    pub(crate) refresh_until: Timestamp,
    pub(crate) ip: String,
    pub(crate) user_agent: Option<String>,
    /// Sessions that the user may have; the oldest make room.
    pub(crate) cap: u64,
}

/// A session with the user and the group it acts for, as the database has them now.
pub(crate) struct Found {
    pub(crate) created_at: Timestamp,
    pub(crate) last_accessed: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// How often it was renewed.
    pub(crate) generation: i64,
    pub(crate) renewed_at: Option<Timestamp>,
    /// Until when a refresh token renews it; none in a session of the version before.
    pub(crate) refresh_until: Option<Timestamp>,
    pub(crate) user: Uuid,
    pub(crate) number: i64,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) name: String,
    pub(crate) status: UserStatus,
    pub(crate) toolkit_overrides: Arc<[ToolkitOverride]>,
    pub(crate) group: Group,
}

impl Found {
    /// When the newest generation began.
    pub(crate) fn begun(&self) -> Timestamp {
        self.renewed_at.unwrap_or(self.created_at)
    }
}

/// Reads a session with its user and group, in one statement.
pub(crate) async fn find(database: &Database, id: Uuid) -> Result<Option<Found>> {
    let ddl = database.ddl();
    let mut select = Query::select();
    let columns = ["created_at", "last_accessed", "expires_at", "generation", "renewed_at", "refresh_until"];
    select.columns(columns.map(|name| of(SESSIONS, name)));
    select.columns(
        ["id", "number", "username", "email", "name", "status", "toolkit_overrides"].map(|name| of(USERS, name)),
    );
    groups::add_columns(&mut select);
    select.from(ddl.table(SESSIONS));
    let same_user = Expr::col(of(SESSIONS, "user_id")).equals(of(USERS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(USERS), same_user);
    let same_group = Expr::col(of(USERS, "group_id")).equals(of(GROUPS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(GROUPS), same_group);
    select.and_where(Expr::col(of(SESSIONS, "id")).eq(id.to_string()));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        created_at: row.timestamp(0)?,
        last_accessed: row.timestamp(1)?,
        expires_at: row.timestamp(2)?,
        generation: row.int(3)?,
        renewed_at: row.maybe_timestamp(4)?,
        refresh_until: row.maybe_timestamp(5)?,
        user: row.uuid(6)?,
        number: row.int(7)?,
        username: row.text(8)?.to_owned(),
        email: row.maybe_text(9)?.map(str::to_owned),
        name: row.text(10)?.to_owned(),
        status: UserStatus::from_word(row.text(11)?),
        toolkit_overrides: overrides::from_row(row, 12, row.int(7)?)?,
        group: groups::from_row(row, 13)?,
    }))
}

/// Stores a session; the user's row must be locked or new. Answers the sessions that had to make room.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, session: Fresh) -> Result<Vec<Uuid>> {
    let evicted = make_room(transaction, ddl, session.user, session.cap).await?;
    let row = [
        ("id", Value::from(session.id)),
        ("token_hash", Value::from(session.token_hash)),
        ("user_id", Value::from(session.user)),
        ("method", Value::from(session.method.word())),
        ("created_at", Value::from(session.created_at)),
        ("last_accessed", Value::from(session.created_at)),
        ("expires_at", Value::from(session.expires_at)),
        ("refresh_until", Value::from(session.refresh_until)),
        ("ip", Value::from(session.ip)),
        ("user_agent", Value::from(session.user_agent)),
    ];
    transaction.execute(&insert(ddl.table(SESSIONS), row)?).await?;
    Ok(evicted)
}

async fn make_room(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, cap: u64) -> Result<Vec<Uuid>> {
    let mut select = Query::select();
    select.column(Alias::new("id")).from(ddl.table(SESSIONS)).and_where(column("user_id").eq(user.to_string()));
    select.order_by(Alias::new("created_at"), Order::Asc).order_by(Alias::new("id"), Order::Asc);
    let rows = transaction.rows(&select).await?;
    let surplus = (rows.len() as u64 + 1).saturating_sub(Ord::max(cap, 1));
    let oldest = rows.iter().take(surplus as usize).map(|row| row.uuid(0)).collect::<Result<Vec<_>>>()?;
    for chunk in oldest.chunks(CHUNK) {
        let mut delete = Query::delete();
        delete.from_table(ddl.table(SESSIONS)).and_where(column("id").is_in(chunk.iter().map(Uuid::to_string)));
        transaction.execute(&delete).await?;
    }
    Ok(oldest)
}

/// The next generation of a session.
#[derive(Clone)]
pub(crate) struct Renewal {
    pub(crate) session: Uuid,
    pub(crate) user: Uuid,
    /// The generation that it follows.
    pub(crate) generation: i64,
    pub(crate) renewed_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) refresh_until: Timestamp,
}

/// Renews a session of an active user; false where it has another generation by now, or is gone.
pub(crate) async fn renew(database: &Database, context: &WriteContext, renewal: Renewal) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(context, move |transaction| {
            let (ddl, renewal) = (ddl.clone(), renewal.clone());
            Box::pin(async move {
                let locked = users::lock(transaction, &ddl, renewal.user).await?;
                if locked.is_none_or(|user| user.status != UserStatus::Active) {
                    return Ok(false);
                }
                let mut update = Query::update();
                update.table(ddl.table(SESSIONS)).value(Alias::new("generation"), renewal.generation + 1);
                for (name, moment) in [
                    ("renewed_at", renewal.renewed_at),
                    ("last_accessed", renewal.renewed_at),
                    ("expires_at", renewal.expires_at),
                    ("refresh_until", renewal.refresh_until),
                ] {
                    update.value(Alias::new(name), Expr::from(Value::from(moment)));
                }
                update.and_where(column("id").eq(renewal.session.to_string()));
                update.and_where(column("generation").eq(renewal.generation));
                Ok(transaction.execute(&update).await? == 1)
            })
        })
        .await
}

/// A session as its user sees it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    /// How somebody came in; none in a session of the version before.
    pub(crate) method: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) last_accessed: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) refresh_until: Option<Timestamp>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// The sessions of a user that are alive or can be renewed, the newest first.
pub(crate) async fn list(database: &Database, user: Uuid, now: Timestamp) -> Result<Vec<Listed>> {
    let columns = ["id", "method", "created_at", "last_accessed", "expires_at", "refresh_until", "ip", "user_agent"];
    let mut select = Query::select();
    select.columns(columns.map(Alias::new)).from(database.ddl().table(SESSIONS));
    let later = |name| column(name).gt(Expr::from(Value::from(now)));
    select.and_where(column("user_id").eq(user.to_string())).and_where(later("expires_at").or(later("refresh_until")));
    select.order_by(Alias::new("created_at"), Order::Desc).order_by(Alias::new("id"), Order::Desc);
    let listed = |row: &store::Row| {
        Ok(Listed {
            id: row.uuid(0)?,
            method: row.maybe_text(1)?.map(str::to_owned),
            created_at: row.timestamp(2)?,
            last_accessed: row.timestamp(3)?,
            expires_at: row.timestamp(4)?,
            refresh_until: row.maybe_timestamp(5)?,
            ip: row.maybe_text(6)?.map(str::to_owned),
            user_agent: row.maybe_text(7)?.map(str::to_owned),
        })
    };
    database.read(&select).await?.iter().map(listed).collect()
}

/// Ends one session of a user; false where the user has none of the id.
pub(crate) async fn end(database: &Database, context: &WriteContext, user: Uuid, id: Uuid) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(context, move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(SESSIONS)).and_where(column("id").eq(id.to_string()));
            delete.and_where(column("user_id").eq(user.to_string()));
            Box::pin(async move { Ok(transaction.execute(&delete).await? == 1) })
        })
        .await
}

/// Ends the sessions of a user whose row is locked, but for one; answers those that ended.
pub(crate) async fn end_all(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    user: Uuid,
    spared: Option<Uuid>,
) -> Result<Vec<Uuid>> {
    let spared = spared.unwrap_or_default().to_string();
    let of_user = || column("user_id").eq(user.to_string()).and(column("id").ne(&*spared));
    let mut select = Query::select();
    select.column(Alias::new("id")).from(ddl.table(SESSIONS)).and_where(of_user());
    let rows = transaction.rows(&select).await?;
    let mut delete = Query::delete();
    delete.from_table(ddl.table(SESSIONS)).and_where(of_user());
    transaction.execute(&delete).await?;
    rows.iter().map(|row| row.uuid(0)).collect()
}

/// Sessions that were last used at about the same moment and end at the same.
#[derive(Clone)]
pub(crate) struct Activity {
    pub(crate) last_accessed: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The generation that the end depends on, where it does: a renewal moves the last possible end.
    pub(crate) generation: Option<i64>,
    pub(crate) sessions: Vec<Uuid>,
}

/// Writes down when sessions were last used. What another process knows to be later stays.
pub(crate) async fn write_activity(database: &Database, activities: Vec<Activity>) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, activities) = (ddl.table(SESSIONS), activities.clone());
            Box::pin(async move {
                for activity in &activities {
                    let accessed = Value::from(activity.last_accessed);
                    for chunk in activity.sessions.chunks(CHUNK) {
                        let mut update = Query::update();
                        update.table(table.clone());
                        update.value(Alias::new("last_accessed"), Expr::from(accessed.clone()));
                        update.value(Alias::new("expires_at"), Expr::from(Value::from(activity.expires_at)));
                        update.and_where(column("id").is_in(chunk.iter().map(Uuid::to_string)));
                        update.and_where(column("last_accessed").lt(Expr::from(accessed.clone())));
                        if let Some(generation) = activity.generation {
                            update.and_where(column("generation").eq(generation));
                        }
                        transaction.execute(&update).await?;
                    }
                }
                Ok(())
            })
        })
        .await
}

/// Removes sessions that ended before a moment and can be renewed no more; answers how many.
pub(crate) async fn sweep(database: &Database, before: Timestamp) -> Result<u64> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut delete = Query::delete();
            delete.from_table(ddl.table(SESSIONS));
            let moment = || Expr::from(Value::from(before));
            delete.and_where(column("expires_at").lt(moment()));
            delete.and_where(column("refresh_until").is_null().or(column("refresh_until").lt(moment())));
            Box::pin(async move { transaction.execute(&delete).await })
        })
        .await
}
