//! `_webhook_tokens`: what outside services call with. A token is never stored: its signature and its row are enough.

use kernel::{Group, WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Func, JoinType, Order, Query};
use store::{Database, Ddl, Error, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{
    column, groups,
    groups::GROUPS,
    insert, keys, of,
    users::{self, USERS},
};
use crate::UserStatus;

pub(crate) const WEBHOOK_TOKENS: &str = "_webhook_tokens";
const COLUMNS: [&str; 6] = ["id", "name", "created_at", "expires_at", "last_used_at", "revoked_at"];

/// A token as its maker sees it.
#[derive(Debug, Clone)]
pub(crate) struct WebhookToken {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// A token with the user who made it, as the database has them now.
pub(crate) struct Found {
    pub(crate) token: WebhookToken,
    pub(crate) user: Uuid,
    pub(crate) number: i64,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) user_name: String,
    pub(crate) status: UserStatus,
    pub(crate) group: Group,
}

/// A token to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) id: Uuid,
    pub(crate) user: Uuid,
    pub(crate) name: String,
    /// The key that signed it.
    pub(crate) kid: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Tokens that the user may have.
    pub(crate) cap: usize,
}

fn from_row(row: &Row) -> Result<WebhookToken> {
    Ok(WebhookToken {
        id: row.uuid(0)?,
        name: row.text(1)?.to_owned(),
        created_at: row.timestamp(2)?,
        expires_at: row.timestamp(3)?,
        last_used_at: row.maybe_timestamp(4)?,
        revoked_at: row.maybe_timestamp(5)?,
    })
}

/// Reads a token with its user and group, in one statement.
pub(crate) async fn find(database: &Database, id: Uuid) -> Result<Option<Found>> {
    let ddl = database.ddl();
    let mut select = Query::select();
    select.columns(COLUMNS.map(|name| of(WEBHOOK_TOKENS, name)));
    select.columns(["id", "number", "username", "email", "name", "status"].map(|name| of(USERS, name)));
    groups::add_columns(&mut select);
    select.from(ddl.table(WEBHOOK_TOKENS));
    let same_user = Expr::col(of(WEBHOOK_TOKENS, "user_id")).equals(of(USERS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(USERS), same_user);
    let same_group = Expr::col(of(USERS, "group_id")).equals(of(GROUPS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(GROUPS), same_group);
    select.and_where(Expr::col(of(WEBHOOK_TOKENS, "id")).eq(id.to_string()));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        token: from_row(row)?,
        user: row.uuid(6)?,
        number: row.int(7)?,
        username: row.text(8)?.to_owned(),
        email: row.maybe_text(9)?.map(str::to_owned),
        user_name: row.text(10)?.to_owned(),
        status: UserStatus::from_word(row.text(11)?),
        group: groups::from_row(row, 12)?,
    }))
}

/// The tokens of a user, the newest first.
pub(crate) async fn list(database: &Database, user: Uuid) -> Result<Vec<WebhookToken>> {
    let mut select = Query::select();
    select.columns(COLUMNS.map(Alias::new)).from(database.ddl().table(WEBHOOK_TOKENS));
    select.and_where(column("user_id").eq(user.to_string()));
    select.order_by(Alias::new("created_at"), Order::Desc).order_by(Alias::new("id"), Order::Desc);
    database.read(&select).await?.iter().map(from_row).collect()
}

/// Stores a token of an active user; false where the user has as many as allowed. Tokens that are good no more make
/// room.
pub(crate) async fn add(database: &Database, context: &WriteContext, token: Fresh) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(context, move |transaction| {
            let (ddl, token) = (ddl.clone(), token.clone());
            Box::pin(async move {
                if users::lock(transaction, &ddl, token.user)
                    .await?
                    .is_none_or(|user| user.status != UserStatus::Active)
                {
                    return Ok(false);
                }
                if !has_room(transaction, &ddl, &token).await? {
                    return Ok(false);
                }
                keys::keep_until(transaction, &ddl, &token.kid, token.expires_at).await?;
                let row = [
                    ("id", Value::from(token.id)),
                    ("user_id", Value::from(token.user)),
                    ("name", Value::from(token.name)),
                    ("kid", Value::from(token.kid)),
                    ("created_at", Value::from(token.created_at)),
                    ("expires_at", Value::from(token.expires_at)),
                ];
                transaction.execute(&insert(ddl.table(WEBHOOK_TOKENS), row)?).await?;
                Ok(true)
            })
        })
        .await
}

async fn has_room(transaction: &mut Transaction<'_>, ddl: &Ddl, token: &Fresh) -> Result<bool> {
    let mut select = Query::select();
    select.column(Alias::new("id")).from(ddl.table(WEBHOOK_TOKENS));
    select.and_where(column("user_id").eq(token.user.to_string())).limit(token.cap as u64);
    if transaction.rows(&select).await?.len() < token.cap {
        return Ok(true);
    }
    let mut delete = Query::delete();
    let over = column("expires_at").lt(Expr::from(Value::from(token.created_at)));
    delete.from_table(ddl.table(WEBHOOK_TOKENS)).and_where(column("user_id").eq(token.user.to_string()));
    delete.and_where(column("revoked_at").is_not_null().or(over));
    Ok(transaction.execute(&delete).await? > 0)
}

/// Revokes a token of a user; false where the user has no such token that is good.
pub(crate) async fn revoke(
    database: &Database,
    context: &WriteContext,
    user: Uuid,
    id: Uuid,
    now: Timestamp,
) -> Result<bool> {
    let ddl = database.ddl();
    database
        .transaction(context, move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table(WEBHOOK_TOKENS)).value(Alias::new("revoked_at"), Expr::from(Value::from(now)));
            update.and_where(column("id").eq(id.to_string())).and_where(column("user_id").eq(user.to_string()));
            update.and_where(column("revoked_at").is_null());
            Box::pin(async move { Ok(transaction.execute(&update).await? == 1) })
        })
        .await
}

/// Writes down that a token was used, unless that was written after `before`.
pub(crate) async fn used(database: &Database, id: Uuid, now: Timestamp, before: Timestamp) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let last = || column("last_used_at");
            let mut update = Query::update();
            update.table(ddl.table(WEBHOOK_TOKENS)).value(Alias::new("last_used_at"), Expr::from(Value::from(now)));
            update.and_where(column("id").eq(id.to_string()));
            update.and_where(last().is_null().or(last().lt(Expr::from(Value::from(before)))));
            Box::pin(async move { transaction.execute(&update).await.map(drop) })
        })
        .await
}

/// When the last token ends that a key has signed and that is not revoked.
pub(crate) async fn last_of_key(transaction: &mut Transaction<'_>, ddl: &Ddl, kid: &str) -> Result<Option<Timestamp>> {
    let mut select = Query::select();
    select.expr(Func::max(column("expires_at"))).from(ddl.table(WEBHOOK_TOKENS));
    select.and_where(column("kid").eq(kid)).and_where(column("revoked_at").is_null());
    let rows = transaction.rows(&select).await?;
    rows.first().ok_or_else(|| Error::Driver("an aggregate answered no row".into()))?.maybe_timestamp(0)
}
