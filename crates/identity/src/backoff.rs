//! Slows down whoever guesses at secrets. Guesses at passwords and codes slow down the network that they come from, so
//! that a stranger cannot lock a user out; what is short enough to be guessed from many networks is slowed down in
//! all of them, with pauses that stay short or where strangers cannot come.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use kernel::{Error, Reason, Result, TenantId};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

const REMEMBERED: usize = 50_000;

/// What is guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Guess {
    /// At a user's password, from one network.
    Password,
    /// At a user's PIN, from the few networks where PINs are taken.
    Pin,
    /// At anyone's card, from one network.
    Card,
    /// At a user's codes, from one network, by somebody who has the password.
    Code,
    /// The same, from all networks.
    CodeAnywhere,
}

/// How patient the server is.
struct Pace {
    /// Failures that are nobody's business.
    free: u32,
    /// The longest pause.
    longest: Duration,
    /// Time after which failures are forgotten.
    forgotten: Duration,
}

impl Guess {
    const fn pace(self) -> Pace {
        let (free, longest, forgotten) = match self {
            Self::Password => (5, Duration::from_mins(5), Duration::from_mins(15)),
            // At most about 100 a day: 4 digits withstand for weeks, while the audit log fills with it.
            Self::Pin => (3, Duration::from_mins(15), Duration::from_hours(24)),
            // A desk is shared: whoever comes next must not wait for long.
            Self::Card => (10, Duration::from_secs(30), Duration::from_mins(15)),
            Self::Code => (5, Duration::from_mins(15), Duration::from_hours(24)),
            // About two a minute at the most, of a million codes: months, and the user waits half a minute.
            Self::CodeAnywhere => (20, Duration::from_secs(30), Duration::from_hours(24)),
        };
        Pace { free, longest, forgotten }
    }
}

impl Pace {
    /// 1, 2, 4 … seconds after the failures that are free.
    fn pause(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1 << beyond.min(20)).min(self.longest),
        }
    }
}

/// Who guesses at whom: the user as a hash, and the network of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    guess: Guess,
    tenant: TenantId,
    user: [u8; 32],
    /// None for all networks together.
    network: Option<IpAddr>,
}

impl Target {
    /// A user's password. `user` is the name in lower case, as it was sent; whether it exists plays no part.
    pub(crate) fn new(tenant: TenantId, user: &str, client: IpAddr) -> Self {
        Self { guess: Guess::Password, tenant, user: Sha256::digest(user).into(), network: Some(network(client)) }
    }

    /// A user's PIN, by the name in lower case.
    pub(crate) fn pin(tenant: TenantId, user: &str) -> Self {
        Self { guess: Guess::Pin, tenant, user: Sha256::digest(user).into(), network: None }
    }

    /// The cards of all users.
    pub(crate) fn card(tenant: TenantId, client: IpAddr) -> Self {
        Self { guess: Guess::Card, tenant, user: [0; 32], network: Some(network(client)) }
    }

    /// A user's codes, by the user's id.
    pub(crate) fn code(tenant: TenantId, user: &str, client: IpAddr) -> [Self; 2] {
        let user = Sha256::digest(user).into();
        let here = Self { guess: Guess::Code, tenant, user, network: Some(network(client)) };
        [here, Self { guess: Guess::CodeAnywhere, network: None, ..here }]
    }
}

impl AsRef<[Self]> for Target {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
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
    /// Errors: 429 while the last failure at any of the targets is too near; then it counts at none.
    pub(crate) fn attempt(&self, targets: impl AsRef<[Target]>, now: Instant) -> Result<()> {
        let _counting = self.counting.lock();
        let targets = targets.as_ref();
        let left = targets.iter().map(|target| self.left(target, now)).max().unwrap_or_default();
        if !left.is_zero() {
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            return Err(Error::plain(Reason::RateLimited).retry_after(seconds));
        }
        for target in targets {
            let count = self.known(target, now).map_or(0, |known| known.count);
            self.recent.insert(*target, Failures { count: count.saturating_add(1), last: now });
        }
        Ok(())
    }

    fn known(&self, target: &Target, now: Instant) -> Option<Failures> {
        self.recent.get(target).filter(|known| now.duration_since(known.last) < target.guess.pace().forgotten)
    }

    /// What is left of the pause.
    fn left(&self, target: &Target, now: Instant) -> Duration {
        let Some(known) = self.known(target, now) else { return Duration::ZERO };
        target.guess.pace().pause(known.count).saturating_sub(now.duration_since(known.last))
    }

    /// Forgets all failures: the secret was right.
    pub(crate) fn forget(&self, targets: impl AsRef<[Target]>) {
        for target in targets.as_ref() {
            self.recent.remove(target);
        }
    }

    /// Takes one attempt back: it was not the caller who failed.
    pub(crate) fn forgive(&self, targets: impl AsRef<[Target]>) {
        let _counting = self.counting.lock();
        for target in targets.as_ref() {
            if let Some(known) = self.recent.get(target) {
                self.recent.insert(*target, Failures { count: known.count.saturating_sub(1), ..known });
            }
        }
    }

    /// Settles an attempt by its outcome: a right secret forgets, a failure of the server does not count.
    pub(crate) fn settle<T>(&self, targets: impl AsRef<[Target]>, outcome: &Result<T>) {
        match outcome {
            Ok(_) => self.forget(targets),
            // The secret was right; another one is asked for.
            Err(error) if error.reason == Reason::SecondFactorRequired => self.forget(targets),
            Err(error) if error.reason.status() >= 500 => self.forgive(targets),
            Err(_) => {}
        }
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
        backoff.forget(bob);
        backoff.attempt(bob, now).unwrap();
    }

    #[test]
    fn a_pin_is_guessed_at_a_hundred_times_a_day_at_the_most_wherever_from() {
        let (backoff, start) = (Backoff::new(), Instant::now());
        let bob = Target::pin(Uuid::nil(), "bob");
        let tries = (0..86_400).filter(|second| backoff.attempt(bob, start + Duration::from_secs(*second)).is_ok());
        assert!((90..120).contains(&tries.count()));
        backoff.attempt(Target::pin(Uuid::nil(), "eve"), start).unwrap();
    }

    #[test]
    fn codes_are_guessed_at_slowly_from_one_network_and_from_all() {
        let (backoff, mut now) = (Backoff::new(), Instant::now());
        let from = |network: u8| Target::code(Uuid::nil(), "bob", [192, 0, network, 1].into());
        for _ in 0..5 {
            backoff.attempt(from(1), now).unwrap();
        }
        assert!(backoff.attempt(from(1), now).is_err());
        for network in 2..17 {
            backoff.attempt(from(network), now).unwrap();
        }
        assert_eq!(backoff.attempt(from(99), now).unwrap_err().retry_after, Some(1), "from everywhere together");
        for pause in [1, 2, 4, 8, 16, 30, 30, 30] {
            now += Duration::from_secs(pause);
            backoff.attempt(from(50 + pause as u8), now).unwrap();
        }
        backoff.forget(from(99));
        backoff.attempt(from(99), now).unwrap();
    }
}
