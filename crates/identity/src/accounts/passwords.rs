//! Passwords: forgotten, reset by a link, changed.

use std::sync::Arc;

use kernel::{Error, Principal, Reason, Result, Secret, Tenant};
use store::Value;

use super::proof::Otherwise;
use crate::{
    Identity, User, UserStatus,
    entry::{Visitor, refused},
    fitness,
    letters::{Draft, Facts, Kind},
    tables::{
        one_time_tokens::{self, Purpose},
        sessions,
        users::{self, Lookup},
    },
    tokens,
};

impl Identity {
    /// Asks for a letter with a link to set another password. Nothing tells whether anybody has the address.
    ///
    /// Errors: 422 `email_unfit`; 503.
    pub(crate) async fn forgot_password(&self, tenant: &Tenant, visitor: &Visitor, email: &str) -> Result<()> {
        fitness::check_email(email)?;
        self.letters
            .post(tenant, Draft { kind: Kind::ResetPassword, address: email, user: None, facts: Facts::of(visitor) })
            .await?;
        tracing::info!(
            target: "audit", action = "forgot-password", outcome = "ok", status = 202, tenant = tenant.name,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    /// Sets a password by the token of a letter, which proves the address as well, and ends all sessions of the user. A
    /// password that is refused does not spend the token.
    ///
    /// Errors: 410 `token_spent`; 422 `password_unfit`; 503.
    pub(crate) async fn reset_password(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        token: &Secret,
        password: &Secret,
    ) -> Result<()> {
        let hash = tokens::hex(&tokens::hash(token.expose()));
        // Whoever comes with the same token waits, and then needs no hash to be refused.
        let _pass = self.spending.enter(hash.clone()).await;
        let open = self.tenants.open(tenant).await?;
        let found = one_time_tokens::find(&open.system, &hash).await?;
        let found = found.filter(|found| found.purpose == Purpose::Reset).ok_or_else(spent)?;
        let stored = users::find(&open.system, &Lookup::Id(found.user)).await?;
        let user = stored.ok_or_else(spent)?.user;
        // The link to a former address is worth nothing.
        if user.status != UserStatus::Active || !is_of(&user, &found.email) {
            return Err(spent());
        }
        fitness::check_password(password, &user.username, user.email.as_deref())?;
        let new = self.hasher.hash(password).await?;
        let (ddl, id, number) = (open.system.ddl(), user.id, user.number);
        let unproved = user.email_verified_at.is_none();
        let context = visitor.context(Some(number));
        let ended = open.system.transaction(&context, move |transaction| {
            let (ddl, hash, new) = (ddl.clone(), hash.clone(), new.clone());
            Box::pin(async move {
                let locked = users::lock(transaction, &ddl, id).await?;
                if !locked.is_some_and(|locked| locked.status == UserStatus::Active)
                    || !one_time_tokens::spend(transaction, &ddl, &hash).await?
                {
                    return Err(spent().into());
                }
                let mut values = vec![("password", Value::from(new))];
                if unproved {
                    values.push(("email_verified_at", kernel::time::now().into()));
                }
                users::set(transaction, &ddl, id, values).await?;
                one_time_tokens::void_all(transaction, &ddl, id).await?;
                sessions::end_all(transaction, &ddl, id, None).await
            })
        });
        self.sessions.end(&ended.await?);
        tracing::info!(
            target: "audit", action = "reset-password", outcome = "ok", status = 204, tenant = tenant.name, user = number,
            client = %visitor.client, request_id = %visitor.request,
        );
        self.tell(tenant, visitor, (id, user.email.as_deref()), Kind::PasswordChanged, None).await;
        Ok(())
    }

    /// Changes the caller's password and ends the other sessions. Users who have none, because they log in by an outside
    /// account, set one with a session of the last few minutes.
    ///
    /// Errors: 403 `session_required`, `login_too_old`; 400 `field_missing`; 401 `credentials_invalid`; 422
    /// `password_unfit`; 429; 503.
    pub(crate) async fn change_password(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        current: Option<&Secret>,
        password: &Secret,
    ) -> Result<()> {
        let own = caller.session()?;
        let open = self.tenants.open(tenant).await?;
        let sent = ("current_password", current);
        let proved = self.prove(&open, visitor, caller, sent, Otherwise::FreshSession).await?;
        fitness::check_password(password, &proved.user.username, proved.user.email.as_deref())?;
        let new = self.hasher.hash(password).await?;
        let (ddl, id, still) = (open.system.ddl(), caller.id, proved.still());
        let context = visitor.context(caller.user());
        let ended = open.system.transaction(&context, move |transaction| {
            let (ddl, still, new) = (ddl.clone(), still.clone(), new.clone());
            Box::pin(async move {
                match users::lock(transaction, &ddl, id).await? {
                    Some(locked) if still(&locked) => {}
                    _ => return Err(refused().into()),
                }
                users::set(transaction, &ddl, id, vec![("password", Value::from(new))]).await?;
                one_time_tokens::void_all(transaction, &ddl, id).await?;
                sessions::end_all(transaction, &ddl, id, Some(own)).await
            })
        });
        self.sessions.end(&ended.await?);
        tracing::info!(
            target: "audit", action = "change-password", outcome = "ok", status = 204, tenant = tenant.name, user = caller.number,
            first = !proved.by_password(), client = %visitor.client, request_id = %visitor.request,
        );
        self.tell(tenant, visitor, (id, proved.user.email.as_deref()), Kind::PasswordChanged, None).await;
        Ok(())
    }
}

/// Whether an address is that of a user.
pub(super) fn is_of(user: &User, address: &str) -> bool {
    user.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(address))
}

/// The one answer to a token that is no good.
pub(super) fn spent() -> Error {
    Error::plain(Reason::TokenSpent)
}
