//! The ticket: what stands for the first step of a log in until the second.
//!
//! It is worth nothing as a token, opens only the tenant whose key made it, and is void once the user's password, PIN or
//! card has changed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use kernel::{Error, Reason, Result, seal::SealingKey};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::{entry::Method, tables::users::Locked};

/// Seconds for which a ticket is good.
pub(super) const LIFETIME: u64 = 300;
/// Codes that may be tried with one ticket.
const TRIES: u8 = 5;
const REMEMBERED: usize = 50_000;

const METHODS: [Method; 7] =
    [Method::Password, Method::Pin, Method::Card, Method::Register, Method::Anonymous, Method::Link, Method::Exchange];
const USER: usize = 16;
const ID: usize = 16;
const CREDENTIALS: usize = 16;
const MAC: usize = 32;
const BODY: usize = USER + 1 + 8 + ID + CREDENTIALS;

/// What a genuine ticket says.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) user: Uuid,
    /// The way in that the user came to it.
    pub(super) method: Method,
    id: [u8; ID],
    credentials: [u8; CREDENTIALS],
}

impl Ticket {
    /// A ticket for a user whose row is locked. `now` in Unix seconds.
    pub(super) fn write(key: &SealingKey, user: Uuid, method: Method, locked: &Locked, now: u64) -> String {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or_default() as u8;
        let mut bytes = Vec::with_capacity(BODY + MAC);
        bytes.extend_from_slice(user.as_bytes());
        bytes.push(method);
        bytes.extend_from_slice(&(now + LIFETIME).to_be_bytes());
        bytes.extend_from_slice(Uuid::new_v4().as_bytes());
        bytes.extend_from_slice(&credentials(key, locked));
        let mac = key.mac("ticket", &[&bytes]);
        bytes.extend_from_slice(&mac);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Errors: 401 `ticket_invalid`.
    pub(super) fn read(key: &SealingKey, text: &str, now: u64) -> Result<Self> {
        Self::genuine(key, text, now).ok_or_else(invalid)
    }

    fn genuine(key: &SealingKey, text: &str, now: u64) -> Option<Self> {
        // Longer ones are not worth reading.
        let bytes = (text.len() < 256).then(|| BASE64_URL_SAFE_NO_PAD.decode(text).ok())??;
        let (body, mac) = bytes.split_at_checked(BODY)?;
        verify_slices_are_equal(&key.mac("ticket", &[body]), mac).ok()?;
        let (user, rest) = body.split_at_checked(USER)?;
        let (method, rest) = rest.split_first()?;
        let (until, rest) = rest.split_at_checked(8)?;
        let (id, credentials) = rest.split_at_checked(ID)?;
        let ticket = Self {
            user: Uuid::from_slice(user).ok()?,
            method: *METHODS.get(usize::from(*method))?,
            id: id.try_into().ok()?,
            credentials: credentials.try_into().ok()?,
        };
        (now < u64::from_be_bytes(until.try_into().ok()?)).then_some(ticket)
    }

    /// Whether the user's credentials are still those that the ticket was given for.
    pub(super) fn holds(&self, key: &SealingKey, locked: &Locked) -> bool {
        verify_slices_are_equal(&self.credentials, &credentials(key, locked)).is_ok()
    }
}

fn credentials(key: &SealingKey, locked: &Locked) -> [u8; CREDENTIALS] {
    let Locked { password, pin, login_string, .. } = locked;
    let parts = [password, pin, login_string].map(|part| part.as_deref().unwrap_or_default().as_bytes());
    let mac = key.mac("ticket-credentials", &parts);
    std::array::from_fn(|index| mac[index])
}

pub(super) fn invalid() -> Error {
    Error::plain(Reason::TicketInvalid)
}

/// How many codes were tried with each ticket of late, in this process.
pub(crate) struct Tries {
    counts: Cache<[u8; ID], u8>,
    counting: Mutex<()>,
}

impl Tries {
    pub(crate) fn new() -> Self {
        Self { counts: Cache::new(REMEMBERED), counting: Mutex::new(()) }
    }

    /// Counts one more. Errors: 401 `ticket_invalid` where there were too many.
    pub(super) fn count(&self, ticket: &Ticket) -> Result<()> {
        let _counting = self.counting.lock();
        let before = self.counts.get(&ticket.id).unwrap_or(0);
        if before >= TRIES {
            return Err(invalid());
        }
        self.counts.insert(ticket.id, before + 1);
        Ok(())
    }

    /// A ticket that has led to a session is used up.
    pub(super) fn spend(&self, ticket: &Ticket) {
        let _counting = self.counting.lock();
        self.counts.insert(ticket.id, TRIES);
    }
}

#[cfg(test)]
mod tests {
    use super::{LIFETIME, Ticket, Tries};
    use crate::{UserStatus, entry::Method, tables::users::Locked};
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use kernel::{Reason, seal::SealingKey};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn locked(password: &str) -> Locked {
        Locked { status: UserStatus::Active, password: Some(password.into()), pin: None, login_string: None }
    }

    #[test]
    fn a_ticket_says_who_and_how_and_nobody_else_can_write_one() {
        let (key, user) = (SealingKey::generate(), Uuid::now_v7());
        for method in super::METHODS {
            let text = Ticket::write(&key, user, method, &locked("a"), 1_000);
            let ticket = Ticket::read(&key, &text, 1_000 + LIFETIME - 1).unwrap();
            assert_eq!((ticket.user, ticket.method), (user, method));
            assert!(ticket.holds(&key, &locked("a")) && !ticket.holds(&key, &locked("b")));
            let refused = |key, text: &str, now| Ticket::read(key, text, now).err().map(|error| error.reason);
            assert_eq!(refused(&key, &text, 1_000 + LIFETIME), Some(Reason::TicketInvalid));
            assert_eq!(refused(&SealingKey::generate(), &text, 1_000), Some(Reason::TicketInvalid));
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(Ticket::write(&key, user, Method::Pin, &locked("a"), 1_000)).unwrap();
        for position in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1;
            assert!(Ticket::read(&key, &BASE64_URL_SAFE_NO_PAD.encode(bytes), 1_000).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_ticket_is_good_for_a_few_tries() {
        let (key, tries) = (SealingKey::generate(), Tries::new());
        let new = || Ticket::read(&key, &Ticket::write(&key, Uuid::nil(), Method::Pin, &locked("a"), 0), 0).unwrap();
        let (first, second) = (new(), new());
        assert_eq!((0..9).filter(|_| tries.count(&first).is_ok()).count(), 5);
        tries.count(&second).unwrap();
        tries.spend(&second);
        assert!(tries.count(&second).is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_a_ticket(text in ".{0,300}") {
            prop_assert!(Ticket::read(&SealingKey::generate(), &text, 0).is_err());
        }
    }
}
