//! The cookie that binds a journey without a page to its browser. It opens nothing.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use kernel::{Error, Result, Secret};

/// Seconds for which browsers keep it: as long as a journey may take.
const LIFETIME: u64 = crate::links::LIFETIME.as_secs();

/// Browsers take a cookie with the prefix from this very host and by HTTPS alone, so that no neighbour can plant one.
const fn name(secure: bool) -> &'static str {
    if secure { "__Host-insula-link" } else { "insula-link" }
}

/// The header that sets it.
pub(super) fn set(proof: &Secret, secure: bool) -> Result<HeaderValue> {
    header(proof.expose(), LIFETIME, secure)
}

/// The header that removes it.
pub(super) fn clear(secure: bool) -> Result<HeaderValue> {
    header("", 0, secure)
}

fn header(value: &str, seconds: u64, secure: bool) -> Result<HeaderValue> {
    let (name, flag) = (name(secure), if secure { "; Secure" } else { "" });
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}");
    HeaderValue::from_str(&text).map_err(Error::internal)
}

/// The value that a browser sends.
pub(super) fn read(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(name(secure))?.strip_prefix('='));
    values.next()
}

#[cfg(test)]
mod tests {
    use super::{clear, read, set};
    use axum::http::{HeaderMap, header::COOKIE};
    use kernel::Secret;

    #[test]
    fn browsers_are_told_to_keep_it_to_this_host() {
        let secret = Secret::new("abc");
        let expected = "__Host-insula-link=abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(set(&secret, true).unwrap(), expected);
        assert_eq!(set(&secret, false).unwrap(), "insula-link=abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
        assert!(clear(true).unwrap().to_str().unwrap().starts_with("__Host-insula-link=; Path=/; Max-Age=0;"));
    }

    #[test]
    fn it_is_read_by_its_whole_name() {
        let headers = |line: &str| HeaderMap::from_iter([(COOKIE, line.parse().unwrap())]);
        assert_eq!(read(&headers("a=b; __Host-insula-link=abc; c=d"), true), Some("abc"));
        assert_eq!(read(&headers("__Host-insula-link=abc"), false), None);
        for line in ["", "insula-link=abc", "__Host-insula-linked=abc", "x__Host-insula-link=abc", "__Host-insula-link"]
        {
            assert_eq!(read(&headers(line), true), None, "{line}");
        }
    }
}
