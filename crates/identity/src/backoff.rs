//! Slows down whoever guesses at one user's password from one network. Nobody else is slowed down by that, so that a
//! stranger cannot lock a user out.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use kernel::{Error, Reason, Result, TenantId};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

const REMEMBERED: usize = 50_000;
/// Failures that are nobody's business.
const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_mins(5);
/// Time after which failures are forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);

/// Who guesses at whom: the user as a hash, and the network of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    tenant: TenantId,
    user: [u8; 32],
    network: IpAddr,
}

impl Target {
    /// `user` is the name in lower case, as it was sent; whether it exists plays no part.
    pub(crate) fn new(tenant: TenantId, user: &str, client: IpAddr) -> Self {
        Self { tenant, user: Sha256::digest(user).into(), network: network(client) }
    }
}

/// /24 of IPv4, /64 of IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & 0xffff_ff00).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Failures of late.
pub(crate) struct Backoff {
    recent: Cache<Target, Failures>,
    /// Held while a count is read and written, so that attempts at the same time all count.
    counting: Mutex<()>,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { recent: Cache::new(REMEMBERED), counting: Mutex::new(()) }
    }

    /// Counts an attempt as failed until [`Self::forget`] says otherwise, so that many at once gain nothing.
    /// Errors: 429 while the last failure is too near.
    pub(crate) fn attempt(&self, target: Target, now: Instant) -> Result<()> {
        let _counting = self.counting.lock();
        let known = self.recent.get(&target).filter(|known| now.duration_since(known.last) < FORGOTTEN);
        let count = known.map_or(0, |known| known.count);
        if let Some(known) = known {
            let left = pause(count).saturating_sub(now.duration_since(known.last));
            if !left.is_zero() {
                let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                return Err(Error::plain(Reason::RateLimited).retry_after(seconds));
            }
        }
        self.recent.insert(target, Failures { count: count.saturating_add(1), last: now });
        Ok(())
    }

    /// Forgets all failures: the password was right.
    pub(crate) fn forget(&self, target: &Target) {
        self.recent.remove(target);
    }

    /// Takes one attempt back: it was not the caller who failed.
    pub(crate) fn forgive(&self, target: Target) {
        let _counting = self.counting.lock();
        if let Some(known) = self.recent.get(&target) {
            self.recent.insert(target, Failures { count: known.count.saturating_sub(1), ..known });
        }
    }
}

/// 1, 2, 4 … seconds from the fifth failure on.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1 << beyond.min(20)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Target};
    use kernel::Reason;
    use std::time::{Duration, Instant};
    use uuid::Uuid;

    fn target(user: &str, address: &str) -> Target {
        Target::new(Uuid::nil(), user, address.parse().unwrap())
    }

    #[test]
    fn pauses_grow_and_reach_one_user_from_one_network() {
        let (backoff, mut now) = (Backoff::new(), Instant::now());
        let bob = target("bob", "192.0.2.1");
        for _ in 0..5 {
            backoff.attempt(bob, now).unwrap();
        }
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let error = backoff.attempt(bob, now).unwrap_err();
            assert_eq!((error.reason, error.retry_after), (Reason::RateLimited, Some(pause)));
            now += Duration::from_secs(pause);
            backoff.attempt(bob, now).unwrap();
        }
        assert!(backoff.attempt(target("bob", "192.0.2.77"), now).is_err(), "the same network");
        backoff.attempt(target("bob", "192.0.3.1"), now).unwrap();
        backoff.attempt(target("eve", "192.0.2.1"), now).unwrap();
        backoff.attempt(bob, now + Duration::from_mins(15)).unwrap();
    }

    #[test]
    fn success_forgets_and_a_busy_server_is_not_held_against_the_caller() {
        let (backoff, now) = (Backoff::new(), Instant::now());
        let bob = target("bob", "2001:db8::1");
        for _ in 0..50 {
            backoff.attempt(bob, now).unwrap();
            backoff.forgive(bob);
        }
        for _ in 0..5 {
            backoff.attempt(bob, now).unwrap();
        }
        assert!(backoff.attempt(target("bob", "2001:db8::ffff"), now).is_err());
        backoff.forget(&bob);
        backoff.attempt(bob, now).unwrap();
    }
}
