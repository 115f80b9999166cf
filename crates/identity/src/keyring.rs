//! The key pairs that sign a tenant's tokens: the newest signs, older ones verify what they have signed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, EncodingKey};
use kernel::{Error, Result, Tenant, TenantId, seal::Place, time::Timestamp, turnstile::Turnstile};
use quick_cache::sync::Cache;
use store::{OpenTenant, Tenants};

use crate::{
    IdentityConfig, TokenAlgorithm,
    sessions::after,
    signing_key::{self, Pair, PublicKey},
    tables::keys::{self, KEYS, KeyRow, Stopped},
};

const TENANTS: usize = 10_000;
/// An unknown key makes the ring be read again, but not more often than this: strangers choose what is unknown.
const REREAD: Duration = Duration::from_secs(1);
/// How long a process signs with what it has read: another one may have made a new key.
const BELIEVED: Duration = Duration::from_mins(1);
/// How much longer than its tokens a key verifies: a process that has not noticed still signs with it.
const OVERLAP: Duration = Duration::from_mins(5);

/// The keys of one tenant.
pub(crate) struct Ring {
    /// The key that signs.
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) signing: EncodingKey,
    /// All that verify, the newest first.
    pub(crate) public: Vec<PublicKey>,
    newest: Newest,
    read: Instant,
}

/// What decides whether a key shall go on signing.
#[derive(Clone, Copy)]
struct Newest {
    number: u64,
    algorithm: TokenAlgorithm,
    created_at: Timestamp,
    signs: bool,
}

impl Newest {
    fn suits(self, settings: &IdentityConfig) -> bool {
        let end = after(self.created_at, settings.signing_key_lifetime.0);
        self.signs && self.algorithm == settings.token_algorithm && kernel::time::now() < end
    }
}

impl Ring {
    /// The public key with an id.
    pub(crate) fn verifying(&self, kid: &str) -> Option<&PublicKey> {
        self.public.iter().find(|key| key.kid == kid)
    }

    fn is_fresh(&self) -> bool {
        self.read.elapsed() < BELIEVED
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

    /// The tenant's keys, the newest as the settings want it: the first is made when it is first needed, and another
    /// where the newest is too old or of another algorithm.
    pub(crate) async fn to_sign(&self, tenant: &Tenant, settings: &IdentityConfig) -> Result<Arc<Ring>> {
        let good = |ring: &Ring| ring.is_fresh() && ring.newest.suits(settings);
        match self.rings.get(&tenant.id).filter(|ring| good(ring)) {
            Some(ring) => Ok(ring),
            None => self.read(tenant, settings, good, |newest| !newest.suits(settings)).await,
        }
    }

    /// The tenant's keys, with the one that has an id if there is such a one: another process may have made it.
    pub(crate) async fn with(&self, tenant: &Tenant, settings: &IdentityConfig, kid: &str) -> Result<Arc<Ring>> {
        let ring = match self.rings.get(&tenant.id) {
            Some(ring) => ring,
            None => self.read(tenant, settings, |_| true, |_| false).await?,
        };
        // Whoever makes up an id waits longer than whoever has a token of the newest key, but costs no more.
        if ring.verifying(kid).is_some() || number(tenant.id, kid).is_none_or(|number| number <= ring.newest.number) {
            return Ok(ring);
        }
        if let Some(rest) = REREAD.checked_sub(ring.read.elapsed()) {
            tokio::time::sleep(rest).await;
        }
        let enough = |ring: &Ring| ring.verifying(kid).is_some() || ring.read.elapsed() < REREAD;
        self.read(tenant, settings, enough, |_| false).await
    }

    /// Makes a new key, which signs from now on; answers its id. Of two processes that do so at once one makes it.
    pub(crate) async fn rotate(&self, tenant: &Tenant, settings: &IdentityConfig) -> Result<String> {
        let ring = self.read(tenant, settings, |_| false, |_| true).await?;
        Ok(ring.kid.clone())
    }

    /// The tenant's keys as the database has them, unless somebody has just read them and it is enough. Where there is
    /// none, or the newest is outdated, one is made.
    async fn read(
        &self,
        tenant: &Tenant,
        settings: &IdentityConfig,
        enough: impl Fn(&Ring) -> bool,
        is_outdated: impl Fn(Newest) -> bool,
    ) -> Result<Arc<Ring>> {
        let _pass = self.reading.enter(tenant.id).await;
        if let Some(ring) = self.rings.get(&tenant.id).filter(|ring| enough(ring)) {
            return Ok(ring);
        }
        let open = self.tenants.open(tenant).await?;
        let mut rows = list(tenant.id, &open).await?;
        let newest = rows.first().map(|(number, row)| newest(*number, row));
        if newest.is_none_or(is_outdated) {
            self.make(tenant, &open, settings, rows.first()).await?;
            rows = list(tenant.id, &open).await?;
        }
        let ring = Arc::new(assemble(tenant.id, &open, &rows)?);
        self.rings.insert(tenant.id, Arc::clone(&ring));
        Ok(ring)
    }

    async fn make(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        settings: &IdentityConfig,
        before: Option<&(u64, KeyRow)>,
    ) -> Result<()> {
        let now = kernel::time::now();
        let kid = format!("{}.{}", tenant.id, before.map_or(0, |(number, _)| *number) + 1);
        let pair = Pair::generate(settings.token_algorithm)?;
        let key = KeyRow {
            algorithm: settings.token_algorithm,
            public: pair.public,
            private: open.key.seal(place(tenant.id, &kid), &pair.private)?,
            created_at: now,
            retired_at: None,
            kid,
        };
        let stopped = match before {
            None => None,
            Some((_, before)) => Some(Stopped {
                kid: before.kid.clone(),
                blank: open.key.seal(place(tenant.id, &before.kid), &[])?,
                verifies_until: after(after(now, settings.session_max_lifetime.0), OVERLAP),
            }),
        };
        let (made, had) = (key.kid.clone(), stopped.is_some());
        match keys::add(&open.system, key, stopped).await {
            Ok(()) if had => {
                tracing::info!(
                    target: "audit", action = "rotate-signing-key", outcome = "ok", tenant = tenant.name, kid = made,
                );
                Ok(())
            }
            // Another process was quicker: its key has the same id.
            Ok(()) | Err(store::Error::Unique(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The keys with their numbers, the newest first.
async fn list(tenant: TenantId, open: &OpenTenant) -> Result<Vec<(u64, KeyRow)>> {
    let rows = keys::list(&open.system).await?;
    let numbered = |row: KeyRow| {
        let malformed = || Error::internal("a signing key has an id of another form");
        Ok((number(tenant, &row.kid).ok_or_else(malformed)?, row))
    };
    let mut rows = rows.into_iter().map(numbered).collect::<Result<Vec<_>>>()?;
    rows.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(rows)
}

/// A key's number from its id.
fn number(tenant: TenantId, kid: &str) -> Option<u64> {
    let number = kid.strip_prefix(&*tenant.to_string())?.strip_prefix('.')?;
    number.parse().ok().filter(|parsed: &u64| parsed.to_string() == number)
}

fn newest(number: u64, row: &KeyRow) -> Newest {
    Newest { number, algorithm: row.algorithm, created_at: row.created_at, signs: row.retired_at.is_none() }
}

fn place(tenant: TenantId, kid: &str) -> Place<'_> {
    Place { tenant, table: KEYS, row: kid, column: "private" }
}

fn assemble(tenant: TenantId, open: &OpenTenant, rows: &[(u64, KeyRow)]) -> Result<Ring> {
    let (first, row) = rows.first().ok_or_else(|| Error::internal("a signing key vanished after it was stored"))?;
    let private = open.key.open(place(tenant, &row.kid), &row.private)?;
    let now = kernel::time::now();
    let verifying = rows.iter().filter(|(_, row)| row.retired_at.is_none_or(|retired_at| now < retired_at));
    Ok(Ring {
        kid: row.kid.clone(),
        algorithm: signing_key::jwt_algorithm(row.algorithm),
        signing: signing_key::signing(row.algorithm, &private),
        public: verifying.map(|(_, row)| PublicKey::new(row)).collect::<Result<_>>()?,
        newest: newest(*first, row),
        read: Instant::now(),
    })
}

#[cfg(test)]
mod tests {
    use super::number;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn ids_of_keys() {
        let tenant = Uuid::from_u128(7);
        assert_eq!(number(tenant, &format!("{tenant}.12")), Some(12));
        for bad in ["1", "", ".", ".01", ".+1", ".-1", ".1.2", ".1/../x", "..1", ".18446744073709551616"] {
            assert_eq!(number(tenant, &format!("{tenant}{bad}")), None, "{bad}");
        }
        assert_eq!(number(Uuid::nil(), &format!("{tenant}.12")), None);
    }

    proptest! {
        #[test]
        fn no_id_panics(kid in ".*") {
            let _ = number(Uuid::nil(), &kid);
        }
    }
}
