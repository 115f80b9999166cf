//! The bearer token of a request.

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use kernel::{Error, Reason};

/// The text for a token that is no good.
pub(crate) const INVALID: &str = "Session expired or invalid";
const MISSING: &str = "No authorization token provided";
const ALIAS: HeaderName = HeaderName::from_static("runnable-token");
const MAX_BYTES: usize = 4096;

/// The token of `Authorization: Bearer`, or of its alias `runnable-token`.
///
/// Another scheme counts as no token. Two `Authorization` lines are ambiguous and count as a bad one.
pub(crate) fn of(headers: &HeaderMap) -> Result<&str, Error> {
    let missing = || Error::new(Reason::NoToken, MISSING);
    let invalid = || Error::new(Reason::SessionInvalid, INVALID);
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let first = lines.next();
    if lines.next().is_some() {
        return Err(invalid());
    }
    let bearer = first.and_then(|line| {
        let (scheme, rest) = line.as_bytes().split_at_checked(6)?;
        let separated = rest.is_empty() || rest[0].is_ascii_whitespace();
        (scheme.eq_ignore_ascii_case(b"bearer") && separated).then(|| rest.trim_ascii())
    });
    let token = bearer.or_else(|| headers.get(ALIAS).map(|line| line.as_bytes().trim_ascii())).ok_or_else(missing)?;
    if token.is_empty() {
        return Err(missing());
    }
    if token.len() > MAX_BYTES || !token.iter().all(u8::is_ascii_graphic) {
        return Err(invalid());
    }
    std::str::from_utf8(token).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::of;
    use http::HeaderMap;
    use kernel::Reason::{self, NoToken, SessionInvalid};

    fn token(lines: &[(&'static str, &str)]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        of(&headers).map(str::to_owned).map_err(|error| error.reason)
    }

    #[test]
    fn where_a_token_may_be() {
        assert_eq!(token(&[("authorization", "Bearer abc")]), Ok("abc".into()));
        assert_eq!(token(&[("authorization", "bEARER   abc ")]), Ok("abc".into()));
        assert_eq!(token(&[("runnable-token", "abc")]), Ok("abc".into()));
        assert_eq!(token(&[("authorization", "Basic x"), ("runnable-token", "abc")]), Ok("abc".into()));
        assert_eq!(token(&[("cookie", "token=abc"), ("x-token", "abc")]), Err(NoToken));
    }

    #[test]
    fn bad_tokens() {
        for none in ["", "Bearer", "Bearer ", "Basic abc", "Bearerabc", "abc"] {
            assert_eq!(token(&[("authorization", none)]), Err(NoToken), "{none:?}");
        }
        assert_eq!(token(&[("authorization", "Bearer a b")]), Err(SessionInvalid));
        assert_eq!(token(&[("authorization", "Bearer é")]), Err(SessionInvalid));
        assert_eq!(token(&[("authorization", &format!("Bearer {}", "a".repeat(4096)))]).map(|t| t.len()), Ok(4096));
        assert_eq!(token(&[("authorization", &format!("Bearer {}", "a".repeat(4097)))]), Err(SessionInvalid));
        assert_eq!(token(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]), Err(SessionInvalid));
    }
}
