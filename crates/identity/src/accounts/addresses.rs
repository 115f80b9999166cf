//! E-mail addresses: confirmed by a link, changed by one.

use std::sync::Arc;

use kernel::{Error, Principal, Reason, Result, Secret, Tenant};
use store::Value;
use uuid::Uuid;

use super::{
    passwords::{is_of, spent},
    proof::Otherwise,
};
use crate::{
    ConfirmEmail, Identity, User, UserStatus,
    entry::Visitor,
    fitness,
    letters::{Draft, Facts, Kind},
    tables::{
        one_time_tokens::{self, Purpose},
        users::{self, Lookup},
    },
    tokens,
    users::taken,
};

impl Identity {
    /// Confirms an address by the token of a letter: the one that the account has, or the one that it shall have.
    ///
    /// Errors: 410 `token_spent`; 409 `email_taken` where somebody else has the new address by now.
    pub(crate) async fn verify_email(&self, tenant: &Tenant, visitor: &Visitor, token: &Secret) -> Result<()> {
        let hash = tokens::hex(&tokens::hash(token.expose()));
        let open = self.tenants.open(tenant).await?;
        let found = one_time_tokens::find(&open.system, &hash).await?;
        let found = found.filter(|found| found.purpose != Purpose::Reset).ok_or_else(spent)?;
        let (ddl, id, wanted) = (open.system.ddl(), found.user, found.clone());
        let before = users::find(&open.system, &Lookup::Id(id)).await?.ok_or_else(spent)?.user;
        let own = is_of(&before, &found.email);
        // An address that was changed meanwhile makes the link to the former one worthless.
        if found.purpose == Purpose::Verify && !own {
            return Err(spent());
        }
        let context = visitor.context(Some(before.number));
        let verified = open.system.transaction(&context, move |transaction| {
            let (ddl, hash, found) = (ddl.clone(), hash.clone(), wanted.clone());
            Box::pin(async move {
                let locked = users::lock(transaction, &ddl, id).await?;
                if !locked.is_some_and(|locked| locked.status == UserStatus::Active)
                    || !one_time_tokens::spend(transaction, &ddl, &hash).await?
                {
                    return Err(spent().into());
                }
                let mut values = vec![("email_verified_at", Value::from(kernel::time::now()))];
                if found.purpose == Purpose::Change {
                    values.push(("email_key", found.email.to_ascii_lowercase().into()));
                    values.push(("email", found.email.into()));
                    // They were sent to the former address.
                    one_time_tokens::void_all(transaction, &ddl, id).await?;
                }
                users::set(transaction, &ddl, id, values).await
            })
        });
        verified.await.map_err(taken)?;
        self.sessions.doubt(|principal| principal.id == id);
        self.keys.doubt_of(id);
        let changed = found.purpose == Purpose::Change;
        tracing::info!(
            target: "audit", action = if changed { "change-email" } else { "verify-email" }, outcome = "ok", status = 204,
            tenant = tenant.name, user = before.number, client = %visitor.client, request_id = %visitor.request,
        );
        if let Some(address) = before.email.as_deref().filter(|_| changed && !own) {
            let facts = Facts { new_address: Some(found.email), ..Facts::of(visitor) };
            self.post_or_log(tenant, Draft { kind: Kind::EmailChanged, address, user: Some(id), facts }).await;
        }
        Ok(())
    }

    /// Asks for another letter that confirms an address. Nothing tells whether anybody has it, or had to confirm it.
    ///
    /// Errors: 422 `email_unfit`; 503.
    pub(crate) async fn resend_confirmation(&self, tenant: &Tenant, visitor: &Visitor, email: &str) -> Result<()> {
        fitness::check_email(email)?;
        self.letters
            .post(tenant, Draft { kind: Kind::VerifyEmail, address: email, user: None, facts: Facts::of(visitor) })
            .await
    }

    /// Refuses a user with an address that must be confirmed and is not. Errors: 403 `email_unverified`.
    pub(crate) async fn require_confirmed(&self, tenant: &Tenant, user: &User) -> Result<()> {
        let unconfirmed = user.email.is_some() && user.email_verified_at.is_none();
        if unconfirmed && self.settings.of(tenant).await?.confirm_email == ConfirmEmail::On {
            return Err(Error::plain(Reason::EmailUnverified));
        }
        Ok(())
    }

    /// Asks for the letter that makes an address the user's as soon as it is confirmed.
    pub(crate) async fn ask_to_confirm(&self, tenant: &Tenant, visitor: &Visitor, user: Uuid, address: &str) {
        let draft = Draft { kind: Kind::ChangeEmail, address, user: Some(user), facts: Facts::of(visitor) };
        self.post_or_log(tenant, draft).await;
    }

    /// Begins to change the caller's address: the new one must be confirmed first.
    ///
    /// Errors: 403 `session_required`, `login_too_old`; 400 `field_missing`, `field_invalid`; 401
    /// `credentials_invalid`; 422 `email_unfit`; 429; 503.
    pub(crate) async fn change_email(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        caller: &Principal,
        email: &str,
        password: Option<&Secret>,
    ) -> Result<()> {
        caller.session()?;
        fitness::check_email(email)?;
        let open = self.tenants.open(tenant).await?;
        let sent = ("password", password);
        let proved = self.prove(&open, visitor, caller, sent, Otherwise::FreshSession).await?;
        if proved.user.email.as_deref() == Some(email) {
            return Err(Error::new(Reason::FieldInvalid, "This is the address of the account already").at("email"));
        }
        let draft = Draft { kind: Kind::ChangeEmail, address: email, user: Some(caller.id), facts: Facts::of(visitor) };
        self.letters.post(tenant, draft).await?;
        tracing::info!(
            target: "audit", action = "ask-to-change-email", outcome = "ok", status = 202, tenant = tenant.name, user = caller.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }
}
