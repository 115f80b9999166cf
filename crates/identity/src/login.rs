//! Coming in and going out: log in, register, log out, end the sessions of others.

use std::{sync::Arc, time::Instant};

use kernel::{Error, Principal, Reason, Result, Secret, Tenant};
use store::OpenTenant;
use uuid::Uuid;

use crate::{
    Identity, NewUser, Registration, UserStatus,
    backoff::Target,
    entry::{Entered, Method, Visitor, add_with_session, refused},
    fitness,
    identity::Claim,
    password::Verdict,
    tables::{
        sessions,
        users::{self, Locked, Lookup},
    },
    users::{finished, lookup, taken},
};

/// Somebody who tries to log in.
pub(crate) struct Attempt<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) visitor: &'a Visitor,
    pub(crate) method: Method,
    /// The name or address, where the method has one.
    pub(crate) name: Option<&'a str>,
    /// Whose failures slow it down.
    pub(crate) target: Target,
}

impl Identity {
    /// Tries to log in, if that is allowed and the last failure is not too near, and writes down how it went.
    pub(crate) async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        allowed: Result<()>,
        trying: impl Future<Output = Result<Entered>>,
    ) -> Result<Entered> {
        let Attempt { tenant, visitor, method, name, target } = *attempt;
        let outcome = match allowed.and_then(|()| self.backoff.attempt(target, Instant::now())) {
            Ok(()) => {
                let outcome = trying.await;
                self.backoff.settle(target, &outcome);
                outcome
            }
            Err(error) => Err(error),
        };
        let user = outcome.as_ref().ok().map(|entered| entered.user.number);
        let reason = outcome.as_ref().err().map_or("ok", |error| error.reason.word());
        // What cannot be a name may be a password in the wrong field.
        let username =
            name.filter(|name| fitness::check_username(name).or_else(|_| fitness::check_email(name)).is_ok());
        tracing::info!(
            target: "audit", action = "login", outcome = reason, tenant = tenant.name, user, username,
            method = method.word(), client = %visitor.client, request_id = %visitor.request,
        );
        outcome
    }

    /// Logs a user in by name or address and password.
    ///
    /// Errors: 401 `credentials_invalid`, which is the same, after the same work, whatever was wrong; 401
    /// `second_factor_required`; 429; 503.
    pub(crate) async fn log_in(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        password: &Secret,
    ) -> Result<Entered> {
        let target = Target::new(tenant.id, &name.to_ascii_lowercase(), visitor.client);
        let attempt = Attempt { tenant, visitor, method: Method::Password, name: Some(name), target };
        self.attempt(&attempt, Ok(()), self.try_password(tenant, visitor, name, password)).await
    }

    async fn try_password(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        password: &Secret,
    ) -> Result<Entered> {
        let open = self.tenants.open(tenant).await?;
        let mut again = true;
        loop {
            let stored = users::find(&open.system, &lookup(name)).await?;
            let known = stored.as_ref().and_then(|stored| stored.password.as_deref());
            let verdict = self.hasher.compare(password, known).await?;
            let (user, mut known) = match stored {
                Some(users::Stored { user, password: Some(known), .. })
                    if verdict != Verdict::Wrong && user.status == UserStatus::Active =>
                {
                    (user, known)
                }
                _ => return Err(refused()),
            };
            if verdict == Verdict::Outdated {
                known = self.renewed_hash(&open, user.id, password, known).await;
            }
            let still = move |locked: &Locked| locked.password.as_ref() == Some(&known);
            match self.enter(tenant, &open, visitor, user, Method::Password, still).await {
                // The password has changed meanwhile, or another log in has renewed its hash first.
                Err(error) if error.reason == Reason::CredentialsInvalid && again => again = false,
                outcome => return outcome,
            }
        }
    }

    /// Renews a hash that was made otherwise than is in force; answers the one to go on with. A hash that cannot be
    /// renewed is no reason for refusing a log-in.
    async fn renewed_hash(&self, open: &OpenTenant, user: Uuid, password: &Secret, known: String) -> String {
        let renewed = async {
            let hash = self.hasher.hash(password).await?;
            users::renew_hash(&open.system, user, known.clone(), hash.clone()).await?;
            Ok::<_, Error>(hash)
        };
        renewed.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a password's hash was not renewed");
            known
        })
    }

    /// Makes a user and the first session in one transaction.
    ///
    /// Errors: 403 `registration_closed`, otherwise as [`Identity::create_user`].
    pub(crate) async fn register(&self, tenant: &Arc<Tenant>, visitor: &Visitor, new: NewUser) -> Result<Entered> {
        let settings = self.settings.of(tenant).await?;
        if settings.registration == Registration::Closed {
            return Err(Error::plain(Reason::RegistrationClosed));
        }
        // Whoever wants the same name or address waits for the first, and then needs no hash to be refused. All take
        // the name before the address, so that no two wait for each other.
        let name = Claim::Username(new.username.to_ascii_lowercase());
        let _name = self.registering.enter((tenant.id, name)).await;
        let _address = match &new.email {
            Some(email) => Some(self.registering.enter((tenant.id, Claim::Email(email.to_ascii_lowercase()))).await),
            None => None,
        };
        let open = self.tenants.open(tenant).await?;
        let (fresh, group) = self.prepare(&open, new).await?;
        // The number is given inside the transaction; the token does not hold it.
        let mut user = finished(fresh.clone(), group, 0);
        let (session, tokens) = self.new_session(tenant, visitor, &user, Method::Register).await?;
        let ddl = open.system.ddl();
        let context = visitor.context(None);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh, session) = (ddl.clone(), fresh.clone(), session.clone());
            Box::pin(async move { add_with_session(transaction, &ddl, fresh, session).await })
        });
        user.number = added.await.map_err(taken)?;
        tracing::info!(
            target: "audit", action = "register", outcome = "ok", tenant = tenant.name, user = user.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(Entered { user, tokens })
    }

    /// Ends the caller's session.
    pub(crate) async fn log_out(&self, tenant: &Tenant, visitor: &Visitor, caller: &Principal) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        let session = caller.session()?;
        sessions::end(&open.system, &visitor.context(caller.user()), session).await?;
        self.sessions.end(&[session]);
        tracing::info!(
            target: "audit", action = "logout", outcome = "ok", tenant = tenant.name, user = caller.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    /// Ends the sessions of a user, but never the caller's own; answers how many.
    ///
    /// Errors: 403 `power_too_low`.
    pub(crate) async fn clear_sessions(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        number: i64,
    ) -> Result<usize> {
        let (settings, own) = (self.settings.of(tenant).await?, caller.session()?);
        let needed = settings.min_clear_sessions_power;
        if caller.group.power < needed {
            let message = format!("Ending sessions needs a power of {needed} or more");
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let open = self.tenants.open(tenant).await?;
        let Some(target) = users::find(&open.system, &Lookup::Number(number)).await? else { return Ok(0) };
        if target.user.group.power > caller.group.power && !settings.clear_sessions_any_power {
            let message = "The sessions of users of higher power than one's own may not be ended";
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let (ddl, id) = (open.system.ddl(), target.user.id);
        let context = visitor.context(caller.user());
        let ended = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move {
                users::lock(transaction, &ddl, id).await?;
                sessions::end_all(transaction, &ddl, id, Some(own)).await
            })
        });
        let ended = ended.await?;
        self.sessions.end(&ended);
        tracing::info!(
            target: "audit", action = "clear-sessions", outcome = "ok", tenant = tenant.name, user = caller.number,
            of = number, sessions = ended.len(), client = %visitor.client, request_id = %visitor.request,
        );
        Ok(ended.len())
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
pub(crate) mod tests;
