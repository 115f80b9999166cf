//! A document of a provider: fetched when it is first needed, kept for a while, and by one fetch for all who wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{
    future::Cache,
    ops::compute::{CompResult, Op},
};
use parking_lot::Mutex;

use crate::error::{Error, Result};

/// Time for which a document is believed.
const LIFETIME: Duration = Duration::from_hours(1);
/// Time between two fetches that strangers can cause.
const AGAIN: Duration = Duration::from_mins(1);

/// One document.
pub(crate) struct Kept<T> {
    /// At most one entry.
    cache: Cache<(), Arc<T>>,
    again: Duration,
    /// When it was last asked for, with or without success.
    asked: Mutex<Option<Instant>>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(crate) fn new() -> Self {
        Self::lasting(LIFETIME, AGAIN)
    }

    pub(crate) fn lasting(lifetime: Duration, again: Duration) -> Self {
        let cache = Cache::builder().max_capacity(1).time_to_live(lifetime).build();
        Self { cache, again, asked: Mutex::new(None) }
    }

    /// The document, fetched if it is not there.
    pub(crate) async fn get(&self, fetch: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let fetch = async {
            self.note();
            fetch.await.map(Arc::new)
        };
        self.cache.try_get_with((), fetch).await.map_err(|error: Arc<Error>| (*error).clone())
    }

    /// The document, fetched once more unless that was done a short while ago.
    pub(crate) async fn renewed(&self, fetch: impl Future<Output = Result<T>>) -> Result<Option<Arc<T>>> {
        let renew = |_| async {
            if self.is_recent() {
                return Ok::<_, Error>(Op::Nop);
            }
            self.note();
            Ok(Op::Put(Arc::new(fetch.await?)))
        };
        Ok(match self.cache.entry(()).and_try_compute_with(renew).await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        })
    }

    fn note(&self) {
        *self.asked.lock() = Some(Instant::now());
    }

    fn is_recent(&self) -> bool {
        self.asked.lock().is_some_and(|asked| asked.elapsed() < self.again)
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
