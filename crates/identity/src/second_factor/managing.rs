//! How users come to their second factor, and how they get rid of it.

use std::{sync::Arc, time::Instant};

use kernel::{BoxFuture, Error, Principal, Reason, Result, Secret, Tenant, WriteContext, time::Timestamp};
use store::{Ddl, OpenTenant, Transaction};
use uuid::Uuid;

use super::{Owner, Proof, code_invalid, codes};
use crate::{
    Identity,
    backoff::Target,
    entry::{Visitor, refused},
    letters::Kind,
    password::Verdict,
    tables::{
        second_factors,
        users::{self, Lookup},
    },
    users::no_user,
};

/// A second factor that was begun: shown once.
pub(crate) struct Begun {
    /// The secret as base32.
    pub(crate) secret: String,
    /// The same as a URL that devices scan.
    pub(crate) url: String,
}

/// What is known of a user's second factor.
pub(crate) struct State {
    /// When it was put in force; none where it is not.
    pub(crate) confirmed_at: Option<Timestamp>,
    pub(crate) recovery_codes_left: usize,
}

impl Identity {
    /// What is known of the caller's second factor.
    pub(crate) async fn second_factor(&self, tenant: &Arc<Tenant>, caller: &Principal) -> Result<State> {
        let open = self.tenants.open(tenant).await?;
        let factor = second_factors::find(&open.system, caller.id).await?;
        let Some(confirmed_at) = factor.and_then(|factor| factor.confirmed_at) else {
            return Ok(State { confirmed_at: None, recovery_codes_left: 0 });
        };
        let recovery_codes_left = second_factors::codes_left(&open.system, caller.id).await?;
        Ok(State { confirmed_at: Some(confirmed_at), recovery_codes_left })
    }

    /// Begins a second factor, which is not in force before [`Self::confirm_second_factor`].
    ///
    /// Errors: 401 `credentials_invalid` where the password is wrong or the caller has none; 409
    /// `second_factor_enabled`; 429; 503.
    pub(crate) async fn begin_second_factor(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        password: &Secret,
    ) -> Result<Begun> {
        let open = self.tenants.open(tenant).await?;
        self.prove_password(&open, visitor, caller.id, password).await?;
        let (owner, secret) = (Owner::new(&open, caller.id), codes::new_secret()?);
        let sealed = owner.seal(&secret)?;
        let issuer = tenant.domain.as_deref().unwrap_or(&tenant.name);
        let (secret, url) = codes::shown(secret, issuer, &caller.username)?;
        let begin = change(&open, visitor, caller, move |transaction, ddl, user| {
            let sealed = sealed.clone();
            Box::pin(async move {
                if second_factors::is_in_force(transaction, ddl, user).await? {
                    return Err(Error::plain(Reason::SecondFactorEnabled).into());
                }
                second_factors::begin(transaction, ddl, user, sealed).await
            })
        });
        begin.await?;
        audit(tenant, visitor, caller, "begun");
        Ok(Begun { secret, url })
    }

    /// Puts a second factor in force with its first code; answers the recovery codes.
    ///
    /// Errors: 401 `code_invalid`; 404 where none was begun; 409 `second_factor_enabled`; 429.
    pub(crate) async fn confirm_second_factor(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        code: &Secret,
    ) -> Result<Vec<String>> {
        let open = self.tenants.open(tenant).await?;
        let owner = Owner::new(&open, caller.id);
        let (shown, hashes) = recovery_codes(&owner)?;
        let proof = Proof::Code(code.clone());
        let confirm = change(&open, visitor, caller, move |transaction, ddl, user| {
            let (owner, proof, hashes) = (owner.clone(), proof.clone(), hashes.clone());
            Box::pin(async move {
                let none = || Error::new(Reason::NotFound, "No second factor was begun");
                let factor = second_factors::get(transaction, ddl, user).await?.ok_or_else(none)?;
                if factor.confirmed_at.is_some() {
                    return Err(Error::plain(Reason::SecondFactorEnabled).into());
                }
                if !owner.take(transaction, ddl, &factor, &proof).await? {
                    return Err(code_invalid().into());
                }
                second_factors::confirm(transaction, ddl, user).await?;
                second_factors::replace_codes(transaction, ddl, user, &hashes).await
            })
        });
        self.with_code(tenant, visitor, caller, confirm).await?;
        audit(tenant, visitor, caller, "enabled");
        let user = (caller.id, caller.email.as_deref());
        self.tell(tenant, visitor, user, Kind::SecondFactorChanged, Some("A second factor was turned on")).await;
        Ok(shown)
    }

    /// Removes the caller's second factor.
    ///
    /// Errors: 401 `credentials_invalid`, `code_invalid`; 404 where there is none; 429; 503.
    pub(crate) async fn disable_second_factor(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        password: &Secret,
        proof: &Proof,
    ) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        self.prove_password(&open, visitor, caller.id, password).await?;
        let (owner, proof) = (Owner::new(&open, caller.id), proof.clone());
        let disable = change(&open, visitor, caller, move |transaction, ddl, user| {
            let (owner, proof) = (owner.clone(), proof.clone());
            Box::pin(async move {
                prove(&owner, transaction, ddl, &proof).await?;
                second_factors::remove(transaction, ddl, user).await.map(drop)
            })
        });
        self.with_code(tenant, visitor, caller, disable).await?;
        audit(tenant, visitor, caller, "disabled");
        let user = (caller.id, caller.email.as_deref());
        self.tell(tenant, visitor, user, Kind::SecondFactorChanged, Some("The second factor was turned off")).await;
        Ok(())
    }

    /// Gives the caller new recovery codes; the old ones are void.
    ///
    /// Errors: as [`Self::disable_second_factor`].
    pub(crate) async fn renew_recovery_codes(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        password: &Secret,
        code: &Secret,
    ) -> Result<Vec<String>> {
        let open = self.tenants.open(tenant).await?;
        self.prove_password(&open, visitor, caller.id, password).await?;
        let owner = Owner::new(&open, caller.id);
        let (shown, hashes) = recovery_codes(&owner)?;
        let proof = Proof::Code(code.clone());
        let renew = change(&open, visitor, caller, move |transaction, ddl, user| {
            let (owner, proof, hashes) = (owner.clone(), proof.clone(), hashes.clone());
            Box::pin(async move {
                prove(&owner, transaction, ddl, &proof).await?;
                second_factors::replace_codes(transaction, ddl, user, &hashes).await
            })
        });
        self.with_code(tenant, visitor, caller, renew).await?;
        audit(tenant, visitor, caller, "recovery_codes_renewed");
        let user = (caller.id, caller.email.as_deref());
        self.tell(tenant, visitor, user, Kind::SecondFactorChanged, Some("New recovery codes were made")).await;
        Ok(shown)
    }

    /// Removes a user's second factor, for whoever has lost the device and the recovery codes; answers whether there was
    /// one. Errors: 404 where there is no such user.
    pub async fn reset_second_factor(&self, open: &OpenTenant, user: Uuid) -> Result<bool> {
        let ddl = open.system.ddl();
        let context = WriteContext::system();
        let reset = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move {
                users::lock(transaction, &ddl, user).await?.ok_or_else(no_user)?;
                second_factors::remove(transaction, &ddl, user).await
            })
        });
        Ok(reset.await?)
    }

    /// Asks for the password of somebody who is logged in, at the pace of log-ins.
    ///
    /// Errors: 401 `credentials_invalid` where it is wrong or there is none; 429; 503.
    async fn prove_password(&self, open: &OpenTenant, visitor: &Visitor, user: Uuid, password: &Secret) -> Result<()> {
        let stored = users::find(&open.system, &Lookup::Id(user)).await?.ok_or_else(no_user)?;
        let target = Target::new(open.tenant.id, &stored.user.username.to_ascii_lowercase(), visitor.client);
        self.backoff.attempt(target, Instant::now())?;
        let outcome = match self.hasher.compare(password, stored.password.as_deref()).await {
            Ok(Verdict::Wrong) => Err(refused().at("password")),
            Ok(Verdict::Right | Verdict::Outdated) => Ok(()),
            Err(error) => Err(error),
        };
        self.backoff.settle(target, &outcome);
        outcome
    }

    /// Does what takes a code, at the pace of codes.
    pub(crate) async fn with_code<T>(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let targets = Target::code(tenant.id, &caller.id.to_string(), visitor.client);
        self.backoff.attempt(targets, Instant::now())?;
        let outcome = work.await;
        self.backoff.settle(targets, &outcome);
        outcome
    }
}

/// One transaction with the caller's row locked.
async fn change<F>(open: &OpenTenant, visitor: &Visitor, caller: &Principal, work: F) -> Result<()>
where
    F: for<'t> Fn(&'t mut Transaction<'_>, &'t Ddl, Uuid) -> BoxFuture<'t, store::Result<()>> + Send + Sync + 'static,
{
    let (ddl, user, work) = (open.system.ddl(), caller.id, Arc::new(work));
    let context = visitor.context(caller.user());
    let done = open.system.transaction(&context, move |transaction| {
        let (ddl, work) = (ddl.clone(), Arc::clone(&work));
        Box::pin(async move {
            users::lock(transaction, &ddl, user).await?.ok_or_else(no_user)?;
            work(transaction, &ddl, user).await
        })
    });
    Ok(done.await?)
}

/// Takes a proof from users who have a second factor in force, and nothing from others. The user's row is locked.
///
/// Errors: 400 `field_missing`, 401 `code_invalid`.
pub(crate) async fn require(
    owner: &Owner,
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    proof: Option<&Proof>,
) -> store::Result<()> {
    if !second_factors::is_in_force(transaction, ddl, owner.user).await? {
        return Ok(());
    }
    let missing = || Error::new(Reason::FieldMissing, "Send a code of the second factor, too").at("code");
    prove(owner, transaction, ddl, proof.ok_or_else(missing)?).await
}

/// Takes a proof of a second factor in force.
async fn prove(owner: &Owner, transaction: &mut Transaction<'_>, ddl: &Ddl, proof: &Proof) -> store::Result<()> {
    let none = || Error::new(Reason::NotFound, "There is no second factor");
    let factor = second_factors::get(transaction, ddl, owner.user).await?;
    let factor = factor.filter(|factor| factor.confirmed_at.is_some()).ok_or_else(none)?;
    if owner.take(transaction, ddl, &factor, proof).await? { Ok(()) } else { Err(code_invalid().into()) }
}

/// New recovery codes, as they are shown and as they are stored.
fn recovery_codes(owner: &Owner) -> Result<(Vec<String>, Vec<String>)> {
    let shown = codes::new_recovery_codes()?;
    let hashes = shown.iter().map(|code| codes::hash(&owner.key, owner.user, &Secret::new(&**code))).collect();
    Ok((shown, hashes))
}

fn audit(tenant: &Tenant, visitor: &Visitor, caller: &Principal, outcome: &'static str) {
    tracing::info!(
        target: "audit", action = "second-factor", outcome, status = 200, tenant = tenant.name, user = caller.number,
        client = %visitor.client, request_id = %visitor.request,
    );
}
