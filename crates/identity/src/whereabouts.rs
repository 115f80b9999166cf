//! Where a user is logged in, the cookie of a session, and the keys that others verify tokens by.

use kernel::{Error, Principal, Reason, Result, Tenant, time::Timestamp};
use std::sync::Arc;
use uuid::Uuid;

use crate::{
    Identity,
    entry::Visitor,
    signing_key::Jwk,
    tables::sessions::{self, Listed},
    tokens::{Purpose, Subject},
};

/// The token of a session for its cookie.
pub(crate) struct Cookie {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
    /// Seconds until then.
    pub(crate) seconds: u64,
}

impl Identity {
    /// The caller's sessions that are alive or can be renewed, the newest first.
    pub(crate) async fn own_sessions(&self, tenant: &Tenant, caller: &Principal) -> Result<Vec<Listed>> {
        let open = self.tenants.open(tenant).await?;
        let mut sessions = sessions::list(&open.system, caller.id, kernel::time::now()).await?;
        for session in &mut sessions {
            if let Some((last_accessed, expires_at)) = self.sessions.known(session.id)
                && last_accessed > session.last_accessed
            {
                (session.last_accessed, session.expires_at) = (last_accessed, expires_at);
            }
        }
        Ok(sessions)
    }

    /// Ends one of the caller's sessions. Errors: 403 `session_required`; 404.
    pub(crate) async fn end_own_session(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        id: Uuid,
    ) -> Result<()> {
        caller.session()?;
        let open = self.tenants.open(tenant).await?;
        if !sessions::end(&open.system, &visitor.context(caller.user()), caller.id, id).await? {
            return Err(Error::new(Reason::NotFound, "There is no such session"));
        }
        self.sessions.end(&[id]);
        tracing::info!(
            target: "audit", action = "end-session", outcome = "ok", status = 204, tenant = tenant.name, user = caller.number,
            session = %id, client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    /// A token of the caller's session for the cookie of `assets.` hosts. It is good as long as the session lives.
    ///
    /// Errors: 401 `session_invalid`; 403 `session_required`.
    pub(crate) async fn cookie(&self, tenant: &Arc<Tenant>, caller: &Principal) -> Result<Cookie> {
        let id = caller.session()?;
        let session = self.sessions.current(tenant, id).await?;
        let settings = self.settings.of(tenant).await?;
        let (from, expires_at) = (kernel::time::now(), session.last());
        let purpose = Purpose::Cookie { session: id, group: &caller.group };
        let subject = Subject { user: caller.id, purpose, from, until: expires_at };
        let token = self.tokens.sign(tenant, &settings, &subject).await?.token;
        let seconds = expires_at.duration_since(from).as_secs().try_into().unwrap_or(0);
        Ok(Cookie { token, expires_at, seconds })
    }

    /// The public keys by which others verify the tenant's tokens, the newest first.
    pub(crate) async fn public_keys(&self, tenant: &Tenant) -> Result<Vec<Jwk>> {
        let settings = self.settings.of(tenant).await?;
        let ring = self.tokens.keys.to_sign(tenant, &settings).await?;
        Ok(ring.public.iter().map(|key| key.jwk.clone()).collect())
    }

    /// Makes a new signing key for a tenant and answers its id. Tokens of the one before stay good until they end; other
    /// nodes sign with the new one within a minute. Errors: 503.
    pub async fn rotate_signing_keys(&self, tenant: &Tenant) -> Result<String> {
        let settings = self.settings.of(tenant).await?;
        self.tokens.keys.rotate(tenant, &settings).await
    }
}
