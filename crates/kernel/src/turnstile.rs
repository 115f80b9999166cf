//! Lets one at a time through for each key: the others wait, and then find the work done.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// One lock a key, kept while somebody holds it or waits for it.
pub struct Turnstile<K: Eq + Hash + Clone>(Mutex<HashMap<K, Arc<Lock<()>>>>);

/// Being through. The next one follows when it is dropped.
pub struct Pass<'a, K: Eq + Hash + Clone> {
    // Dropped first, so that the ticket sees who else is there.
    _guard: OwnedMutexGuard<()>,
    _ticket: Ticket<'a, K>,
}

struct Ticket<'a, K: Eq + Hash + Clone> {
    turnstile: &'a Turnstile<K>,
    key: K,
    lock: Arc<Lock<()>>,
}

impl<K: Eq + Hash + Clone> Turnstile<K> {
    /// One without locks.
    pub fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Waits for one's turn.
    pub async fn enter(&self, key: K) -> Pass<'_, K> {
        let lock = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        let ticket = Ticket { turnstile: self, key, lock };
        let guard = Arc::clone(&ticket.lock).lock_owned().await;
        Pass { _guard: guard, _ticket: ticket }
    }
}

impl<K: Eq + Hash + Clone> Default for Turnstile<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Eq + Hash + Clone> Drop for Ticket<'_, K> {
    fn drop(&mut self) {
        let mut locks = self.turnstile.0.lock();
        // The map's and this one: nobody else waits, and under the map's lock nobody can begin to.
        if Arc::strong_count(&self.lock) == 2 {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turnstile;
    use std::{sync::Arc, time::Duration};

    #[tokio::test]
    async fn one_at_a_time_for_a_key_and_nothing_is_kept() {
        let turnstile = Arc::new(Turnstile::new());
        let pass = turnstile.enter(1).await;
        drop(turnstile.enter(2).await);
        assert!(tokio::time::timeout(Duration::from_millis(5), turnstile.enter(1)).await.is_err());
        let second = tokio::spawn({
            let turnstile = Arc::clone(&turnstile);
            async move { drop(turnstile.enter(1).await) }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(pass);
        second.await.unwrap();
        assert!(turnstile.0.lock().is_empty());
    }
}
