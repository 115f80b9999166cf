//! Tokens by which outside services call: signed, for one door, tied to a row that can be revoked.

use std::{sync::Arc, time::Duration};

use kernel::{Credential, Error, Principal, Reason, Result, Span, Tenant, WebhookCredential, time::Timestamp};
use uuid::Uuid;

use crate::{
    Identity, UserStatus,
    entry::Visitor,
    sessions::after,
    tables::webhook_tokens::{self, Fresh, WebhookToken},
    tokens::{Purpose, Subject, Verified, invalid},
};

/// Tokens that a user may have.
const MOST: usize = 100;
const LONGEST_NAME: usize = 100;
/// How long a token is good where nothing is said.
const USUAL: Duration = Duration::from_hours(365 * 24);
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(5 * 365 * 24);
/// How often it is written down that a token is used.
const USE_WRITTEN: Duration = Duration::from_mins(1);

/// A new token, which is shown once.
pub(crate) struct Made {
    pub(crate) id: Uuid,
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

impl Identity {
    /// Makes a token for an outside service, good for a time.
    ///
    /// Errors: 400 `field_invalid`; 409 `conflict` where the user has as many as allowed.
    pub(crate) async fn make_webhook_token(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        name: String,
        lifetime: Option<Span>,
    ) -> Result<Made> {
        if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(Error::new(Reason::FieldInvalid, "A name has 1 to 100 printable characters").at("name"));
        }
        let lifetime = lifetime.map_or(USUAL, |span| span.0);
        if !(SHORTEST..=LONGEST).contains(&lifetime) {
            let message = "A token lives for a minute to five years: 60s to 1825d";
            return Err(Error::new(Reason::FieldInvalid, message).at("expires_in"));
        }
        let settings = self.settings.of(tenant).await?;
        let open = self.tenants.open(tenant).await?;
        let (id, now) = (Uuid::now_v7(), kernel::time::now());
        let expires_at = after(now, lifetime);
        let subject = Subject { user: caller.id, purpose: Purpose::Webhook(id), from: now, until: expires_at };
        let signed = self.tokens.sign(tenant, &settings, &subject).await?;
        let fresh = Fresh { id, user: caller.id, name, kid: signed.kid, created_at: now, expires_at, cap: MOST };
        if !webhook_tokens::add(&open.system, &visitor.context(caller.user()), fresh).await? {
            let message = format!("A user has at most {MOST} tokens for webhooks; revoke one first");
            return Err(Error::new(Reason::Conflict, message));
        }
        tracing::info!(
            target: "audit", action = "webhook-token-create", outcome = "ok", status = 201, tenant = tenant.name,
            user = caller.number, token = %id, client = %visitor.client, request_id = %visitor.request,
        );
        Ok(Made { id, token: signed.token, expires_at })
    }

    /// The caller's tokens for outside services, the newest first.
    pub(crate) async fn webhook_tokens(&self, tenant: &Tenant, caller: &Principal) -> Result<Vec<WebhookToken>> {
        let open = self.tenants.open(tenant).await?;
        Ok(webhook_tokens::list(&open.system, caller.id).await?)
    }

    /// Revokes one of the caller's tokens at once, on all nodes. Errors: 404.
    pub(crate) async fn revoke_webhook_token(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        id: Uuid,
    ) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        let context = visitor.context(caller.user());
        if !webhook_tokens::revoke(&open.system, &context, caller.id, id, kernel::time::now()).await? {
            return Err(Error::new(Reason::NotFound, "There is no such token"));
        }
        tracing::info!(
            target: "audit", action = "webhook-token-revoke", outcome = "ok", status = 204, tenant = tenant.name,
            user = caller.number, token = %id, client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    /// Who a verified token of an outside service acts as: its maker, with no right but to call.
    ///
    /// Errors: 401 `session_invalid`; 503.
    pub(crate) async fn enter_by_webhook(
        &self,
        tenant: &Tenant,
        token: &Verified,
        now: Timestamp,
    ) -> Result<Arc<Principal>> {
        let open = self.tenants.open(tenant).await?;
        let found = webhook_tokens::find(&open.system, token.id).await?.ok_or_else(invalid)?;
        let row = found.token;
        let good = row.revoked_at.is_none() && now < row.expires_at;
        if !good || found.status != UserStatus::Active || found.user != token.user {
            return Err(invalid());
        }
        let stale = now.checked_sub(USE_WRITTEN).unwrap_or(Timestamp::MIN);
        if row.last_used_at.is_none_or(|used| used < stale)
            && let Err(error) = webhook_tokens::used(&open.system, row.id, now, stale).await
        {
            tracing::warn!(tenant = tenant.name, %error, "the use of a webhook's token was not written down");
        }
        Ok(Arc::new(Principal {
            id: found.user,
            number: found.number,
            username: found.username,
            email: found.email,
            name: found.user_name,
            group: Arc::new(found.group),
            toolkit_overrides: Arc::default(),
            credential: Credential::Webhook(WebhookCredential { id: row.id, name: row.name }),
        }))
    }
}
