//! Coming in and going out: log in, register, log out, end the sessions of others.

use std::{net::IpAddr, sync::Arc, time::Instant};

use kernel::{Cause, Error, Principal, Reason, RequestId, Result, Secret, Tenant, WriteContext};
use store::{OpenTenant, Transaction};
use uuid::Uuid;

use crate::{
    Identity, NewUser, Registration, User, UserStatus,
    backoff::Target,
    fitness,
    identity::Claim,
    password::Verdict,
    sessions::Lifetimes,
    tables::{
        sessions::{self, Fresh},
        users::{self, Lookup},
    },
    tokens::{self, Subject},
    users::{finished, lookup, taken},
};

/// Where somebody comes from.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) request: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) user_agent: Option<String>,
}

impl Visitor {
    fn context(&self, user: Option<i64>) -> WriteContext {
        WriteContext { user, request: Some(self.request), cause: Cause::Api }
    }
}

/// Somebody who came in, with the token of the new session.
pub(crate) struct Entered {
    pub(crate) user: User,
    pub(crate) token: String,
}

impl Identity {
    /// Logs a user in by name or address and password.
    ///
    /// Errors: 401 `credentials_invalid`, which is the same, after the same work, whatever was wrong; 429; 503.
    pub(crate) async fn log_in(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        password: &Secret,
    ) -> Result<Entered> {
        let target = Target::new(tenant.id, &name.to_ascii_lowercase(), visitor.client);
        let outcome = match self.backoff.attempt(target, Instant::now()) {
            Ok(()) => self.try_credentials(tenant, visitor, name, password).await,
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(_) => self.backoff.forget(&target),
            Err(error) if error.reason.status() >= 500 => self.backoff.forgive(target),
            Err(_) => {}
        }
        let user = outcome.as_ref().ok().map(|entered| entered.user.number);
        let reason = outcome.as_ref().err().map_or("ok", |error| error.reason.word());
        // What cannot be a name may be a password in the wrong field.
        let is_name = fitness::check_username(name).is_ok() || fitness::check_email(name).is_ok();
        let username = is_name.then_some(name);
        tracing::info!(
            target: "audit", action = "login", outcome = reason, tenant = tenant.name, user, username,
            client = %visitor.client, request_id = %visitor.request,
        );
        outcome
    }

    async fn try_credentials(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        password: &Secret,
    ) -> Result<Entered> {
        let open = self.tenants.open(tenant).await?;
        let stored = users::find(&open.system, &lookup(name)).await?;
        let known = stored.as_ref().and_then(|stored| stored.password.as_deref());
        let verdict = self.hasher.compare(password, known).await?;
        let (user, known) = match stored {
            Some(users::Stored { user, password: Some(known) })
                if verdict != Verdict::Wrong && user.status == UserStatus::Active =>
            {
                (user, known)
            }
            _ => return Err(refused()),
        };
        let token = self.begin_session(tenant, &open, visitor, &user, known.clone()).await?;
        if verdict == Verdict::Outdated {
            self.renew_hash(&open, user.id, password, known).await;
        }
        Ok(Entered { user, token })
    }

    /// A hash with outdated parameters is a reason for a new one, but not for refusing a log-in.
    async fn renew_hash(&self, open: &OpenTenant, user: Uuid, password: &Secret, known: String) {
        let renewed = async {
            let hash = self.hasher.hash(password).await?;
            Ok::<_, Error>(users::renew_hash(&open.system, user, known, hash).await?)
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, "a password's hash was not renewed");
        }
    }

    /// Makes a session for a user whose password was compared with a hash, unless either has changed meanwhile.
    async fn begin_session(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        visitor: &Visitor,
        user: &User,
        compared: String,
    ) -> Result<String> {
        let (session, token) = self.new_session(tenant, visitor, user).await?;
        let (ddl, id) = (open.system.ddl(), user.id);
        let context = visitor.context(Some(user.number));
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, session, compared) = (ddl.clone(), session.clone(), compared.clone());
            Box::pin(async move {
                match users::lock(transaction, &ddl, id).await? {
                    Some((UserStatus::Active, Some(now))) if now == compared => {
                        sessions::add(transaction, &ddl, session).await
                    }
                    _ => Err(refused().into()),
                }
            })
        });
        self.sessions.end(&added.await?);
        Ok(token)
    }

    /// A session to be stored, and its token.
    async fn new_session(&self, tenant: &Tenant, visitor: &Visitor, user: &User) -> Result<(Fresh, String)> {
        let id = Uuid::now_v7();
        let from = kernel::time::now();
        let lifetimes = Lifetimes::of(&self.config, &user.group);
        let subject = Subject { user: user.id, session: id, group: &user.group, from, until: lifetimes.last(from) };
        let token = self.tokens.sign(tenant, &subject).await?;
        let cap = user.group.max_concurrent_sessions.filter(|cap| *cap > 0);
        let session = Fresh {
            id,
            token_hash: tokens::hex(&tokens::hash(&token)),
            user: user.id,
            created_at: from,
            expires_at: lifetimes.end(from, from),
            ip: visitor.client.to_string(),
            user_agent: visitor.user_agent.clone(),
            cap: cap.unwrap_or(self.config.max_concurrent_sessions.get().into()),
        };
        Ok((session, token))
    }

    /// Makes a user and the first session in one transaction.
    ///
    /// Errors: 403 `registration_closed`, otherwise as [`Identity::create_user`].
    pub(crate) async fn register(&self, tenant: &Arc<Tenant>, visitor: &Visitor, new: NewUser) -> Result<Entered> {
        if self.config.registration == Registration::Closed {
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
        let (session, token) = self.new_session(tenant, visitor, &user).await?;
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
        Ok(Entered { user, token })
    }

    /// Ends the caller's session.
    pub(crate) async fn log_out(&self, tenant: &Tenant, visitor: &Visitor, caller: &Principal) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        sessions::end(&open.system, &visitor.context(Some(caller.number)), caller.session).await?;
        self.sessions.end(&[caller.session]);
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
        let needed = self.config.min_clear_sessions_power;
        if caller.group.power < needed {
            let message = format!("Ending sessions needs a power of {needed} or more");
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let open = self.tenants.open(tenant).await?;
        let Some(target) = users::find(&open.system, &Lookup::Number(number)).await? else { return Ok(0) };
        if target.user.group.power > caller.group.power && !self.config.clear_sessions_any_power {
            let message = "The sessions of users of higher power than one's own may not be ended";
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let (ddl, id, own) = (open.system.ddl(), target.user.id, caller.session);
        let context = visitor.context(Some(caller.number));
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

async fn add_with_session(
    transaction: &mut Transaction<'_>,
    ddl: &store::Ddl,
    fresh: users::Fresh,
    session: Fresh,
) -> store::Result<i64> {
    let number = users::add(transaction, ddl, fresh).await?;
    sessions::add(transaction, ddl, session).await?;
    Ok(number)
}

/// The one answer to credentials that are no good.
fn refused() -> Error {
    Error::new(Reason::CredentialsInvalid, "The user name or the password is wrong")
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
