//! Hashing of passwords: Argon2id on a bounded pool, so that log-ins cannot starve queries.

use std::{num::NonZeroUsize, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use kernel::{Error, Reason, Result, Secret};
use tokio::sync::{OnceCell, Semaphore};

use crate::IdentityConfig;

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another password, or there is none to compare with.
    Wrong,
    /// The password.
    Right,
    /// The password, but its hash was made with other parameters than those in force.
    Outdated,
}

/// The pool.
pub(crate) struct Hasher {
    params: Params,
    /// Running and waiting together.
    places: Semaphore,
    threads: Arc<Semaphore>,
    /// What is compared with where there is no hash, so that no answer comes sooner than another.
    dummy: OnceCell<String>,
    #[cfg(test)]
    comparisons: std::sync::atomic::AtomicU64,
}

impl Hasher {
    pub(crate) fn new(config: &IdentityConfig) -> Self {
        let kilobytes = u32::try_from(config.password_memory.0 >> 10).unwrap_or(Params::MAX_M_COST);
        let kilobytes = kilobytes.max(Params::MIN_M_COST);
        let params = Params::new(kilobytes, config.password_passes.get(), Params::DEFAULT_P_COST, None);
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = config.hash_threads.unwrap_or_else(cores).get().min(Semaphore::MAX_PERMITS / 2);
        Self {
            params: params.unwrap_or(Params::DEFAULT),
            places: Semaphore::new(threads + config.hash_queue.min(Semaphore::MAX_PERMITS / 2)),
            threads: Arc::new(Semaphore::new(threads)),
            dummy: OnceCell::new(),
            #[cfg(test)]
            comparisons: 0.into(),
        }
    }

    /// The hash of a password as a PHC string. Errors: 503 `busy`.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String> {
        let (params, password) = (self.params.clone(), password.clone());
        self.run(move || hash(params, &password)).await?
    }

    /// Compares a password with a hash, or with nothing in the same time. Errors: 503 `busy`.
    pub(crate) async fn compare(&self, password: &Secret, known: Option<&str>) -> Result<Verdict> {
        let dummy = self.dummy().await?;
        #[cfg(test)]
        self.comparisons.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let is_known = known.is_some();
        let (params, password, known) = (self.params.clone(), password.clone(), known.unwrap_or(dummy).to_owned());
        self.run(move || match compare(&params, &password, &known) {
            Verdict::Right | Verdict::Outdated if !is_known => Verdict::Wrong,
            verdict => verdict,
        })
        .await
    }

    async fn dummy(&self) -> Result<&String> {
        self.dummy.get_or_try_init(|| async { self.hash(&Secret::new(uuid::Uuid::new_v4().to_string())).await }).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || Error::new(Reason::Busy, "Too many log-ins at once; try again shortly").retry_after(1);
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Error::internal)?;
        let work = move || {
            let value = work();
            drop(thread);
            value
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }

    #[cfg(test)]
    pub(crate) fn comparisons(&self) -> u64 {
        self.comparisons.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(params: Params, password: &Secret) -> Result<String> {
    let hash = argon2(params).hash_password(password.expose().as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
}

fn compare(params: &Params, password: &Secret, known: &str) -> Verdict {
    let Ok(known) = PasswordHash::new(known) else { return Verdict::Wrong };
    if argon2(params.clone()).verify_password(password.expose().as_bytes(), &known).is_err() {
        return Verdict::Wrong;
    }
    let made_with = Params::try_from(&known).ok();
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let current = known.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && made_with.is_some_and(|made_with| costs(&made_with) == costs(params));
    if current { Verdict::Right } else { Verdict::Outdated }
}

#[cfg(test)]
mod tests {
    use super::{Hasher, Verdict};
    use crate::IdentityConfig;
    use kernel::{ByteSize, Reason, Secret};
    use std::{num::NonZeroUsize, sync::Arc};

    fn cheap() -> IdentityConfig {
        IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() }
    }

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
        let other = Hasher::new(&cheap());
        assert_eq!(other.compare(&right, Some(&hash)).await.unwrap(), Verdict::Outdated);
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let config = IdentityConfig { hash_threads: NonZeroUsize::new(1), hash_queue: 1, ..cheap() };
        let hasher = Arc::new(Hasher::new(&config));
        let thread = Arc::clone(&hasher.threads).acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.hash(&Secret::new("x")).await })
            })
            .collect();
        while hasher.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let error = hasher.hash(&Secret::new("x")).await.unwrap_err();
        assert_eq!((error.reason, error.retry_after), (Reason::Busy, Some(1)));
        drop(thread);
        for task in waiting {
            assert!(task.await.unwrap().is_ok());
        }
    }
}
