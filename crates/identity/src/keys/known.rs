//! Keys that were good a moment ago: what this process knows of them, and for how long it believes it.
//!
//! A key is read with its owner and group and believed for [`BELIEVED`], so that a request with a key costs no look-up.
//! What is revoked here is dead here at once; other processes notice within [`BELIEVED`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use kernel::{Principal, TenantId, turnstile::Turnstile};
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::{Key, rates::Rates, uses::Uses};
use crate::{sessions::BELIEVED, tokens::TokenHash};

const REMEMBERED: usize = 50_000;
const TENANTS: usize = 50_000;

/// A key that was good when it was read, and who it acts as.
pub(crate) struct Known {
    pub(crate) key: Key,
    pub(crate) principal: Arc<Principal>,
    pub(crate) tenant: TenantId,
    /// The random part of the id.
    pub(crate) number: u64,
    pub(crate) read: Instant,
    /// Whether its use was noted since it was read.
    pub(crate) noted: AtomicBool,
}

impl Known {
    fn is_believed(&self) -> bool {
        self.read.elapsed() < BELIEVED
    }
}

/// What this process knows of the keys in use.
pub(crate) struct Keys {
    known: Cache<TokenHash, Arc<Known>>,
    /// Counts what happened to keys here, so that whoever reads a key meanwhile does not keep it.
    doubts: AtomicU64,
    /// Whether a tenant has keys of other back ends, and when that was read.
    imported: Cache<TenantId, (Instant, bool)>,
    pub(crate) reading: Turnstile<TokenHash>,
    pub(crate) uses: Uses,
    pub(crate) rates: Rates,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::new(REMEMBERED),
            doubts: AtomicU64::new(0),
            imported: Cache::new(TENANTS),
            reading: Turnstile::new(),
            uses: Uses::default(),
            rates: Rates::new(),
        }
    }

    /// What is known of a key by its text, if that can be believed.
    pub(crate) fn believed(&self, tenant: TenantId, hash: &TokenHash) -> Option<Arc<Known>> {
        self.known.get(hash).filter(|known| known.tenant == tenant && known.is_believed())
    }

    /// How much was doubted so far, for [`Self::keep`].
    pub(crate) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::SeqCst)
    }

    /// Keeps what was read of a key, unless something happened to keys since `doubts`.
    pub(crate) fn keep(&self, hash: TokenHash, known: &Arc<Known>, doubts: u64) {
        self.known.insert(hash, Arc::clone(known));
        // In this order and the other way round in `doubt`, so that one of the two removes it.
        if self.doubts() != doubts {
            self.known.remove(&hash);
        }
    }

    /// Forgets a key by its text.
    pub(crate) fn forget(&self, hash: &TokenHash) {
        self.known.remove(hash);
    }

    /// Makes this process read keys anew that have changed, or whose owner or group has.
    pub(crate) fn doubt(&self, changed: impl Fn(&Key, &Principal) -> bool) {
        self.doubts.fetch_add(1, Ordering::SeqCst);
        self.known.retain(|_, known| !changed(&known.key, &known.principal));
    }

    /// The same for the keys of a user.
    pub(crate) fn doubt_of(&self, owner: Uuid) {
        self.doubt(|key, _| key.owner == owner);
    }

    /// Whether a tenant has keys of other back ends, if that was read a moment ago.
    pub(crate) fn has_imported(&self, tenant: TenantId) -> Option<bool> {
        self.imported.get(&tenant).filter(|(read, _)| read.elapsed() < BELIEVED).map(|(_, any)| any)
    }

    /// Keeps whether a tenant has keys of other back ends.
    pub(crate) fn keep_imported(&self, tenant: TenantId, any: bool) {
        self.imported.insert(tenant, (Instant::now(), any));
    }
}
