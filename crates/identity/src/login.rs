//! Coming in and going out: log in, log out, end the sessions of others.

use std::{sync::Arc, time::Instant};

use kernel::{Error, Principal, Reason, Result, Secret, Tenant};
use store::OpenTenant;
use uuid::Uuid;

use crate::{
    Identity, UserStatus,
    backoff::Target,
    entry::{Entered, Method, Visitor, refused},
    fitness,
    password::Verdict,
    tables::{
        sessions,
        users::{self, Locked, Lookup},
    },
    users::lookup,
};

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
        let compared = known.clone();
        let still = move |locked: &Locked| locked.password.as_ref() == Some(&compared);
        let entered = self.enter(tenant, &open, visitor, user, Method::Password, still).await?;
        if verdict == Verdict::Outdated {
            self.renew_hash(&open, entered.user.id, password, known).await;
        }
        Ok(entered)
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
mod tests;
