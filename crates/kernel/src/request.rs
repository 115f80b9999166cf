//! What is known of a request before anyone has read it.

use std::{fmt, net::IpAddr, time::SystemTime};

/// The id of a request: 24 digits, of which 16 are Unix microseconds and 8 are random.
///
/// Sortable by time, never with a leading zero, always sent as a JSON string because it exceeds 2^53.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 24]);

impl RequestId {
    /// A new id for a request that begins now.
    pub fn now() -> Self {
        let micros = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64);
        Self::from_parts(micros, rand::random_range(0..100_000_000))
    }

    fn from_parts(micros: u64, random: u32) -> Self {
        let mut digits = [b'0'; 24];
        write_digits(&mut digits[..16], micros.clamp(1_000_000_000_000_000, 9_999_999_999_999_999));
        write_digits(&mut digits[16..], u64::from(random));
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn write_digits(target: &mut [u8], mut number: u64) {
    for digit in target.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a request really comes from, behind any trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What made a write happen; history keeps it with every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request to the data API.
    Api,
    /// A file that was imported.
    Import,
    /// The server itself or its command line.
    Job,
}

/// Who writes and why. Every write of the store carries one, so that triggers and history can tell.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// The acting user's number; none for imports, jobs and the system.
    pub user: Option<i64>,
    /// The request, where there is one.
    pub request: Option<RequestId>,
    /// What made it happen.
    pub cause: Cause,
}

impl WriteContext {
    /// A write of the server itself.
    pub const fn system() -> Self {
        Self { user: None, request: None, cause: Cause::Job }
    }

    /// A write that a request asks for.
    pub const fn of_request(user: Option<i64>, request: RequestId) -> Self {
        Self { user, request: Some(request), cause: Cause::Api }
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;
    use std::collections::HashSet;

    #[test]
    fn ids_are_24_digits_and_do_not_repeat() {
        let ids: Vec<_> = (0..100_000).map(|_| RequestId::now()).collect();
        assert!(ids.iter().all(|id| id.as_str().len() == 24 && id.as_str().bytes().all(|b| b.is_ascii_digit())));
        assert!(ids.iter().all(|id| !id.as_str().starts_with('0')));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }
}
