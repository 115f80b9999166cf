//! `_users`, and `_counters` from which they get their numbers.

use std::collections::HashSet;

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Order, Query, SelectStatement};
use store::{Database, Ddl, Error, Result, Row, Transaction, Value};
use uuid::Uuid;

use super::{column, groups, groups::GROUPS, insert, of, overrides, profiles};
use crate::{User, UserStatus};

pub(crate) const USERS: &str = "_users";
pub(crate) const COUNTERS: &str = "_counters";

const COLUMNS: [&str; 12] = [
    "id",
    "number",
    "username",
    "email",
    "name",
    "status",
    "email_verified_at",
    "created_at",
    "password",
    "pin_code",
    "login_string",
    "toolkit_overrides",
];

/// Columns of [`select`].
pub(super) const WIDTH: usize = COLUMNS.len() + groups::WIDTH;

/// What a user can be found by.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    Id(Uuid),
    Number(i64),
    /// The name in lower case.
    Username(String),
    /// The address in lower case.
    Email(String),
    /// The keyed hash of a card's text.
    Card(String),
}

/// A user with what proves who it is.
pub(crate) struct Stored {
    pub(crate) user: User,
    /// The hash of the password.
    pub(crate) password: Option<String>,
    /// The keyed hash of the PIN.
    pub(crate) pin: Option<String>,
    /// The keyed hash of the card's text.
    pub(crate) login_string: Option<String>,
}

/// A user to be stored, checked.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) name: String,
    /// The hash.
    pub(crate) password: Option<String>,
    pub(crate) group: i64,
    pub(crate) created_at: Timestamp,
}

/// Users with their groups.
pub(super) fn select(ddl: &Ddl) -> SelectStatement {
    let mut select = Query::select();
    select.columns(COLUMNS.map(|name| of(USERS, name)));
    groups::add_columns(&mut select);
    select.from(ddl.table(USERS));
    let same_group = Expr::col(of(USERS, "group_id")).equals(of(GROUPS, "id"));
    select.join(JoinType::InnerJoin, ddl.table(GROUPS), same_group);
    select
}

/// A user from the columns of [`select`].
pub(super) fn from_row(row: &Row) -> Result<Stored> {
    let user = User {
        id: row.uuid(0)?,
        number: row.int(1)?,
        username: row.text(2)?.to_owned(),
        email: row.maybe_text(3)?.map(str::to_owned),
        name: row.text(4)?.to_owned(),
        status: UserStatus::from_word(row.text(5)?),
        email_verified_at: row.maybe_timestamp(6)?,
        created_at: row.timestamp(7)?,
        toolkit_overrides: overrides::from_row(row, 11, row.int(1)?)?,
        group: groups::from_row(row, COLUMNS.len())?,
    };
    let text = |index| Ok::<_, Error>(row.maybe_text(index)?.map(str::to_owned));
    Ok(Stored { user, password: text(8)?, pin: text(9)?, login_string: text(10)? })
}

/// One user.
pub(crate) async fn find(database: &Database, lookup: &Lookup) -> Result<Option<Stored>> {
    let mut select = select(&database.ddl());
    select.and_where(is(lookup));
    database.read(&select).await?.first().map(from_row).transpose()
}

/// One user as a transaction sees it.
pub(crate) async fn find_in(transaction: &mut Transaction<'_>, ddl: &Ddl, lookup: &Lookup) -> Result<Option<Stored>> {
    let mut select = select(ddl);
    select.and_where(is(lookup));
    transaction.rows(&select).await?.first().map(from_row).transpose()
}

/// What a lookup means.
pub(super) fn is(lookup: &Lookup) -> Expr {
    let column = |name| Expr::col(of(USERS, name));
    match lookup {
        Lookup::Id(id) => column("id").eq(id.to_string()),
        Lookup::Number(number) => column("number").eq(*number),
        Lookup::Username(key) => column("username_key").eq(&**key),
        Lookup::Email(key) => column("email_key").eq(&**key),
        Lookup::Card(hash) => column("login_string").eq(&**hash),
    }
}

/// Which of some names and addresses, in lower case, are taken.
pub(crate) async fn known(
    database: &Database,
    names: Vec<String>,
    addresses: Vec<String>,
) -> Result<(HashSet<String>, HashSet<String>)> {
    let mut select = Query::select();
    select.columns(["username_key", "email_key"].map(Alias::new)).from(database.ddl().table(USERS));
    select.and_where(column("username_key").is_in(names).or(column("email_key").is_in(addresses)));
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    for row in database.read(&select).await? {
        names.insert(row.text(0)?.to_owned());
        addresses.extend(row.maybe_text(1)?.map(str::to_owned));
    }
    Ok((names, addresses))
}

/// Users by number, beginning behind one.
pub(crate) async fn list(database: &Database, after: i64, limit: u32) -> Result<Vec<User>> {
    let mut select = select(&database.ddl());
    select.and_where(Expr::col(of(USERS, "number")).gt(after));
    select.order_by(of(USERS, "number"), Order::Asc).limit(limit.into());
    database.read(&select).await?.iter().map(|row| Ok(from_row(row)?.user)).collect()
}

/// Of the active users the one whose group has the most power, and of those the first.
pub(crate) async fn most_powerful(database: &Database) -> Result<Option<User>> {
    let mut select = select(&database.ddl());
    select.and_where(Expr::col(of(USERS, "status")).eq(UserStatus::Active.word()));
    select.order_by(of(GROUPS, "power"), Order::Desc).order_by(of(USERS, "number"), Order::Asc).limit(1);
    database.read(&select).await?.first().map(|row| Ok(from_row(row)?.user)).transpose()
}

/// Stores a user with an empty profile under the next number, which is its answer. A number is given once, even if its user is removed.
///
/// Errors: [`Error::Unique`] where the name or the address is taken.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Fresh) -> Result<i64> {
    let number = next_number(transaction, ddl).await?;
    let row = [
        ("id", Value::from(user.id)),
        ("number", Value::from(number)),
        ("username_key", Value::from(user.username.to_ascii_lowercase())),
        ("username", Value::from(user.username)),
        ("email_key", Value::from(user.email.as_deref().map(str::to_ascii_lowercase))),
        ("email", Value::from(user.email)),
        ("name", Value::from(user.name)),
        ("password", Value::from(user.password)),
        ("group_id", Value::from(user.group)),
        ("status", Value::from(UserStatus::Active.word())),
        ("created_at", Value::from(user.created_at)),
        ("created_by", Value::from(transaction.context().user)),
    ];
    transaction.execute(&insert(ddl.table(USERS), row)?).await?;
    profiles::add(transaction, ddl, user.id).await?;
    Ok(number)
}

/// The update locks the row, so that numbers are given one after the other.
async fn next_number(transaction: &mut Transaction<'_>, ddl: &Ddl) -> Result<i64> {
    let mut update = Query::update();
    update.table(ddl.table(COUNTERS)).value(Alias::new("value"), column("value").add(1_i64));
    update.and_where(column("name").eq("users"));
    transaction.execute(&update).await?;
    let mut select = Query::select();
    select.column(Alias::new("value")).from(ddl.table(COUNTERS)).and_where(column("name").eq("users"));
    let rows = transaction.rows(&select).await?;
    rows.first().ok_or_else(|| Error::Driver("the counter of users is missing".into()))?.int(0)
}

/// What must not change while a transaction that locked the user goes on.
pub(crate) struct Locked {
    pub(crate) status: UserStatus,
    /// The hash.
    pub(crate) password: Option<String>,
    /// The keyed hash of the PIN.
    pub(crate) pin: Option<String>,
    /// The keyed hash of the card's text.
    pub(crate) login_string: Option<String>,
}

impl Locked {
    /// Whether there is anything of the user's own to log in with.
    pub(crate) fn has_credential(&self) -> bool {
        self.password.is_some() || self.pin.is_some() || self.login_string.is_some()
    }
}

/// Locks a user's row until the end of the transaction and tells what decides about coming in; none where it is gone.
pub(crate) async fn lock(transaction: &mut Transaction<'_>, ddl: &Ddl, id: Uuid) -> Result<Option<Locked>> {
    let mut select = Query::select();
    select.columns(["status", "password", "pin_code", "login_string"].map(Alias::new)).from(ddl.table(USERS));
    select.and_where(column("id").eq(id.to_string())).lock_exclusive();
    let rows = transaction.rows(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Locked {
        status: UserStatus::from_word(row.text(0)?),
        password: row.maybe_text(1)?.map(str::to_owned),
        pin: row.maybe_text(2)?.map(str::to_owned),
        login_string: row.maybe_text(3)?.map(str::to_owned),
    }))
}

/// Changes columns of a user.
pub(crate) async fn set(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    id: Uuid,
    values: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<()> {
    let mut update = Query::update();
    update.table(ddl.table(USERS)).and_where(column("id").eq(id.to_string()));
    for (field, value) in values {
        update.value(Alias::new(field), Expr::from(value));
    }
    update.value(Alias::new("last_modified_at"), Expr::from(Value::from(kernel::time::now())));
    update.value(Alias::new("last_modified_by"), Expr::from(Value::from(transaction.context().user)));
    transaction.execute(&update).await.map(drop)
}

/// Replaces a password's hash by one of the same password, unless it has changed meanwhile.
pub(crate) async fn renew_hash(database: &Database, id: Uuid, old: String, new: String) -> Result<()> {
    let ddl = database.ddl();
    database
        .transaction(&WriteContext::system(), move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table(USERS)).value(Alias::new("password"), Expr::from(Value::from(&*new)));
            update.and_where(column("id").eq(id.to_string())).and_where(column("password").eq(&*old));
            Box::pin(async move { transaction.execute(&update).await.map(drop) })
        })
        .await
}
