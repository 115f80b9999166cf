//! Coming in: log in.

use std::{sync::Arc, time::Instant};

use kernel::{Error, Reason, Result, Secret, Tenant};
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
        let reason = kernel::error::outcome_word(&outcome);
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
        self.attempt(&attempt, Ok(()), Box::pin(self.try_password(tenant, visitor, name, password))).await
    }

    async fn try_password(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        password: &Secret,
    ) -> Result<Entered> {
        // A crowd that is to be refused costs no query.
        self.hasher.require_room()?;
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
}

#[cfg(test)]
#[path = "login_tests.rs"]
pub(crate) mod tests;
