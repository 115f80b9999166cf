//! Users of another program, moved in by the hundred.

use std::collections::{HashMap, HashSet};

use kernel::{Error, Group, Reason, Result};
use store::OpenTenant;
use uuid::Uuid;

use super::Actor;
use crate::{
    Identity, NewUser, fitness,
    tables::{
        groups,
        users::{self, Fresh},
    },
    users::{email_taken, taken},
};

/// What became of a user who was to be moved in.
#[derive(Debug)]
pub enum MovedIn {
    /// The user is there now, or would be.
    Added,
    /// Somebody of the name was there already and stays as they are.
    Present,
    /// The user is unfit.
    Refused(Error),
}

impl Identity {
    /// Moves in users of another program, a few hundred at once. Whoever's name is there already is passed over, so that
    /// the same users can be moved in again. With `dry` nothing is written and no password hashed.
    ///
    /// Errors: 503; what is wrong with a single user is said of it alone.
    pub async fn import_users(
        &self,
        open: &OpenTenant,
        actor: &Actor,
        users: Vec<NewUser>,
        dry: bool,
    ) -> Result<Vec<MovedIn>> {
        let groups: HashMap<_, _> =
            groups::list(&open.system).await?.into_iter().map(|group| (group.name.clone(), group)).collect();
        let free = self.free(open).await?;
        let keys = |users: &[NewUser], key: fn(&NewUser) -> Option<&String>| -> Vec<String> {
            users.iter().filter_map(key).map(|text| text.to_ascii_lowercase()).collect()
        };
        let names = keys(&users, |user| Some(&user.username));
        let addresses = keys(&users, |user| user.email.as_ref());
        let (mut names, mut addresses) = users::known(&open.system, names, addresses).await?;
        let (mut outcomes, mut fresh) = (Vec::with_capacity(users.len()), Vec::new());
        for user in users {
            let mut claims = (&mut names, &mut addresses);
            let outcome = match judge(&user, &groups, &free, &mut claims) {
                Ok(None) => MovedIn::Present,
                Err(error) => MovedIn::Refused(error),
                Ok(Some(_)) if dry => MovedIn::Added,
                Ok(Some(group)) => {
                    fresh.push((outcomes.len(), self.hashed(user, group).await?));
                    MovedIn::Added
                }
            };
            outcomes.push(outcome);
        }
        self.store(open, actor, fresh, &mut outcomes).await?;
        Ok(outcomes)
    }

    async fn hashed(&self, user: NewUser, group: &Group) -> Result<Fresh> {
        let password = match (&user.password, user.password_hash) {
            (Some(password), _) => Some(self.hasher.hash(password).await?),
            (None, hash) => hash.as_ref().map(|hash| hash.expose().to_owned()),
        };
        Ok(Fresh {
            id: Uuid::now_v7(),
            name: user.name.unwrap_or_else(|| user.username.clone()),
            username: user.username,
            email: user.email,
            password,
            group: group.id,
            created_at: kernel::time::now(),
        })
    }

    /// Stores all of them in one transaction, or else each in one of its own, where somebody came in between.
    async fn store(
        &self,
        open: &OpenTenant,
        actor: &Actor,
        fresh: Vec<(usize, Fresh)>,
        outcomes: &mut [MovedIn],
    ) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = fresh.iter().map(|(_, user)| user.clone()).collect();
        match add_all(open, actor, all).await {
            Err(store::Error::Unique(_)) => {}
            other => return Ok(other?),
        }
        for (index, user) in fresh {
            outcomes[index] = match add_all(open, actor, vec![user]).await.map_err(taken) {
                Ok(()) => MovedIn::Added,
                Err(error) if error.reason == Reason::UsernameTaken => MovedIn::Present,
                Err(error) if error.reason == Reason::EmailTaken => MovedIn::Refused(error),
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }
}

async fn add_all(open: &OpenTenant, actor: &Actor, fresh: Vec<Fresh>) -> store::Result<()> {
    let ddl = open.system.ddl();
    open.system
        .transaction(&actor.context, move |transaction| {
            let (ddl, fresh) = (ddl.clone(), fresh.clone());
            Box::pin(async move {
                for user in fresh {
                    users::add(transaction, &ddl, user).await?;
                }
                Ok(())
            })
        })
        .await
}

/// The group of a user who may come in; none where the name is there already. What the user claims is taken from then on.
fn judge<'g>(
    user: &NewUser,
    groups: &'g HashMap<String, Group>,
    free: &str,
    (names, addresses): &mut (&mut HashSet<String>, &mut HashSet<String>),
) -> Result<Option<&'g Group>> {
    let name = user.username.to_ascii_lowercase();
    if names.contains(&name) {
        return Ok(None);
    }
    fitness::check_username(&user.username)?;
    user.email.as_deref().map(fitness::check_email).transpose()?;
    user.name.as_deref().map(fitness::check_name).transpose()?;
    if user.password.is_some() && user.password_hash.is_some() {
        let message = "A user has a password or its hash, not both";
        return Err(Error::new(Reason::FieldInvalid, message).at("password_hash"));
    }
    if let Some(password) = &user.password {
        fitness::check_password(password, &user.username, user.email.as_deref())?;
    }
    if let Some(hash) = &user.password_hash {
        crate::hash::check_imported(hash)?;
    }
    let group = user.group.as_deref().unwrap_or(free);
    let missing = || Error::new(Reason::FieldInvalid, format!("There is no group {group:?}")).at("group");
    let group = groups.get(group).ok_or_else(missing)?;
    if let Some(email) = &user.email
        && !addresses.insert(email.to_ascii_lowercase())
    {
        return Err(email_taken());
    }
    names.insert(name);
    Ok(Some(group))
}
