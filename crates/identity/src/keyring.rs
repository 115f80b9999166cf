//! The key pairs that sign a tenant's tokens.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use kernel::{Error, Result, Tenant, TenantId, seal::Place};
use quick_cache::sync::Cache;
use store::{OpenTenant, Tenants};

use crate::{
    tables::keys::{self, KEYS, KeyRow},
    turnstile::Turnstile,
};

const TENANTS: usize = 10_000;
/// An unknown key makes the ring be read again, but not more often than this: strangers choose what is unknown.
const REREAD: Duration = Duration::from_secs(1);

/// The keys of one tenant.
pub(crate) struct Ring {
    /// The key that signs.
    pub(crate) kid: String,
    pub(crate) signing: EncodingKey,
    verifying: Vec<(String, DecodingKey)>,
    read: Instant,
}

impl Ring {
    /// The public key with an id.
    pub(crate) fn verifying(&self, kid: &str) -> Option<&DecodingKey> {
        self.verifying.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

/// The keys of tenants of late.
pub(crate) struct Keyring {
    tenants: Arc<Tenants>,
    rings: Cache<TenantId, Arc<Ring>>,
    reading: Turnstile<TenantId>,
}

impl Keyring {
    pub(crate) fn new(tenants: Arc<Tenants>) -> Self {
        Self { tenants, rings: Cache::new(TENANTS), reading: Turnstile::new() }
    }

    /// The tenant's keys; the first is made when it is first needed.
    pub(crate) async fn of(&self, tenant: &Tenant) -> Result<Arc<Ring>> {
        match self.rings.get(&tenant.id) {
            Some(ring) => Ok(ring),
            None => self.read(tenant, |_| true).await,
        }
    }

    /// The tenant's keys, with the one that has an id if there is such a one: another process may have made it.
    pub(crate) async fn with(&self, tenant: &Tenant, kid: &str) -> Result<Arc<Ring>> {
        let ring = self.of(tenant).await?;
        if ring.verifying(kid).is_some() || ring.read.elapsed() < REREAD {
            return Ok(ring);
        }
        self.read(tenant, |ring| ring.verifying(kid).is_some() || ring.read.elapsed() < REREAD).await
    }

    /// Reads the keys, unless somebody has just done so and it is enough.
    async fn read(&self, tenant: &Tenant, enough: impl Fn(&Ring) -> bool) -> Result<Arc<Ring>> {
        let _pass = self.reading.enter(tenant.id).await;
        if let Some(ring) = self.rings.get(&tenant.id).filter(|ring| enough(ring)) {
            return Ok(ring);
        }
        let open = self.tenants.open(tenant).await?;
        let mut rows = keys::list(&open.system).await?;
        if rows.is_empty() {
            match keys::add(&open.system, generate(tenant.id, &open)?).await {
                // Another process was quicker: its first key has the same id.
                Err(store::Error::Unique(_)) => {}
                other => other?,
            }
            rows = keys::list(&open.system).await?;
        }
        let ring = Arc::new(assemble(tenant.id, &open, &rows)?);
        self.rings.insert(tenant.id, Arc::clone(&ring));
        Ok(ring)
    }
}

fn place(tenant: TenantId, kid: &str) -> Place<'_> {
    Place { tenant, table: KEYS, row: kid, column: "private" }
}

fn generate(tenant: TenantId, open: &OpenTenant) -> Result<KeyRow> {
    let failed = |_| Error::internal("a key pair could not be made");
    let pair = Ed25519KeyPair::generate().map_err(failed)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    let kid = format!("{tenant}.1");
    Ok(KeyRow {
        public: BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        private: open.key.seal(place(tenant, &kid), private.as_ref())?,
        kid,
    })
}

fn assemble(tenant: TenantId, open: &OpenTenant, rows: &[KeyRow]) -> Result<Ring> {
    let first = rows.first().ok_or_else(|| Error::internal("a signing key vanished after it was stored"))?;
    let private = open.key.open(place(tenant, &first.kid), &first.private)?;
    let verifying = |row: &KeyRow| {
        let key = DecodingKey::from_ed_components(&row.public).map_err(Error::internal)?;
        Ok((row.kid.clone(), key))
    };
    Ok(Ring {
        kid: first.kid.clone(),
        signing: EncodingKey::from_ed_der(&private),
        verifying: rows.iter().map(verifying).collect::<Result<_>>()?,
        read: Instant::now(),
    })
}
