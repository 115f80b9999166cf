//! Coming in: log in.

use std::{sync::Arc, time::Instant};

use kernel::{Error, Result, Secret, Tenant};
use store::OpenTenant;
use uuid::Uuid;

use crate::{
    Identity, UserStatus,
    backoff::Target,
    entry::{Entered, Method, Visitor, refused},
    fitness,
    password::Verdict,
    tables::users::{self, Locked},
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
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
