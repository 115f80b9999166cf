//! `_api_keys`: what software comes in with. A key is never stored, only what recognises it.

use std::sync::Arc;

use ipnet::IpNet;
use kernel::{Error as Refusal, Group, KeyKind, Reason, ToolkitOverride, WriteContext, time::Timestamp};
use sea_query::{Alias, Cond, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement};
use serde::{Serialize, de::DeserializeOwned};
use store::{Database, Ddl, Error, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{column, groups, groups::GROUPS, insert, of, overrides, users::USERS};
use crate::{
    UserStatus,
    keys::{Key, format},
};

pub(crate) const API_KEYS: &str = "_api_keys";

/// Rows that one statement names at the most.
const CHUNK: usize = 500;
/// Seconds that pass between two notes of a key's use.
const USE_STEP: i64 = 60;

/// The columns that make a [`Key`], in the order of [`from_row`].
const COLUMNS: [&str; 19] = [
    "id",
    "kind",
    "name",
    "prefix",
    "last_four",
    "user_id",
    "scopes",
    "addresses",
    "origins",
    "rate_class",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "rotated_from",
    "rotated_at",
    "imported_from",
    "mac",
    "group_id",
];
const USER_COLUMNS: [&str; 6] = ["number", "username", "email", "name", "status", "toolkit_overrides"];
/// The group that a key acts as, beside that of its owner.
const ACTING: &str = "acting";

/// What a key can be found by.
pub(crate) enum Lookup<'a> {
    Id(&'a str),
    /// The keyed hash, in hexadecimal.
    Mac(&'a str),
}

/// A key with its owner, as the database has them now.
pub(crate) struct Found {
    pub(crate) key: Key,
    /// The keyed hash of its text, in hexadecimal.
    pub(crate) mac: String,
    /// The group that it acts as, for a key that acts as no user.
    pub(crate) acting: Option<i64>,
    pub(crate) owner: Owner,
}

/// Whoever made a key.
pub(crate) struct Owner {
    pub(crate) email: Option<String>,
    pub(crate) name: String,
    pub(crate) status: UserStatus,
    pub(crate) toolkit_overrides: Arc<[ToolkitOverride]>,
    pub(crate) group: Group,
}

fn select(ddl: &Ddl) -> SelectStatement {
    let mut select = Query::select();
    select.columns(COLUMNS.map(|name| of(API_KEYS, name)));
    select.columns(USER_COLUMNS.map(|name| of(USERS, name)));
    select.column((Alias::new(ACTING), Alias::new("name")));
    groups::add_columns(&mut select);
    select.from(ddl.table(API_KEYS));
    let same_user = Expr::col(of(API_KEYS, "user_id")).equals(of(USERS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(USERS), same_user);
    let same_group = Expr::col(of(USERS, "group_id")).equals(of(GROUPS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(GROUPS), same_group);
    let acting = Expr::col(of(API_KEYS, "group_id")).equals((Alias::new(ACTING), Alias::new("id")));
    select.join_as(JoinType::LeftJoin, ddl.table(GROUPS), Alias::new(ACTING), acting);
    select
}

fn from_row(row: &Row) -> Result<Found> {
    let unknown = || Error::Driver("an API key is of an unknown kind".into());
    let text = |index: usize| row.maybe_text(index).map(|text| text.map(str::to_owned));
    let user = COLUMNS.len();
    let key = Key {
        id: row.text(0)?.to_owned(),
        kind: format::kind(row.text(1)?).ok_or_else(unknown)?,
        name: row.text(2)?.to_owned(),
        prefix: row.text(3)?.to_owned(),
        last_four: row.text(4)?.to_owned(),
        owner: row.uuid(5)?,
        scopes: list(row, 6)?,
        addresses: list(row, 7)?,
        origins: list(row, 8)?,
        rate_class: text(9)?,
        created_at: row.timestamp(10)?,
        expires_at: row.maybe_timestamp(11)?,
        last_used_at: row.maybe_timestamp(12)?,
        revoked_at: row.maybe_timestamp(13)?,
        rotated_from: text(14)?,
        rotated_at: row.maybe_timestamp(15)?,
        imported_from: text(16)?,
        owner_number: row.int(user)?,
        owner_name: row.text(user + 1)?.to_owned(),
        group: text(user + USER_COLUMNS.len())?,
    };
    let owner = Owner {
        email: text(user + 2)?,
        name: row.text(user + 3)?.to_owned(),
        status: UserStatus::from_word(row.text(user + 4)?),
        toolkit_overrides: overrides::from_row(row, user + 5, row.int(user)?)?,
        group: groups::from_row(row, user + USER_COLUMNS.len() + 1)?,
    };
    Ok(Found { key, mac: row.text(17)?.to_owned(), acting: row.maybe_int(18)?, owner })
}

fn list<T: DeserializeOwned>(row: &Row, index: usize) -> Result<Vec<T>> {
    serde_json::from_str(row.text(index)?).map_err(|error| Error::Driver(error.into()))
}

fn json(list: &[impl Serialize]) -> Result<Value> {
    serde_json::to_string(list).map(Value::from).map_err(|error| Error::Driver(error.into()))
}

/// One key.
pub(crate) async fn find(database: &Database, lookup: Lookup<'_>) -> Result<Option<Found>> {
    let mut select = select(&database.ddl());
    let column = |name| Expr::col(of(API_KEYS, name));
    select.and_where(match lookup {
        Lookup::Id(id) => column("id").eq(id),
        Lookup::Mac(mac) => column("mac").eq(mac),
    });
    database.read(&select).await?.first().map(from_row).transpose()
}

/// A group by its id.
pub(crate) async fn group(database: &Database, id: i64) -> Result<Option<Group>> {
    let mut select = Query::select();
    groups::add_columns(&mut select);
    select.from(database.ddl().table(GROUPS)).and_where(column("id").eq(id));
    database.read(&select).await?.first().map(|row| groups::from_row(row, 0)).transpose()
}

/// Keys of a user or of all, the newest first.
pub(crate) async fn list_of(database: &Database, owner: Option<Uuid>, limit: u64, offset: u64) -> Result<Vec<Key>> {
    let mut select = select(&database.ddl());
    if let Some(owner) = owner {
        select.and_where(Expr::col(of(API_KEYS, "user_id")).eq(owner.to_string()));
    }
    select.order_by(of(API_KEYS, "created_at"), Order::Desc).order_by(of(API_KEYS, "id"), Order::Asc);
    select.limit(limit).offset(offset);
    database.read(&select).await?.iter().map(|row| Ok(from_row(row)?.key)).collect()
}

/// Whether keys of other back ends can be used.
pub(crate) async fn has_imported(database: &Database, now: Timestamp) -> Result<bool> {
    let mut select = Query::select();
    select.column(Alias::new("id")).from(database.ddl().table(API_KEYS));
    select.and_where(column("imported_from").is_not_null()).cond_where(live(now)).limit(1);
    Ok(!database.read(&select).await?.is_empty())
}

fn live(now: Timestamp) -> Cond {
    let unending = column("expires_at").is_null();
    let not_over = column("expires_at").gt(Expr::from(Value::from(now)));
    Cond::all().add(column("revoked_at").is_null()).add(Cond::any().add(unending).add(not_over))
}

/// A key to be stored, checked.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) id: String,
    pub(crate) kind: KeyKind,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) last_four: String,
    /// In hexadecimal.
    pub(crate) mac: String,
    pub(crate) owner: Uuid,
    pub(crate) group: Option<i64>,
    pub(crate) scopes: Vec<String>,
    pub(crate) addresses: Vec<IpNet>,
    pub(crate) origins: Vec<String>,
    pub(crate) rate_class: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) rotated_from: Option<String>,
    pub(crate) imported_from: Option<String>,
}

/// Which of these keyed hashes are those of keys.
pub(crate) async fn known(database: &Database, macs: &[String]) -> Result<Vec<String>> {
    let mut known = Vec::new();
    for chunk in macs.chunks(CHUNK) {
        let rows = database.read(&with_macs(&database.ddl(), chunk)).await?;
        known.extend(rows.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<Vec<_>>>()?);
    }
    Ok(known)
}

/// Whether a keyed hash is that of a key.
pub(crate) async fn is_known(transaction: &mut Transaction<'_>, ddl: &Ddl, mac: &String) -> Result<bool> {
    Ok(!transaction.rows(&with_macs(ddl, std::slice::from_ref(mac))).await?.is_empty())
}

fn with_macs(ddl: &Ddl, macs: &[String]) -> SelectStatement {
    let mut select = Query::select();
    select.column(Alias::new("mac")).from(ddl.table(API_KEYS));
    select.and_where(column("mac").is_in(macs.iter().map(String::as_str)));
    select
}

/// Stores a key. Errors: [`Error::Unique`] where another has the same text.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, key: Fresh) -> Result<()> {
    let row = [
        ("kind", Value::from(key.kind.word())),
        ("scopes", json(&key.scopes)?),
        ("addresses", json(&key.addresses)?),
        ("origins", json(&key.origins)?),
        ("id", Value::from(key.id)),
        ("name", Value::from(key.name)),
        ("prefix", Value::from(key.prefix)),
        ("last_four", Value::from(key.last_four)),
        ("mac", Value::from(key.mac)),
        ("user_id", Value::from(key.owner)),
        ("group_id", Value::from(key.group)),
        ("rate_class", Value::from(key.rate_class)),
        ("created_at", Value::from(key.created_at)),
        ("expires_at", Value::from(key.expires_at)),
        ("revoked_at", Value::from(key.revoked_at)),
        ("rotated_from", Value::from(key.rotated_from)),
        ("imported_from", Value::from(key.imported_from)),
    ];
    transaction.execute(&insert(ddl.table(API_KEYS), row)?).await.map(drop)
}

/// How many keys of a user can be used. The user's row must be locked, so that the number stays true.
pub(crate) async fn count_live(transaction: &mut Transaction<'_>, ddl: &Ddl, owner: Uuid) -> Result<u64> {
    let mut select = Query::select();
    select.expr(Func::count(Expr::col(Alias::new("id")))).from(ddl.table(API_KEYS));
    select.and_where(column("user_id").eq(owner.to_string())).cond_where(live(kernel::time::now()));
    let rows = transaction.rows(&select).await?;
    rows.first().map_or(Ok(0), |row| row.int(0).map(|count| count as u64))
}

/// What must hold of a key while a transaction that locked it goes on.
pub(crate) struct Locked {
    pub(crate) end: Option<Timestamp>,
    pub(crate) revoked: bool,
    pub(crate) rotated: bool,
}

/// Locks a key's row until the end of the transaction. Errors: 404, as a refusal.
pub(crate) async fn lock(transaction: &mut Transaction<'_>, ddl: &Ddl, id: &str) -> Result<Locked> {
    let mut select = Query::select();
    select.columns(["expires_at", "revoked_at", "rotated_at"].map(Alias::new)).from(ddl.table(API_KEYS));
    select.and_where(column("id").eq(id)).lock_exclusive();
    let rows = transaction.rows(&select).await?;
    let row = rows.first().ok_or_else(no_key)?;
    Ok(Locked { end: row.maybe_timestamp(0)?, revoked: !row.is_null(1), rotated: !row.is_null(2) })
}

/// 404.
pub(crate) fn no_key() -> Refusal {
    Refusal::new(Reason::NotFound, "There is no such API key")
}

/// What a key's row shall say, by column.
pub(crate) type Values = Vec<(&'static str, Value)>;

/// Changes columns of a key that is locked.
pub(crate) async fn change(transaction: &mut Transaction<'_>, ddl: &Ddl, id: &str, values: Values) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let mut update = Query::update();
    update.table(ddl.table(API_KEYS)).and_where(column("id").eq(id));
    for (field, value) in values {
        update.value(Alias::new(field), Expr::from(value));
    }
    transaction.execute(&update).await.map(drop)
}

/// The columns of lists, as they are stored.
pub(crate) fn list_value(list: &[impl Serialize]) -> Result<Value> {
    json(list)
}

/// Revokes keys that are not revoked yet: one, or all of a user. Answers how many.
pub(crate) async fn revoke(transaction: &mut Transaction<'_>, ddl: &Ddl, which: Which) -> Result<u64> {
    let mut update = Query::update();
    update.table(ddl.table(API_KEYS));
    update.value(Alias::new("revoked_at"), Expr::from(Value::from(kernel::time::now())));
    update.and_where(column("revoked_at").is_null()).and_where(match which {
        Which::One(id) => column("id").eq(id),
        Which::OfUser(user) => column("user_id").eq(user.to_string()),
    });
    transaction.execute(&update).await
}

/// Keys to revoke.
#[derive(Clone)]
pub(crate) enum Which {
    One(String),
    OfUser(Uuid),
}

/// Keys that were last used at about the same moment.
#[derive(Clone)]
pub(crate) struct Used {
    pub(crate) at: Timestamp,
    pub(crate) keys: Vec<String>,
}

/// Writes down when keys were last used, but none of which that was done within the minute before.
pub(crate) async fn write_uses(database: &Database, uses: Vec<Used>) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let (table, uses) = (ddl.table(API_KEYS), uses.clone());
            Box::pin(async move {
                for used in &uses {
                    let before = Timestamp::from_second(used.at.as_second() - USE_STEP).unwrap_or(Timestamp::MIN);
                    for chunk in used.keys.chunks(CHUNK) {
                        let mut update = Query::update();
                        update.table(table.clone());
                        update.value(Alias::new("last_used_at"), Expr::from(Value::from(used.at)));
                        update.and_where(column("id").is_in(chunk.iter().map(String::as_str)));
                        let long_ago = column("last_used_at").lte(Expr::from(Value::from(before)));
                        update.cond_where(Cond::any().add(column("last_used_at").is_null()).add(long_ago));
                        transaction.execute(&update).await?;
                    }
                }
                Ok(())
            })
        })
        .await
}
