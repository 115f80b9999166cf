//! `_linked_accounts`: which account at which outside provider is whose.

use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use store::{Database, Ddl, Result, Transaction, Value};
use uuid::Uuid;

use super::{column, insert, users::USERS};

pub(crate) const LINKED: &str = "_linked_accounts";

/// What the provider told of an account, and gave for it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    /// None where it gave none; what was kept before then stays.
    pub(crate) tokens: Option<Kept>,
}

/// What is kept of the tokens that a provider gave: nothing, unless the settings say so.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// Sealed.
    pub(crate) access_token: Option<String>,
    /// Sealed.
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Told {
    fn into_columns(self) -> impl Iterator<Item = (&'static str, Value)> {
        let tokens = self.tokens.into_iter().flat_map(|kept| {
            [
                ("access_token", Value::from(kept.access_token)),
                ("refresh_token", Value::from(kept.refresh_token)),
                ("token_expires_at", Value::from(kept.expires_at)),
            ]
        });
        [("email", Value::from(self.email)), ("name", Value::from(self.name))].into_iter().chain(tokens)
    }
}

/// An account to be linked.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) id: Uuid,
    pub(crate) provider: String,
    pub(crate) subject: String,
    pub(crate) user: Uuid,
    pub(crate) told: Told,
    pub(crate) linked_at: Timestamp,
}

/// Whose an account is.
pub(crate) struct Owner {
    pub(crate) link: Uuid,
    pub(crate) user: Uuid,
}

/// A linked account as its owner sees it.
pub(crate) struct Linked {
    pub(crate) provider: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) since: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
}

/// Whose the account of a subject is.
pub(crate) async fn owner(database: &Database, provider: &str, subject: &str) -> Result<Option<Owner>> {
    let mut select = Query::select();
    select.columns(["id", "user_id", "subject"].map(Alias::new)).from(database.ddl().table(LINKED));
    select.and_where(column("provider").eq(provider)).and_where(column("subject").eq(subject));
    let rows = database.read(&select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    // An adopted database may compare without case; two subjects that differ in it are two people.
    let same = row.text(2)? == subject;
    Ok(if same { Some(Owner { link: row.uuid(0)?, user: row.uuid(1)? }) } else { None })
}

/// The accounts of a user, the oldest link first; one a provider at the most.
pub(crate) async fn of_user(database: &Database, user: Uuid) -> Result<Vec<Linked>> {
    let mut select = Query::select();
    let columns = ["provider", "subject", "email", "name", "linked_at", "last_used_at"];
    select.columns(columns.map(Alias::new)).from(database.ddl().table(LINKED));
    select.and_where(column("user_id").eq(user.to_string()));
    select.order_by(Alias::new("linked_at"), Order::Asc).order_by(Alias::new("provider"), Order::Asc);
    let rows = database.read(&select).await?;
    let linked = |row: &store::Row| {
        Ok(Linked {
            provider: row.text(0)?.to_owned(),
            subject: row.text(1)?.to_owned(),
            email: row.maybe_text(2)?.map(str::to_owned),
            name: row.maybe_text(3)?.map(str::to_owned),
            since: row.timestamp(4)?,
            last_used_at: row.maybe_timestamp(5)?,
        })
    };
    rows.iter().map(linked).collect()
}

/// Links an account.
///
/// Errors: [`store::Error::Unique`] where the account is linked already, or the user has another one of the provider.
pub(crate) async fn add(transaction: &mut Transaction<'_>, ddl: &Ddl, account: Fresh) -> Result<()> {
    let Fresh { id, provider, subject, user, told, linked_at } = account;
    let row = [
        ("id", Value::from(id)),
        ("provider", Value::from(provider)),
        ("subject", Value::from(subject)),
        ("user_id", Value::from(user)),
        ("linked_at", Value::from(linked_at)),
        ("last_used_at", Value::from(linked_at)),
    ];
    let row = row.into_iter().chain(told.into_columns());
    transaction.execute(&insert(ddl.table(LINKED), row)?).await.map(drop)
}

/// Writes down that an account was used, with what the provider told and gave this time.
pub(crate) async fn used(database: &Database, context: &WriteContext, link: Uuid, told: Told) -> Result<()> {
    let mut update = Query::update();
    update.table(database.ddl().table(LINKED)).and_where(column("id").eq(link.to_string()));
    for (name, value) in told.into_columns().chain([("last_used_at", Value::from(kernel::time::now()))]) {
        update.value(Alias::new(name), Expr::from(value));
    }
    database
        .transaction(context, move |transaction| {
            let update = update.clone();
            Box::pin(async move { transaction.execute(&update).await.map(drop) })
        })
        .await
}

/// The providers of the accounts of a user whose row is locked.
pub(crate) async fn providers(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid) -> Result<Vec<String>> {
    let mut select = Query::select();
    select.column(Alias::new("provider")).from(ddl.table(LINKED)).and_where(column("user_id").eq(user.to_string()));
    let rows = transaction.rows(&select).await?;
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Removes the account of a user at a provider.
pub(crate) async fn remove(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, provider: &str) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table(ddl.table(LINKED)).and_where(column("user_id").eq(user.to_string()));
    delete.and_where(column("provider").eq(provider));
    transaction.execute(&delete).await.map(drop)
}

/// Whether a user whose row is locked has this address, in lower case, and has proved it.
pub(crate) async fn has_proved(transaction: &mut Transaction<'_>, ddl: &Ddl, user: Uuid, email: &str) -> Result<bool> {
    let mut select = Query::select();
    select.column(Alias::new("id")).from(ddl.table(USERS)).and_where(column("id").eq(user.to_string()));
    select.and_where(column("email_key").eq(email)).and_where(column("email_verified_at").is_not_null());
    Ok(!transaction.rows(&select).await?.is_empty())
}
