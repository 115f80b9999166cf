//! Limits on requests from one address or with one API key: the generic cell rate algorithm, over a second and over a minute at once.
//!
//! Own code because both buckets must be looked at before either is used up, which no library at hand offers.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

use parking_lot::Mutex;

const SHARDS: usize = 64;
const MAX_KEYS: usize = 100_000;
const SWEEP_EVERY: u64 = Duration::from_secs(10).as_nanos() as u64;

/// Who is counted: an IPv4 address, an IPv6 network of 64 bits or an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    V4(u32),
    V6(u64),
    /// An API key.
    Key(u64),
}

impl From<IpAddr> for Counted {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// A bucket's rate. Times are nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Time that one request costs.
    cost: u64,
    /// How far the bucket may be ahead of the clock: `burst - 1` costs.
    tolerance: u64,
}

impl Rate {
    fn per(period: Duration, count: NonZeroU32) -> Self {
        let count = u64::from(count.get());
        let cost = (period.as_nanos() as u64 / count).max(1);
        Self { cost, tolerance: cost * (count - 1) }
    }

    /// Time to wait before a request fits into a bucket that is full until `full_until`.
    fn wait(self, full_until: u64, now: u64) -> u64 {
        full_until.saturating_sub(self.tolerance).saturating_sub(now)
    }
}

/// Until when each bucket of a key has something in it.
#[derive(Debug, Clone, Copy, Default)]
struct Buckets {
    second: u64,
    minute: u64,
}

impl Buckets {
    fn is_empty(self, now: u64) -> bool {
        self.second <= now && self.minute <= now
    }
}

#[derive(Debug, Default)]
struct Shard {
    buckets: HashMap<Counted, Buckets>,
    swept: u64,
}

impl Shard {
    /// Makes sure that one more key fits: drops empty buckets now and then, and the emptiest of a few when full.
    fn make_room(&mut self, now: u64) {
        const CAPACITY: usize = MAX_KEYS / SHARDS;
        if now >= self.swept + SWEEP_EVERY {
            self.swept = now;
            self.buckets.retain(|_, buckets| !buckets.is_empty(now));
        }
        if self.buckets.len() >= CAPACITY {
            let emptiest = self.buckets.iter().take(8).min_by_key(|(_, buckets)| buckets.minute).map(|(key, _)| *key);
            emptiest.and_then(|key| self.buckets.remove(&key));
        }
    }
}

/// Limits requests by whom they come from, in bounded memory.
#[derive(Debug)]
pub struct Limiter {
    second: Rate,
    minute: Rate,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

impl Limiter {
    /// A limiter that lets this many requests a second and a minute through, each as a burst too.
    pub fn new(per_second: NonZeroU32, per_minute: NonZeroU32) -> Self {
        Self {
            second: Rate::per(Duration::from_secs(1), per_second),
            minute: Rate::per(Duration::from_mins(1), per_minute),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Counts a request at `now`, a time since any fixed moment. An error is the number of whole seconds to wait, at
    /// least 1; a refused request is not counted.
    pub fn check(&self, client: IpAddr, now: Duration) -> Result<(), u64> {
        self.count(client.into(), now)
    }

    /// The same for the API key with a number.
    pub fn check_key(&self, key: u64, now: Duration) -> Result<(), u64> {
        self.count(Counted::Key(key), now)
    }

    fn count(&self, key: Counted, now: Duration) -> Result<(), u64> {
        let now = now.as_nanos() as u64;
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        let mut shard = shard.lock();
        let known = shard.buckets.get(&key).copied();
        let buckets = known.unwrap_or_default();
        let wait = self.second.wait(buckets.second, now).max(self.minute.wait(buckets.minute, now));
        if wait > 0 {
            return Err(Duration::from_nanos(wait).as_secs_f64().ceil().max(1.0) as u64);
        }
        if known.is_none() {
            shard.make_room(now);
        }
        let next = Buckets {
            second: buckets.second.max(now) + self.second.cost,
            minute: buckets.minute.max(now) + self.minute.cost,
        };
        shard.buckets.insert(key, next);
        Ok(())
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().buckets.len()).sum()
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
