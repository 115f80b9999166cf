//! Users: made, found and changed by the operator or by a room that may.

use std::sync::Arc;

use kernel::{Error, Group, Reason, Result, Secret};
use store::OpenTenant;
use uuid::Uuid;

use crate::{
    Actor, Identity, NewUser, User, UserChange, UserStatus, fitness, hash,
    tables::{
        groups,
        users::{self, Fresh, Lookup},
    },
};

/// Users that one page has at the most.
const PAGE: u32 = 1_000;

impl Identity {
    /// Makes a user, for the operator or the server itself.
    ///
    /// Errors: as [`Self::add_user`].
    pub async fn create_user(&self, open: &OpenTenant, new: NewUser) -> Result<User> {
        self.add_user(open, &Actor::operator(), new, UserChange::default()).await
    }

    /// Users by number: at most `limit` (and 1,000), beginning behind the number `after`.
    pub async fn users(&self, open: &OpenTenant, after: i64, limit: u32) -> Result<Vec<User>> {
        Ok(users::list(&open.system, after, limit.min(PAGE)).await?)
    }

    /// Of the active users the one with the most power, and of those the first.
    pub async fn most_powerful_user(&self, open: &OpenTenant) -> Result<Option<User>> {
        Ok(users::most_powerful(&open.system).await?)
    }

    /// A user by name or e-mail address, in any case.
    pub async fn find_user(&self, open: &OpenTenant, name: &str) -> Result<Option<User>> {
        Ok(users::find(&open.system, &lookup(name)).await?.map(|stored| stored.user))
    }

    /// Moves a user to another group, for the operator. Errors: 404; 400 `field_invalid` where the group does not exist.
    pub async fn set_group(&self, open: &OpenTenant, user: Uuid, group: &str) -> Result<()> {
        let change = UserChange { group: Some(group.to_owned()), ..UserChange::default() };
        self.change_user(open, &Actor::operator(), user, change).await
    }

    /// Lets a user log in, or ends the user's sessions and lets nobody in, for the operator. Errors: 404.
    pub async fn set_status(&self, open: &OpenTenant, user: Uuid, status: UserStatus) -> Result<()> {
        let change = UserChange { status: Some(status), ..UserChange::default() };
        self.change_user(open, &Actor::operator(), user, change).await
    }

    /// Gives a user another password and ends all of the user's sessions, for the operator. Errors: 404; 422
    /// `password_unfit`; 503.
    pub async fn set_password(&self, open: &OpenTenant, user: Uuid, password: &Secret) -> Result<()> {
        let change = UserChange { password: Some(password.clone()), ..UserChange::default() };
        self.change_user(open, &Actor::operator(), user, change).await
    }

    /// Checks a new user, hashes the password and finds the group.
    pub(crate) async fn prepare(&self, open: &OpenTenant, new: NewUser) -> Result<(Fresh, Group)> {
        fitness::check_username(&new.username)?;
        new.email.as_deref().map(fitness::check_email).transpose()?;
        new.name.as_deref().map(fitness::check_name).transpose()?;
        if let Some(password) = &new.password {
            fitness::check_password(password, &new.username, new.email.as_deref())?;
        }
        if let Some(imported) = &new.password_hash {
            hash::check_imported(imported)?;
        }
        let group = if let Some(name) = &new.group {
            find_group(open, name).await?
        } else {
            let settings = self.settings.of(&open.tenant).await?;
            let name = &settings.default_group;
            let missing = || Error::internal(format!("the default group {name:?} does not exist"));
            groups::find(&open.system, name).await?.ok_or_else(missing)?
        };
        self.refuse_taken(open, &new).await?;
        let password = match (&new.password, &new.password_hash) {
            (Some(password), _) => Some(self.hasher.hash(password).await?),
            (None, imported) => imported.as_ref().map(|hash| hash.expose().to_owned()),
        };
        let fresh = Fresh {
            id: Uuid::now_v7(),
            name: new.name.unwrap_or_else(|| new.username.clone()),
            username: new.username,
            email: new.email,
            password,
            group: group.id,
            created_at: kernel::time::now(),
        };
        Ok((fresh, group))
    }

    /// Spares the work of hashing where the answer is known; the unique keys have the last word.
    async fn refuse_taken(&self, open: &OpenTenant, new: &NewUser) -> Result<()> {
        let username = Lookup::Username(new.username.to_ascii_lowercase());
        if users::find(&open.system, &username).await?.is_some() {
            return Err(username_taken());
        }
        let Some(email) = &new.email else { return Ok(()) };
        match users::find(&open.system, &Lookup::Email(email.to_ascii_lowercase())).await? {
            Some(_) => Err(email_taken()),
            None => Ok(()),
        }
    }
}

/// What a name to log in with means: user names have no `@`.
pub(crate) fn lookup(name: &str) -> Lookup {
    let key = name.to_ascii_lowercase();
    if key.contains('@') { Lookup::Email(key) } else { Lookup::Username(key) }
}

/// A stored user.
pub(crate) fn finished(fresh: Fresh, group: Group, number: i64) -> User {
    User {
        id: fresh.id,
        number,
        username: fresh.username,
        email: fresh.email,
        name: fresh.name,
        status: UserStatus::Active,
        email_verified_at: None,
        created_at: fresh.created_at,
        toolkit_overrides: Arc::default(),
        group,
    }
}

/// Which of the unique keys of a new user was there already.
pub(crate) fn taken(error: store::Error) -> Error {
    match &error {
        store::Error::Unique(columns) if columns.iter().any(|name| name.contains("username_key")) => username_taken(),
        store::Error::Unique(columns) if columns.iter().any(|name| name.contains("email_key")) => email_taken(),
        store::Error::Unique(columns) if columns.iter().any(|name| name.contains("login_string")) => {
            Error::new(Reason::NameTaken, "Another user's card has this text").at("login_string")
        }
        _ => error.into(),
    }
}

fn username_taken() -> Error {
    Error::plain(Reason::UsernameTaken).at("username")
}

pub(crate) fn email_taken() -> Error {
    Error::plain(Reason::EmailTaken).at("email")
}

pub(crate) fn no_user() -> Error {
    Error::new(Reason::NotFound, "There is no such user")
}

pub(crate) async fn find_group(open: &OpenTenant, name: &str) -> Result<Group> {
    let missing = || Error::new(Reason::FieldInvalid, format!("There is no group {name:?}")).at("group");
    groups::find(&open.system, name).await?.ok_or_else(missing)
}
