//! Passwords: hashed and compared on a bounded pool, so that log-ins cannot starve queries.

use std::{num::NonZeroUsize, thread::available_parallelism};

use kernel::{Result, Secret};
use tokio::sync::OnceCell;

pub(crate) use crate::hash::Verdict;
use crate::{IdentityConfig, hash::Scheme, hash_pool::HashPool};

/// The pool and what it does.
pub(crate) struct Hasher {
    scheme: Scheme,
    pool: HashPool,
    /// What is compared with where there is no hash, so that no answer comes sooner than another.
    dummy: OnceCell<String>,
    #[cfg(test)]
    comparisons: std::sync::atomic::AtomicU64,
}

impl Hasher {
    pub(crate) fn new(config: &IdentityConfig) -> Self {
        let threads = config.hash_threads.unwrap_or_else(spare_cores);
        Self {
            scheme: Scheme::of(config),
            pool: HashPool::new(threads, config.hash_queue, config.hash_wait.0),
            dummy: OnceCell::new(),
            #[cfg(test)]
            comparisons: 0.into(),
        }
    }

    /// The hash of a password, as it is stored. Errors: 422 `password_unfit` where it is longer than bcrypt can tell;
    /// 503 `busy`.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String> {
        self.scheme.check(password)?;
        let (scheme, password) = (self.scheme.clone(), password.clone());
        self.pool.run(move || scheme.hash(&password)).await?
    }

    /// Compares a password with a hash, or with nothing in the same time. Errors: 503 `busy`.
    pub(crate) async fn compare(&self, password: &Secret, known: Option<&str>) -> Result<Verdict> {
        let dummy = self.dummy().await?;
        #[cfg(test)]
        self.comparisons.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let is_known = known.is_some();
        let (scheme, password, known) = (self.scheme.clone(), password.clone(), known.unwrap_or(dummy).to_owned());
        self.pool
            .run(move || match scheme.compare(&password, &known) {
                Verdict::Right | Verdict::Outdated if !is_known => Verdict::Wrong,
                verdict => verdict,
            })
            .await
    }

    /// Refuses now what would be refused when it comes to hashing. Errors: 503 `busy`.
    pub(crate) fn require_room(&self) -> Result<()> {
        self.pool.require_room()
    }

    async fn dummy(&self) -> Result<&String> {
        self.dummy.get_or_try_init(|| async { self.hash(&Secret::new(uuid::Uuid::new_v4().to_string())).await }).await
    }

    #[cfg(test)]
    pub(crate) fn comparisons(&self) -> u64 {
        self.comparisons.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// One core is left to everything else.
fn spare_cores() -> NonZeroUsize {
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(cores.get() - 1).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::{Hasher, Verdict};
    use crate::IdentityConfig;
    use kernel::{ByteSize, Secret};

    #[tokio::test]
    async fn a_hash_knows_its_password_and_tells_when_it_is_outdated() {
        let hasher = Hasher::new(&IdentityConfig::default());
        let (right, wrong) = (Secret::new("a good long one"), Secret::new("a bad long one"));
        let hash = hasher.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash(&right).await.unwrap());
        assert_eq!(hasher.compare(&right, Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(hasher.compare(&wrong, Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.compare(&right, None).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.compare(&right, Some("not a hash")).await.unwrap(), Verdict::Wrong);
        let other = Hasher::new(&IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() });
        assert_eq!(other.compare(&right, Some(&hash)).await.unwrap(), Verdict::Outdated);
    }
}
