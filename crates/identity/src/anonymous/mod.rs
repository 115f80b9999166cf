//! Users without a credential, and how they become registered ones.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kernel::{Error, Principal, Reason, Result, Tenant, TenantId, WriteContext, time::Timestamp};
use parking_lot::Mutex;
use store::{OpenTenant, Value};
use uuid::Uuid;

use crate::{
    ConfirmEmail, Identity, NewUser, Registration, User,
    entry::{Entered, Method, Visitor, add_with_session},
    fitness,
    identity::Claim,
    tables::{
        anonymous, groups,
        users::{self, Fresh, Lookup},
    },
    users::{finished, taken},
};

/// The group of users without a credential.
pub(crate) const GROUP: &str = "anonymous";

/// Tenants to which such users came of late.
pub(crate) type Touched = Mutex<HashMap<TenantId, Arc<Tenant>>>;

impl Identity {
    /// Makes a user without a credential, and the one session there will ever be unless it is upgraded.
    ///
    /// Errors: 403 `registration_closed`; 503.
    pub(crate) async fn begin_anonymously(&self, tenant: &Arc<Tenant>, visitor: &Visitor) -> Result<Entered> {
        if self.settings.of(tenant).await?.anonymous == Registration::Closed {
            return Err(closed());
        }
        let open = self.tenants.open(tenant).await?;
        let group = groups::find(&open.system, GROUP).await?.ok_or_else(closed)?;
        let id = Uuid::now_v7();
        // The random half of the id.
        let username = format!("anonymous-{:016x}", id.as_u64_pair().1);
        let fresh = Fresh {
            id,
            name: username.clone(),
            username,
            email: None,
            password: None,
            group: group.id,
            created_at: kernel::time::now(),
        };
        let mut user = finished(fresh.clone(), group, 0);
        let (session, tokens) = self.new_session(tenant, visitor, &user, Method::Anonymous).await?;
        let ddl = open.system.ddl();
        let context = visitor.context(None);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh, session) = (ddl.clone(), fresh.clone(), session.clone());
            Box::pin(async move { add_with_session(transaction, &ddl, fresh, session).await })
        });
        user.number = added.await?;
        self.anonymous.lock().entry(tenant.id).or_insert_with(|| Arc::clone(tenant));
        tracing::info!(
            target: "audit", action = "register-anonymously", outcome = "ok", status = 201, tenant = tenant.name, user = user.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(Entered { user, tokens })
    }

    /// Makes a registered user of the caller, who keeps id, number and session. Where addresses must be confirmed the user
    /// has none until that is done.
    ///
    /// Errors: 409 `not_anonymous`; otherwise as [`Identity::register`].
    pub(crate) async fn upgrade(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        new: NewUser,
    ) -> Result<User> {
        let settings = self.settings.of(tenant).await?;
        if settings.registration == Registration::Closed {
            return Err(closed());
        }
        // One's own turn comes before the name's and the address's, so that no two wait for each other.
        let _own = self.registering.enter((tenant.id, Claim::User(caller.id))).await;
        let _name = self.registering.enter((tenant.id, Claim::Username(new.username.to_ascii_lowercase()))).await;
        let _address = match &new.email {
            Some(email) => Some(self.registering.enter((tenant.id, Claim::Email(email.to_ascii_lowercase()))).await),
            None => None,
        };
        let open = self.tenants.open(tenant).await?;
        let stored = users::find(&open.system, &Lookup::Id(caller.id)).await?.ok_or_else(not_anonymous)?;
        if stored.user.group.name != GROUP || stored.password.is_some() {
            return Err(not_anonymous());
        }
        let (new, unconfirmed) = match settings.confirm_email {
            ConfirmEmail::On => without_address(new)?,
            ConfirmEmail::Off => (new, None),
        };
        let (fresh, group) = self.prepare(&open, new).await?;
        let upgraded = Fresh { id: caller.id, created_at: stored.user.created_at, ..fresh };
        self.store_upgraded(&open, visitor, caller, &upgraded, stored.user.group.id).await?;
        self.sessions.doubt(|principal| principal.id == caller.id);
        tracing::info!(
            target: "audit", action = "upgrade", outcome = "ok", tenant = tenant.name, user = caller.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        if let Some(address) = &unconfirmed {
            self.ask_to_confirm(tenant, visitor, caller.id, address).await;
        }
        Ok(finished(upgraded, group, caller.number))
    }

    async fn store_upgraded(
        &self,
        open: &OpenTenant,
        visitor: &Visitor,
        caller: &Principal,
        user: &Fresh,
        group: i64,
    ) -> Result<()> {
        let values = vec![
            ("username", Value::from(&*user.username)),
            ("username_key", Value::from(user.username.to_ascii_lowercase())),
            ("email", Value::from(user.email.as_deref())),
            ("email_key", Value::from(user.email.as_deref().map(str::to_ascii_lowercase))),
            ("name", Value::from(&*user.name)),
            ("password", Value::from(user.password.as_deref())),
            ("group_id", Value::from(user.group)),
        ];
        let (ddl, id) = (open.system.ddl(), user.id);
        let context = visitor.context(caller.user());
        let stored = open.system.transaction(&context, move |transaction| {
            let (ddl, values) = (ddl.clone(), values.clone());
            Box::pin(async move {
                users::lock(transaction, &ddl, id).await?;
                if !anonymous::is(transaction, &ddl, id, group).await? {
                    return Err(not_anonymous().into());
                }
                users::set(transaction, &ddl, id, values).await
            })
        });
        stored.await.map_err(taken)
    }

    /// Removes users without a credential to whom nobody can come back, where the settings say so, in tenants to which
    /// such users came of late. [`Identity::job`] does it now and then.
    pub async fn sweep_anonymous(&self) {
        let touched = std::mem::take(&mut *self.anonymous.lock());
        for tenant in touched.into_values() {
            match self.sweep_anonymous_of(&tenant).await {
                Ok(Some(0) | None) => {}
                Ok(Some(count)) => {
                    tracing::info!(tenant = tenant.name, count, "abandoned anonymous users were removed");
                }
                Err(error) => tracing::warn!(tenant = tenant.name, %error, "anonymous users were not removed"),
            }
        }
    }

    /// How many went; none where they are kept for ever.
    async fn sweep_anonymous_of(&self, tenant: &Arc<Tenant>) -> Result<Option<u64>> {
        let Some(lifetime) = self.settings.of(tenant).await?.anonymous_lifetime else { return Ok(None) };
        let open = self.tenants.open(tenant).await?;
        let Some(group) = groups::find(&open.system, GROUP).await? else { return Ok(None) };
        let before = before(lifetime.0);
        let ddl = open.system.ddl();
        let context = WriteContext::system();
        let swept = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move { anonymous::sweep(transaction, &ddl, group.id, before).await })
        });
        let count = swept.await?;
        // Those who are not old enough yet, and those beyond one batch, come later.
        self.anonymous.lock().entry(tenant.id).or_insert_with(|| Arc::clone(tenant));
        Ok(Some(count))
    }
}

/// A user without the address that must be confirmed first: whether it is taken must not show. Errors: 422.
pub(crate) fn without_address(new: NewUser) -> Result<(NewUser, Option<String>)> {
    new.email.as_deref().map(fitness::check_email).transpose()?;
    if let Some(password) = &new.password {
        fitness::check_password(password, &new.username, new.email.as_deref())?;
    }
    let email = new.email.clone();
    Ok((NewUser { email: None, ..new }, email))
}

fn before(lifetime: Duration) -> Timestamp {
    kernel::time::now().checked_sub(lifetime).unwrap_or(Timestamp::MIN)
}

fn closed() -> Error {
    Error::plain(Reason::RegistrationClosed)
}

fn not_anonymous() -> Error {
    Error::plain(Reason::NotAnonymous)
}
