//! Users: made, changed and removed by whoever may, and never the last who may do everything.

use std::sync::Arc;

use kernel::{Error, Reason, Result, Secret, ToolkitOverride, time::Timestamp};
use store::{
    OpenTenant, Value,
    paging::{Found, KeyKind, Page, Sort},
};
use uuid::Uuid;

use crate::{
    Actor, Field, Identity, NewUser, User, UserRecord, UserSession, UserStatus,
    desk::{card_hash, check_card, check_pin, pin_hash},
    fitness,
    tables::{
        directory,
        groups::{self, GroupLookup},
        one_time_tokens, overrides, removal, second_factors, sessions,
        users::{self, Lookup},
    },
    users::{find_group, finished, no_user, taken},
};

/// What changes of a user. What is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The name to log in with.
    pub username: Option<String>,
    /// The e-mail address, or none from now on. Another address is unconfirmed.
    pub email: Field<String>,
    /// The name to show.
    pub name: Option<String>,
    /// The group's name.
    pub group: Option<String>,
    /// Whether the user may log in; suspension ends all sessions.
    pub status: Option<UserStatus>,
    /// The password; another one ends all sessions.
    pub password: Option<Secret>,
    /// Whether the address proved to be the user's own.
    pub email_verified: Option<bool>,
    /// The PIN, or none from now on.
    pub pin: Field<Secret>,
    /// The text of the card or badge, or none from now on.
    pub login_string: Field<Secret>,
    /// Whether the second factor goes, for whoever has lost it.
    pub reset_second_factor: bool,
    /// The places in toolkits that the user has whatever the group has; each toolkit once.
    pub toolkit_overrides: Option<Vec<ToolkitOverride>>,
}

/// Which users a list has.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// A part of the user name, the address or the name.
    pub text: Option<String>,
    /// Only users of this group.
    pub group: Option<String>,
    /// Only users that may log in, or only those that may not.
    pub status: Option<UserStatus>,
    /// Only users made after this moment.
    pub created_after: Option<Timestamp>,
    /// Only users made before this moment.
    pub created_before: Option<Timestamp>,
}

/// What a list of users can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSort {
    /// 1, 2, 3 …
    Number,
    /// The user name in lower case.
    Username,
    /// The address in lower case; users without one count as if it were empty.
    Email,
    /// The name in lower case.
    Name,
    /// When the user was made.
    CreatedAt,
}

impl Sort for UserSort {
    const ALL: &'static [(&'static str, Self)] = &[
        ("number", Self::Number),
        ("username", Self::Username),
        ("email", Self::Email),
        ("name", Self::Name),
        ("created_at", Self::CreatedAt),
    ];

    fn kind(self) -> KeyKind {
        match self {
            Self::Number => KeyKind::Number,
            Self::CreatedAt => KeyKind::Moment,
            Self::Username | Self::Email | Self::Name => KeyKind::Text,
        }
    }
}

/// A change that is checked, with the passwords hashed.
struct Checked {
    values: Vec<(&'static str, Value)>,
    /// The id of the new group.
    group: Option<i64>,
    status: Option<UserStatus>,
    ends_sessions: bool,
    /// Whether links that were sent by mail are good no more.
    voids_links: bool,
    resets_second_factor: bool,
}

impl Identity {
    /// One page of the tenant's users.
    pub async fn user_page(
        &self,
        open: &OpenTenant,
        filter: &UserFilter,
        page: &Page<UserSort>,
        profile: bool,
    ) -> Result<Found<UserRecord>> {
        Ok(directory::page(&open.system, filter, page, profile).await?)
    }

    /// A user as administrators see one, without the profile. Errors: 404.
    pub async fn user(&self, open: &OpenTenant, user: Uuid) -> Result<UserRecord> {
        self.user_record(open, &Lookup::Id(user), false).await
    }

    /// How many users a filter lets through.
    pub(crate) async fn count_users(&self, open: &OpenTenant, filter: &UserFilter) -> Result<i64> {
        Ok(directory::count(&open.system, filter).await?)
    }

    /// A user as administrators see one. Errors: 404.
    pub(crate) async fn user_record(&self, open: &OpenTenant, user: &Lookup, profile: bool) -> Result<UserRecord> {
        directory::find(&open.system, user, profile).await?.ok_or_else(no_user)
    }

    /// Makes a user; `more` is what else than [`NewUser`] has is known from the beginning.
    ///
    /// Errors: 403 where the group is beyond the actor; 409 `username_taken`, `email_taken`; 422 `username_unfit`,
    /// `email_unfit`, `password_unfit`; 400 `field_invalid` where the name is unfit or the group does not exist; 503
    /// `busy`.
    pub async fn add_user(&self, open: &OpenTenant, actor: &Actor, new: NewUser, more: UserChange) -> Result<User> {
        let username = new.username.clone();
        let outcome = self.try_add(open, actor, new, more).await;
        let named = fitness::check_username(&username).is_ok();
        actor.audit(&open.tenant, "user-create", if named { &username } else { "" }, &[], &outcome);
        outcome
    }

    async fn try_add(&self, open: &OpenTenant, actor: &Actor, new: NewUser, more: UserChange) -> Result<User> {
        let free = self.free(open).await?;
        let (fresh, group) = self.prepare(open, new).await?;
        actor.require_reach(&group, &free)?;
        let mut user = finished(fresh.clone(), group, 0);
        let more = self.check(open, &user, &more).await?;
        let (ddl, id, added) = (open.system.ddl(), fresh.id, more.values.clone());
        let known_group = user.group.clone();
        let added = open.system.transaction(&actor.context, move |transaction| {
            let (ddl, fresh, added, known_group) = (ddl.clone(), fresh.clone(), added.clone(), known_group.clone());
            Box::pin(async move {
                let number = users::add(transaction, &ddl, fresh).await?;
                if !added.is_empty() {
                    users::set(transaction, &ddl, id, added).await?;
                }
                // What was looked at before must still hold.
                match groups::find_in(transaction, &ddl, &GroupLookup::Id(known_group.id)).await? {
                    Some(group) if group == known_group => Ok(number),
                    _ => Err(Error::plain(Reason::Conflict).into()),
                }
            })
        });
        user.number = added.await.map_err(taken)?;
        user.status = more.status.unwrap_or(user.status);
        Ok(user)
    }

    /// Changes a user, all or nothing.
    ///
    /// Errors: 404; 403 where the user or the new group is beyond the actor; 409 `username_taken`, `email_taken`,
    /// `last_administrator`, and `conflict` where it would suspend the actor; 422; 400 `field_invalid`; 503 `busy`.
    pub async fn change_user(&self, open: &OpenTenant, actor: &Actor, user: Uuid, change: UserChange) -> Result<()> {
        let outcome = self.try_change(open, actor, user, &change).await;
        actor.audit(&open.tenant, "user-change", &user.to_string(), &change.fields(), &outcome);
        outcome
    }

    async fn try_change(&self, open: &OpenTenant, actor: &Actor, id: Uuid, change: &UserChange) -> Result<()> {
        let known = users::find(&open.system, &Lookup::Id(id)).await?.ok_or_else(no_user)?.user;
        let free = self.free(open).await?;
        actor.require_reach(&known.group, &free)?;
        if actor.is(id) {
            refuse_for_oneself(change)?;
        }
        if change.toolkit_overrides.is_some() {
            actor.require_places()?;
        }
        let checked = Arc::new(self.check(open, &known, change).await?);
        if checked.values.is_empty() && !checked.resets_second_factor {
            return Ok(());
        }
        let (ddl, actor, work) = (open.system.ddl(), Arc::new(actor.clone()), Arc::clone(&checked));
        let context = actor.context.clone();
        let changed = open.system.transaction(&context, move |transaction| {
            let (ddl, actor, free, work) = (ddl.clone(), Arc::clone(&actor), free.clone(), Arc::clone(&work));
            Box::pin(async move {
                let group = match work.group {
                    Some(group) => {
                        let group = groups::find_in(transaction, &ddl, &GroupLookup::Id(group)).await?;
                        Some(group.ok_or_else(|| Error::plain(Reason::Conflict))?)
                    }
                    None => None,
                };
                if let Some(group) = &group {
                    actor.require_reach(group, &free).map_err(|error| error.at("group"))?;
                }
                let demotes = group.as_ref().is_some_and(|group| group.power < 100);
                if (demotes || work.status == Some(UserStatus::Suspended)) && !actor.is_operator() {
                    removal::refuse_last_administrator(transaction, &ddl, id).await?;
                }
                let gone = || store::Error::from(no_user());
                users::lock(transaction, &ddl, id).await?.ok_or_else(gone)?;
                let before = users::find_in(transaction, &ddl, &Lookup::Id(id)).await?.ok_or_else(gone)?.user;
                actor.require_reach(&before.group, &free)?;
                users::set(transaction, &ddl, id, work.values.clone()).await?;
                if work.voids_links {
                    one_time_tokens::void_all(transaction, &ddl, id).await?;
                }
                if work.resets_second_factor {
                    second_factors::remove(transaction, &ddl, id).await?;
                }
                if !work.ends_sessions {
                    return Ok(Vec::new());
                }
                sessions::end_all(transaction, &ddl, id, None).await
            })
        });
        self.sessions.end(&changed.await.map_err(taken)?);
        self.sessions.doubt(|principal| principal.id == id);
        self.keys.doubt_of(id);
        Ok(())
    }

    /// The sessions of a user that are alive or can be renewed, the newest first.
    pub async fn sessions_of(&self, open: &OpenTenant, user: Uuid) -> Result<Vec<UserSession>> {
        let listed = sessions::list(&open.system, user, kernel::time::now()).await?;
        Ok(listed.into_iter().map(UserSession::from).collect())
    }

    /// Ends all sessions of a user and tells how many. Errors: 404; 403 where the user is beyond the actor.
    pub async fn end_sessions(&self, open: &OpenTenant, actor: &Actor, user: Uuid) -> Result<usize> {
        let outcome = self.try_end_sessions(open, actor, user).await;
        actor.audit(&open.tenant, "clear-sessions", &user.to_string(), &[], &outcome);
        outcome
    }

    async fn try_end_sessions(&self, open: &OpenTenant, actor: &Actor, id: Uuid) -> Result<usize> {
        let known = users::find(&open.system, &Lookup::Id(id)).await?.ok_or_else(no_user)?.user;
        actor.require_reach(&known.group, &self.free(open).await?)?;
        let ddl = open.system.ddl();
        let ended = open.system.transaction(&actor.context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move {
                users::lock(transaction, &ddl, id).await?;
                sessions::end_all(transaction, &ddl, id, None).await
            })
        });
        let ended = ended.await?;
        self.sessions.end(&ended);
        Ok(ended.len())
    }

    /// Removes a user with sessions, keys and whatever else is the user's.
    ///
    /// Errors: 404; 403 where the user is beyond the actor; 409 `last_administrator`, and `conflict` for the actor.
    pub async fn remove_user(&self, open: &OpenTenant, actor: &Actor, user: Uuid) -> Result<()> {
        let outcome = self.try_remove(open, actor, user).await;
        actor.audit(&open.tenant, "user-delete", &user.to_string(), &[], &outcome);
        outcome
    }

    async fn try_remove(&self, open: &OpenTenant, actor: &Actor, id: Uuid) -> Result<()> {
        let known = users::find(&open.system, &Lookup::Id(id)).await?.ok_or_else(no_user)?.user;
        let free = self.free(open).await?;
        actor.require_reach(&known.group, &free)?;
        if actor.is(id) {
            let message = "You cannot delete yourself here; DELETE /auth/me does that";
            return Err(Error::new(Reason::Conflict, message));
        }
        let (ddl, actor) = (open.system.ddl(), Arc::new(actor.clone()));
        let context = actor.context.clone();
        let removed = open.system.transaction(&context, move |transaction| {
            let (ddl, actor, free) = (ddl.clone(), Arc::clone(&actor), free.clone());
            Box::pin(async move {
                if !actor.is_operator() {
                    removal::refuse_last_administrator(transaction, &ddl, id).await?;
                }
                let gone = || store::Error::from(no_user());
                users::lock(transaction, &ddl, id).await?.ok_or_else(gone)?;
                let before = users::find_in(transaction, &ddl, &Lookup::Id(id)).await?.ok_or_else(gone)?.user;
                actor.require_reach(&before.group, &free)?;
                let ended = sessions::end_all(transaction, &ddl, id, None).await?;
                removal::remove(transaction, &ddl, id).await?;
                Ok(ended)
            })
        });
        self.sessions.end(&removed.await?);
        self.keys.doubt_of(id);
        Ok(())
    }

    /// Checks what is to change of a user and hashes the password.
    async fn check(&self, open: &OpenTenant, known: &User, change: &UserChange) -> Result<Checked> {
        let mut values = Vec::new();
        let mut checked = Checked {
            values: Vec::new(),
            group: None,
            status: change.status,
            ends_sessions: change.password.is_some() || change.status == Some(UserStatus::Suspended),
            voids_links: change.password.is_some() || change.email.is_sent(),
            resets_second_factor: change.reset_second_factor,
        };
        if let Some(username) = &change.username {
            fitness::check_username(username)?;
            values.push(("username_key", Value::from(username.to_ascii_lowercase())));
            values.push(("username", Value::from(username.as_str())));
        }
        let email = match &change.email {
            Field::Kept => known.email.as_deref(),
            sent => sent.value().map(String::as_str),
        };
        if change.email.is_sent() {
            email.map(fitness::check_email).transpose()?;
            values.push(("email_key", Value::from(email.map(str::to_ascii_lowercase))));
            values.push(("email", Value::from(email)));
        }
        if let Some(name) = &change.name {
            fitness::check_name(name)?;
            values.push(("name", Value::from(name.as_str())));
        }
        let same = match (email, known.email.as_deref()) {
            (Some(new), Some(old)) => new.eq_ignore_ascii_case(old),
            (new, old) => new == old,
        };
        match change.email_verified {
            Some(true) if email.is_none() => {
                let message = "A user without an e-mail address has none that could be confirmed";
                return Err(Error::new(Reason::FieldInvalid, message).at("email_verified"));
            }
            Some(true) if same && known.email_verified_at.is_some() => {}
            Some(true) => values.push(("email_verified_at", Value::from(kernel::time::now()))),
            Some(false) => values.push(("email_verified_at", Value::Null)),
            None if !same => values.push(("email_verified_at", Value::Null)),
            None => {}
        }
        if let Some(group) = &change.group {
            let group = find_group(open, group).await?;
            values.push(("group_id", Value::from(group.id)));
            checked.group = Some(group.id);
        }
        if let Some(status) = change.status {
            values.push(("status", Value::from(status.word())));
        }
        if let Some(password) = &change.password {
            fitness::check_password(password, change.username.as_deref().unwrap_or(&known.username), email)?;
            values.push(("password", Value::from(self.hasher.hash(password).await?)));
        }
        if change.pin.is_sent() {
            let pin = change.pin.value();
            pin.map(check_pin).transpose()?;
            values.push(("pin_code", Value::from(pin.map(|pin| pin_hash(&open.key, known.id, pin)))));
        }
        if change.login_string.is_sent() {
            let text = change.login_string.value();
            text.map(check_card).transpose()?;
            values.push(("login_string", Value::from(text.map(|text| card_hash(&open.key, text)))));
        }
        if let Some(own) = &change.toolkit_overrides {
            check_overrides(own)?;
            values.push(("toolkit_overrides", overrides::value(own)));
        }
        checked.values = values;
        Ok(checked)
    }
}

impl UserChange {
    /// The names of what changes.
    fn fields(&self) -> Vec<&'static str> {
        let all = [
            ("username", self.username.is_some()),
            ("email", self.email.is_sent()),
            ("name", self.name.is_some()),
            ("group", self.group.is_some()),
            ("status", self.status.is_some()),
            ("password", self.password.is_some()),
            ("email_verified", self.email_verified.is_some()),
            ("pin", self.pin.is_sent()),
            ("login_string", self.login_string.is_sent()),
            ("second_factor", self.reset_second_factor),
            ("toolkit_overrides", self.toolkit_overrides.is_some()),
        ];
        all.into_iter().filter_map(|(name, changes)| changes.then_some(name)).collect()
    }
}

/// Places in toolkits that one user may have of the own.
const MOST_OVERRIDES: usize = 50;
const MOST_NAME: usize = 64;

fn check_overrides(own: &[ToolkitOverride]) -> Result<()> {
    let invalid = |field: String, message: &str| Err(Error::new(Reason::FieldInvalid, message).at(field));
    if own.len() > MOST_OVERRIDES {
        return invalid("toolkit_overrides".to_owned(), &format!("At most {MOST_OVERRIDES} are kept"));
    }
    for (index, one) in own.iter().enumerate() {
        let at = |name: &str| format!("toolkit_overrides[{index}].{name}");
        for (name, text) in [("toolkit", &one.toolkit), ("group", &one.group)] {
            if text.is_empty() || text.len() > MOST_NAME || text.chars().any(char::is_control) {
                return invalid(at(name), &format!("A name has 1 to {MOST_NAME} characters"));
            }
        }
        if own[..index].iter().any(|other| other.toolkit == one.toolkit) {
            return invalid(at("toolkit"), "This toolkit is there twice");
        }
    }
    Ok(())
}

/// Refuses what would lock the caller out, and what the caller's own routes ask a proof for.
fn refuse_for_oneself(change: &UserChange) -> Result<()> {
    let (field, message) = if change.status == Some(UserStatus::Suspended) {
        ("status", "You cannot suspend yourself")
    } else if change.password.is_some() {
        ("password", "Your own password is changed at POST /auth/password/change")
    } else if change.reset_second_factor {
        ("second_factor", "Your own second factor is removed at POST /auth/totp/disable")
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::Conflict, message).at(field))
}
