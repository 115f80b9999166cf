//! Rate classes: limits on the requests of one key.

use std::{num::NonZeroU32, sync::Arc, time::Instant};

use edge::limit::Limiter;
use kernel::{Error, Reason, Result};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

/// Classes that are remembered with what their keys have used up.
const CLASSES: usize = 1_000;

/// How many requests a key may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateClass {
    /// Requests a second.
    pub per_second: NonZeroU32,
    /// Requests a minute.
    pub per_minute: NonZeroU32,
}

/// What the keys of all classes have used up on this node.
pub(crate) struct Rates {
    limiters: Cache<RateClass, Arc<Limiter>>,
    started: Instant,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self { limiters: Cache::new(CLASSES), started: Instant::now() }
    }

    /// Counts a request of a key. Errors: 429.
    pub(crate) fn check(&self, class: RateClass, key: u64) -> Result<()> {
        let make = || Ok::<_, Error>(Arc::new(Limiter::new(class.per_second, class.per_minute)));
        let limiter = self.limiters.get_or_insert_with(&class, make)?;
        let refused =
            |seconds| Error::new(Reason::RateLimited, "Too many requests with this API key").retry_after(seconds);
        limiter.check_key(key, self.started.elapsed()).map_err(refused)
    }
}
