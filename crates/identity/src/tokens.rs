//! Tokens of sessions and webhooks: JWTs signed by the tenant's key, and what was found out about those seen of late.

use std::sync::Arc;

use jsonwebtoken::{Header, Validation};
use kernel::{Door, Error, Group, Reason, Result, Tenant, TenantId, time::Timestamp};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Tenants;
use uuid::Uuid;

use crate::{IdentityConfig, keyring::Keyring};

const WEBHOOK: &str = "webhook";
const REMEMBERED: usize = 50_000;
/// Seconds by which the clocks of two nodes may differ.
const CLOCK_SKEW: u64 = 5;

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// What recognises a token.
pub(crate) fn hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

/// A hash as it is stored.
pub(crate) fn hex(hash: &TokenHash) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |digit: u8| char::from(DIGITS[usize::from(digit & 15)]);
    hash.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// What a token says. All of it is public to whoever holds it: no e-mail address, no name.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: Uuid,
    aud: String,
    sub: Uuid,
    tid: Uuid,
    /// The session; none in the token of a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    /// The session's generation, in tokens that end with it. Those of the version before have none.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pwr: Option<u8>,
    /// `webhook` in the token of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// What of a token is needed before anything of it is believed.
#[derive(Deserialize)]
struct Peek {
    tid: Uuid,
}

/// A token whose signature and claims are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) tenant: TenantId,
    /// The one door that it opens.
    pub(crate) door: Door,
    /// The session; at the door of webhooks the token's own row.
    pub(crate) id: Uuid,
    pub(crate) user: Uuid,
    /// The session's generation that it ends with; none where it lives as long as the session.
    pub(crate) generation: Option<i64>,
    /// Unix seconds.
    expires: i64,
}

/// What a new token is for.
pub(crate) enum Purpose<'a> {
    /// Requests of a session's generation.
    Session { session: Uuid, generation: i64, group: &'a Group },
    /// The cookie of a session.
    Cookie { session: Uuid, group: &'a Group },
    /// Calls of an outside service.
    Webhook(Uuid),
}

/// Whose a new token is, what for, and for how long.
pub(crate) struct Subject<'a> {
    pub(crate) user: Uuid,
    pub(crate) purpose: Purpose<'a>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Subject<'_> {
    fn claims(&self, tenant: TenantId) -> Claims {
        let bare = |door: Door, jti: Uuid| Claims {
            iss: tenant,
            aud: audience(door).to_owned(),
            sub: self.user,
            tid: tenant,
            sid: None,
            generation: None,
            grp: None,
            pwr: None,
            scope: None,
            iat: self.from.as_second(),
            nbf: self.from.as_second(),
            exp: self.until.as_second(),
            jti,
        };
        let of_session = |door, session, generation, group: &Group| Claims {
            sid: Some(session),
            generation,
            grp: Some(group.name.clone()),
            pwr: Some(group.power),
            ..bare(door, Uuid::new_v4())
        };
        match self.purpose {
            Purpose::Session { session, generation, group } => of_session(Door::Api, session, Some(generation), group),
            Purpose::Cookie { session, group } => of_session(Door::Assets, session, None, group),
            Purpose::Webhook(id) => Claims { scope: Some(WEBHOOK.to_owned()), ..bare(Door::Webhooks, id) },
        }
    }
}

/// A signed token, and the id of the key that signed it.
pub(crate) struct Signed {
    pub(crate) token: String,
    pub(crate) kid: String,
}

/// Signs and verifies.
pub(crate) struct Tokens {
    pub(crate) keys: Keyring,
    verified: Cache<TokenHash, Verified>,
}

impl Tokens {
    pub(crate) fn new(tenants: Arc<Tenants>) -> Self {
        Self { keys: Keyring::new(tenants), verified: Cache::new(REMEMBERED) }
    }

    /// A signed token.
    pub(crate) async fn sign(
        &self,
        tenant: &Tenant,
        settings: &IdentityConfig,
        subject: &Subject<'_>,
    ) -> Result<Signed> {
        let ring = self.keys.to_sign(tenant, settings).await?;
        let header = Header { kid: Some(ring.kid.clone()), ..Header::new(ring.algorithm) };
        let token = jsonwebtoken::encode(&header, &subject.claims(tenant.id), &ring.signing);
        Ok(Signed { token: token.map_err(Error::internal)?, kid: ring.kid.clone() })
    }

    /// What is known of a token that was verified before and has not ended yet.
    pub(crate) fn known(&self, hash: &TokenHash, now: Timestamp) -> Option<Verified> {
        let verified = self.verified.get(hash)?;
        if now.as_second() < verified.expires {
            return Some(verified);
        }
        self.verified.remove(hash);
        None
    }

    /// Verifies a token that names this tenant, by the algorithm of its key. Errors: 401 `session_invalid`.
    pub(crate) async fn verify(
        &self,
        tenant: &Tenant,
        settings: &IdentityConfig,
        token: &str,
        hash: TokenHash,
    ) -> Result<Verified> {
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        let kid = header.kid.as_deref().ok_or_else(invalid)?;
        let ring = self.keys.with(tenant, settings, kid).await?;
        let key = ring.verifying(kid).ok_or_else(invalid)?;
        // No extension that could be critical is known here.
        if header.alg != key.algorithm || header.crit.is_some() {
            return Err(invalid());
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = CLOCK_SKEW;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_audience(&DOORS.map(audience));
        validation.set_issuer(&[tenant.id]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation).map_err(refused)?.claims;
        if claims.tid != tenant.id || claims.exp <= kernel::time::now().as_second() {
            return Err(invalid());
        }
        let verified = claims.verified().ok_or_else(invalid)?;
        self.verified.insert(hash, verified);
        Ok(verified)
    }
}

impl Claims {
    /// What the claims mean at the door that they are for; none where one is missing.
    fn verified(&self) -> Option<Verified> {
        let door = DOORS.into_iter().find(|door| audience(*door) == self.aud)?;
        let (id, generation) = match door {
            Door::Api => (self.sid?, Some(self.generation.unwrap_or(0))),
            Door::Assets => (self.sid?, None),
            Door::Webhooks => (self.scope.as_deref().filter(|scope| *scope == WEBHOOK).map(|_| self.jti)?, None),
        };
        Some(Verified { tenant: self.tid, door, id, user: self.sub, generation, expires: self.exp })
    }
}

const DOORS: [Door; 3] = [Door::Api, Door::Assets, Door::Webhooks];

/// The audience of a door's tokens.
const fn audience(door: Door) -> &'static str {
    match door {
        Door::Api => "insula",
        Door::Assets => "assets",
        Door::Webhooks => "webhooks",
    }
}

/// The tenant that a token claims to be of; nothing of it is believed yet. Errors: 401 `session_invalid`.
pub(crate) fn claimed_tenant(token: &str) -> Result<TenantId> {
    let Peek { tid } = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(refused)?;
    Ok(tid)
}

/// 401 `session_invalid`: the one answer to every token that is no good.
pub(crate) fn invalid() -> Error {
    Error::new(Reason::SessionInvalid, "Session expired or invalid")
}

fn refused(error: jsonwebtoken::errors::Error) -> Error {
    invalid().because(error)
}

#[cfg(test)]
mod tests {
    use super::{claimed_tenant, hash, hex};
    use proptest::prelude::*;

    #[test]
    fn hashes_are_spelled_as_everywhere() {
        assert_eq!(hex(&hash("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~]*", claims in "[ -~]*") {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
            let _ = claimed_tenant(&text);
            let _ = claimed_tenant(&format!("a.{}.b", BASE64_URL_SAFE_NO_PAD.encode(claims)));
        }
    }
}
