//! Session tokens: JWTs signed by the tenant's key, and what was found out about those seen of late.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, Header, Validation};
use kernel::{Error, Group, Reason, Result, Tenant, TenantId, time::Timestamp};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Tenants;
use uuid::Uuid;

use crate::keyring::Keyring;

const AUDIENCE: &str = "insula";
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
    sid: Uuid,
    /// The session's generation; tokens of the version before have none.
    #[serde(rename = "gen", default)]
    generation: i64,
    grp: String,
    pwr: u8,
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
    pub(crate) session: Uuid,
    pub(crate) user: Uuid,
    pub(crate) generation: i64,
    /// Unix seconds.
    expires: i64,
}

/// Whose session a new token is for.
pub(crate) struct Subject<'a> {
    pub(crate) user: Uuid,
    pub(crate) session: Uuid,
    pub(crate) generation: i64,
    pub(crate) group: &'a Group,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// Signs and verifies.
pub(crate) struct Tokens {
    keys: Keyring,
    verified: Cache<TokenHash, Verified>,
}

impl Tokens {
    pub(crate) fn new(tenants: Arc<Tenants>) -> Self {
        Self { keys: Keyring::new(tenants), verified: Cache::new(REMEMBERED) }
    }

    /// A signed token.
    pub(crate) async fn sign(&self, tenant: &Tenant, subject: &Subject<'_>) -> Result<String> {
        let ring = self.keys.of(tenant).await?;
        let header = Header { kid: Some(ring.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let claims = Claims {
            iss: tenant.id,
            aud: AUDIENCE.to_owned(),
            sub: subject.user,
            tid: tenant.id,
            sid: subject.session,
            generation: subject.generation,
            grp: subject.group.name.clone(),
            pwr: subject.group.power,
            iat: subject.from.as_second(),
            nbf: subject.from.as_second(),
            exp: subject.until.as_second(),
            jti: Uuid::new_v4(),
        };
        jsonwebtoken::encode(&header, &claims, &ring.signing).map_err(Error::internal)
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

    /// Verifies a token that names this tenant. Errors: 401 `session_invalid`.
    pub(crate) async fn verify(&self, tenant: &Tenant, token: &str, hash: TokenHash) -> Result<Verified> {
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        let kid = header.kid.as_deref().ok_or_else(invalid)?;
        if header.alg != Algorithm::EdDSA {
            return Err(invalid());
        }
        let ring = self.keys.with(tenant, kid).await?;
        let key = ring.verifying(kid).ok_or_else(invalid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = CLOCK_SKEW;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[tenant.id]);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(refused)?.claims;
        if claims.tid != tenant.id || claims.exp <= kernel::time::now().as_second() {
            return Err(invalid());
        }
        let verified = Verified {
            tenant: tenant.id,
            session: claims.sid,
            user: claims.sub,
            generation: claims.generation,
            expires: claims.exp,
        };
        self.verified.insert(hash, verified);
        Ok(verified)
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
