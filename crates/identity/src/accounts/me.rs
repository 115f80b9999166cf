//! The own account: seen, changed, removed.

use std::sync::Arc;

use kernel::{Error, Principal, Reason, Result, Secret, Tenant, ability};
use store::Value;

use super::{Profile, ProfileChange, proof::Otherwise};
use crate::{
    Identity, User,
    entry::{Visitor, refused},
    fitness,
    second_factor::{self, Proof},
    tables::{
        profiles, removal, sessions,
        users::{self, Lookup},
    },
    users::taken,
};

/// All that users see of themselves.
pub(crate) struct OwnAccount {
    pub(crate) user: User,
    pub(crate) profile: Profile,
    pub(crate) second_factor: bool,
    pub(crate) has_password: bool,
}

/// What of an account shall be otherwise; what is absent stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountChange {
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) profile: ProfileChange,
}

/// What is sent to remove an account.
pub(crate) struct Farewell {
    /// From users who have one.
    pub(crate) password: Option<Secret>,
    /// The user name, from users who have no password.
    pub(crate) confirm: Option<String>,
    /// From users who have a second factor.
    pub(crate) second_factor: Option<Proof>,
}

impl Identity {
    /// The caller's account. Errors: 403 `ability_missing`, `scope_missing`, `session_required`.
    pub(crate) async fn own_account(&self, tenant: &Tenant, caller: &Principal) -> Result<OwnAccount> {
        caller.require(ability::ACCOUNT_READ)?;
        self.account(tenant, caller).await
    }

    /// Changes what is given of the caller's account, and answers it as it is then.
    ///
    /// Errors: 403; 400 `field_invalid`; 409 `username_taken`; 422 `username_unfit`.
    pub(crate) async fn change_own_account(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        change: AccountChange,
    ) -> Result<OwnAccount> {
        caller.require(ability::ACCOUNT_WRITE)?;
        require_user(caller)?;
        let mut columns: Vec<(&'static str, Value)> = Vec::new();
        if let Some(name) = change.name {
            fitness::check_name(&name)?;
            columns.push(("name", name.into()));
        }
        let renamed = change.username.is_some();
        if let Some(username) = change.username {
            // One logs in by it.
            caller.session()?;
            fitness::check_username(&username)?;
            columns.extend([("username_key", username.to_ascii_lowercase().into()), ("username", username.into())]);
        }
        let profile = change.profile.checked()?;
        let open = self.tenants.open(tenant).await?;
        let (ddl, id) = (open.system.ddl(), caller.id);
        let context = visitor.context(caller.user());
        let changed = open.system.transaction(&context, move |transaction| {
            let (ddl, columns, profile) = (ddl.clone(), columns.clone(), profile.clone());
            Box::pin(async move {
                if users::lock(transaction, &ddl, id).await?.is_none() {
                    return Err(Error::plain(Reason::SessionInvalid).into());
                }
                if !columns.is_empty() {
                    users::set(transaction, &ddl, id, columns).await?;
                }
                profiles::change(transaction, &ddl, id, &profile).await
            })
        });
        changed.await.map_err(taken)?;
        self.sessions.doubt(|principal| principal.id == id);
        self.keys.doubt_of(id);
        if renamed {
            tracing::info!(
                target: "audit", action = "rename", outcome = "ok", tenant = tenant.name, user = caller.number,
                client = %visitor.client, request_id = %visitor.request,
            );
        }
        self.account(tenant, caller).await
    }

    async fn account(&self, tenant: &Tenant, caller: &Principal) -> Result<OwnAccount> {
        require_user(caller)?;
        let open = self.tenants.open(tenant).await?;
        let stored = users::find(&open.system, &Lookup::Id(caller.id)).await?;
        let users::Stored { user, password, .. } = stored.ok_or_else(|| Error::plain(Reason::SessionInvalid))?;
        let (profile, second_factor) = profiles::read(&open.system, caller.id).await?;
        Ok(OwnAccount { user, profile, second_factor, has_password: password.is_some() })
    }

    /// Removes the caller with credentials, sessions, keys and profile. What the tenant's tables say of the user's number
    /// stays.
    ///
    /// Errors: 403 `session_required`; 400 `field_missing`, `field_invalid`; 401 `credentials_invalid`, `code_invalid`; 409
    /// `last_administrator`; 429; 503.
    pub(crate) async fn delete_own_account(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        farewell: Farewell,
    ) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        let password = ("password", farewell.password.as_ref());
        let proved = self.prove(&open, visitor, caller, password, Otherwise::Name(farewell.confirm.as_deref())).await?;
        let (ddl, id, still) = (open.system.ddl(), caller.id, proved.still());
        let (owner, proof) = (second_factor::Owner::new(&open, id), farewell.second_factor);
        let is_tried = proof.is_some();
        let context = visitor.context(caller.user());
        let removing = open.system.transaction(&context, move |transaction| {
            let (ddl, still, owner, proof) = (ddl.clone(), still.clone(), owner.clone(), proof.clone());
            Box::pin(async move {
                removal::refuse_last_administrator(transaction, &ddl, id).await?;
                match users::lock(transaction, &ddl, id).await? {
                    Some(locked) if still(&locked) => {}
                    _ => return Err(refused().into()),
                }
                second_factor::require(&owner, transaction, &ddl, proof.as_ref()).await?;
                let ended = sessions::end_all(transaction, &ddl, id, None).await?;
                removal::remove(transaction, &ddl, id).await?;
                Ok(ended)
            })
        });
        let removing = async { Ok(removing.await?) };
        let ended = if is_tried { self.with_code(tenant, visitor, caller, removing).await? } else { removing.await? };
        self.sessions.end(&ended);
        self.keys.doubt_of(id);
        tracing::info!(
            target: "audit", action = "delete-account", outcome = "ok", status = 204, tenant = tenant.name, user = caller.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }
}

/// A key that acts as no user has no account.
fn require_user(caller: &Principal) -> Result<()> {
    match caller.user() {
        Some(_) => Ok(()),
        None => Err(Error::new(Reason::SessionRequired, "This API key acts as no user; there is no account to show")),
    }
}
