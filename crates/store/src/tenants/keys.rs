//! The installation's keys, under which the keys of the tenants are wrapped.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use kernel::{
    Error, Reason,
    seal::{self, Place, SealingKey},
};
use tokio::sync::Mutex;

/// How long a key that was looked for in vain is not looked for again.
const IN_VAIN: Duration = Duration::from_secs(2);

type Source = dyn Fn() -> Vec<SealingKey> + Send + Sync;

/// The installation's key, and others that open what was wrapped before or during a change of it.
#[derive(Clone)]
pub struct MasterKeys(Arc<Inner>);

struct Inner {
    /// The installation's key first.
    keys: ArcSwap<Vec<SealingKey>>,
    source: Option<Box<Source>>,
    /// The id that was last looked for in vain.
    missed: Mutex<Option<(String, Instant)>>,
}

impl From<SealingKey> for MasterKeys {
    fn from(key: SealingKey) -> Self {
        Self::new(key, Vec::new())
    }
}

impl MasterKeys {
    /// The installation's key and others that may still be in use.
    pub fn new(key: SealingKey, others: Vec<SealingKey>) -> Self {
        Self::made(key, others, None)
    }

    /// The same with a place where keys are looked for that appear while the process runs. `source` may block.
    pub fn with_source(
        key: SealingKey,
        others: Vec<SealingKey>,
        source: impl Fn() -> Vec<SealingKey> + Send + Sync + 'static,
    ) -> Self {
        Self::made(key, others, Some(Box::new(source)))
    }

    fn made(key: SealingKey, mut others: Vec<SealingKey>, source: Option<Box<Source>>) -> Self {
        others.insert(0, key);
        Self(Arc::new(Inner { keys: ArcSwap::from_pointee(others), source, missed: Mutex::default() }))
    }

    /// The installation's key.
    pub(super) fn first(&self) -> SealingKey {
        self.0.keys.load()[0].clone()
    }

    /// Every key that is held.
    pub(super) fn all(&self) -> Arc<Vec<SealingKey>> {
        self.0.keys.load_full()
    }

    /// Holds a further key.
    pub(super) fn add(&self, key: &SealingKey) {
        if self.held(key.id()).is_none() {
            self.0.keys.rcu(|keys| [keys, std::slice::from_ref(key)].concat());
        }
    }

    /// The key of an id. One that is not held is looked for where keys come from, once however many ask.
    pub(super) async fn find(&self, id: &str) -> Option<SealingKey> {
        if let Some(key) = self.held(id) {
            return Some(key);
        }
        self.0.source.as_ref()?;
        let mut missed = self.0.missed.lock().await;
        if let Some(key) = self.held(id) {
            return Some(key);
        }
        if missed.as_ref().is_some_and(|(other, at)| other == id && at.elapsed() < IN_VAIN) {
            return None;
        }
        let inner = Arc::clone(&self.0);
        let found = tokio::task::spawn_blocking(move || inner.source.as_ref().map(|source| source())).await;
        found.ok().flatten().unwrap_or_default().iter().for_each(|key| self.add(key));
        let key = self.held(id);
        *missed = key.is_none().then(|| (id.to_owned(), Instant::now()));
        key
    }

    /// Opens a wrapped key, whichever of the installation's keys it is wrapped under.
    ///
    /// Errors: 503 `secrets_unreadable` where that key is not held.
    pub(super) async fn unwrap_key(&self, place: Place<'_>, wrapped: &str) -> kernel::Result<SealingKey> {
        if let Some(id) = seal::key_id(wrapped) {
            let key = self.find(id).await.ok_or_else(|| self.unknown(id))?;
            return key.unwrap_key(place, wrapped);
        }
        opener(&self.all(), place, wrapped).map(|(_, key)| key)
    }

    /// The refusal of a key that this process was not given.
    pub(super) fn unknown(&self, id: &str) -> Error {
        let own = self.first();
        Error::new(
            Reason::SecretsUnreadable,
            format!(
                "The tenants' keys are sealed under the installation's key {id}; this process was given another, {}. \
                 Put the right one back, or give the old one as previous_master_key beside the new and run: insula \
                 key rotate-master",
                own.id()
            ),
        )
    }

    fn held(&self, id: &str) -> Option<SealingKey> {
        self.0.keys.load().iter().find(|key| key.id() == id).cloned()
    }
}

/// The one of the keys that opens a wrapped key, and that key.
pub(super) fn opener<'k>(
    keys: &'k [SealingKey],
    place: Place<'_>,
    wrapped: &str,
) -> kernel::Result<(&'k SealingKey, SealingKey)> {
    let opened = keys.iter().find_map(|key| Some((key, key.unwrap_key(place, wrapped).ok()?)));
    opened.ok_or_else(|| {
        let message = "A tenant's key opens with none of the installation's keys that this process was given; put the \
            right one back, or give it as previous_master_key";
        Error::new(Reason::SecretsUnreadable, message)
    })
}
