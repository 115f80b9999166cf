//! A user who is logged in links an outside account.

use kernel::{Error, Principal, Reason, Result, Tenant};
use store::{OpenTenant, Value};

use super::{
    kept::Arrival,
    newcomer::{new_account, require_open},
};
use crate::{
    Identity, UserStatus,
    anonymous::GROUP as ANONYMOUS,
    entry::{Visitor, refused},
    tables::{anonymous, groups, linked_accounts, users},
};

/// An account that was linked.
pub(crate) struct NewLink {
    pub(crate) provider: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

impl Identity {
    /// Links an account to the caller. An anonymous user becomes a registered one by it.
    ///
    /// Errors: 409 `already_linked`; 403 `registration_closed` for anonymous users; 503.
    pub(super) async fn link(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        visitor: &Visitor,
        caller: &Principal,
        arrival: Arrival,
    ) -> Result<NewLink> {
        let id = caller.id;
        let context = visitor.context(caller.user());
        match arrival.owner(open).await? {
            Some(owner) if owner.user == id => {
                linked_accounts::used(&open.system, &context, owner.link, arrival.told(open, owner.link)?).await?;
            }
            Some(_) => return Err(Error::plain(Reason::AlreadyLinked)),
            None => {
                let account = new_account(open, &arrival, id)?;
                let registered = self.group_when_linked(tenant, open, caller).await?;
                let (ddl, before) = (open.system.ddl(), caller.group.id);
                let added = open.system.transaction(&context, move |transaction| {
                    let (ddl, account) = (ddl.clone(), account.clone());
                    Box::pin(async move {
                        let locked = users::lock(transaction, &ddl, id).await?;
                        locked.filter(|locked| locked.status == UserStatus::Active).ok_or_else(refused)?;
                        // Whom the operator put into that group with a credential stays there.
                        if let Some(group) = registered
                            && anonymous::is(transaction, &ddl, id, before).await?
                        {
                            users::set(transaction, &ddl, id, vec![("group_id", Value::from(group))]).await?;
                        }
                        linked_accounts::add(transaction, &ddl, account).await
                    })
                });
                match added.await {
                    Err(store::Error::Unique(_)) => match arrival.owner(open).await? {
                        Some(owner) if owner.user == id => {}
                        Some(_) => return Err(Error::plain(Reason::AlreadyLinked)),
                        None => return Err(another_of_provider()),
                    },
                    added => added?,
                }
                self.sessions.doubt(|principal| principal.id == id);
            }
        }
        Ok(NewLink { provider: arrival.provider, email: arrival.profile.email, name: arrival.profile.name })
    }

    /// The group that an anonymous user moves to; none for others.
    async fn group_when_linked(&self, tenant: &Tenant, open: &OpenTenant, caller: &Principal) -> Result<Option<i64>> {
        if caller.group.name != ANONYMOUS {
            return Ok(None);
        }
        let settings = self.settings.of(tenant).await?;
        require_open(&settings)?;
        let name = &settings.default_group;
        let missing = || Error::internal(format!("the default group {name:?} does not exist"));
        Ok(Some(groups::find(&open.system, name).await?.ok_or_else(missing)?.id))
    }
}

pub(super) fn another_of_provider() -> Error {
    let message = "The user has another account of this provider linked; remove that link first";
    Error::new(Reason::AlreadyLinked, message)
}
