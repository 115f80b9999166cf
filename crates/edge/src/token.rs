//! The credentials of a request: each room takes one from its own place, and none from two.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};
use kernel::{Error, Reason};

/// The text for a token that is no good.
pub(crate) const INVALID: &str = "Session expired or invalid";
/// The cookie of `assets.` hosts; browsers take one of this name only over HTTPS and keep it to the host.
pub(crate) const COOKIE_NAME: &str = "__Host-insula";
const MISSING: &str = "No authorization token provided";
const ALIAS: HeaderName = HeaderName::from_static("runnable-token");
const PARAMETERS: [&str; 2] = ["access_token", "token"];
const KEY_PREFIX: &str = "ins_";
const MAX_BYTES: usize = 4096;

/// The token of `Authorization: Bearer`, or of its alias `runnable-token`.
///
/// Another scheme counts as no token. Two lines of one name are ambiguous and count as a bad token; two names with
/// different tokens are a bad request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let bearer = only(headers, &AUTHORIZATION)?.and_then(|line| {
        let (scheme, rest) = line.split_at_checked(6)?;
        let separated = rest.is_empty() || rest[0].is_ascii_whitespace();
        (scheme.eq_ignore_ascii_case(b"bearer") && separated).then(|| rest.trim_ascii())
    });
    let alias = only(headers, &ALIAS)?.map(<[u8]>::trim_ascii);
    if let (Some(bearer), Some(alias)) = (bearer, alias)
        && bearer != alias
    {
        return Err(Error::new(Reason::BadRequest, "Authorization and runnable-token name different credentials"));
    }
    checked(bearer.or(alias).ok_or_else(missing)?)
}

/// Whether the request shows an API key. Errors: 400 where it shows different credentials.
pub(crate) fn is_key(headers: &HeaderMap) -> Result<bool, Error> {
    match bearer(headers) {
        Ok(token) => Ok(token.starts_with(KEY_PREFIX)),
        Err(error) if error.reason == Reason::BadRequest => Err(error),
        Err(_) => Ok(false),
    }
}

/// The token of the cookie. Two cookies of the name are ambiguous and count as a bad token.
pub(crate) fn cookie(headers: &HeaderMap) -> Result<&str, Error> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values =
        pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(COOKIE_NAME.as_bytes())?.strip_prefix(b"="));
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(invalid());
    }
    checked(value)
}

/// The `Set-Cookie` line that makes a browser send a token to this `assets.` host, for so many seconds.
pub fn set_cookie(token: &str, seconds: u64) -> Result<HeaderValue, Error> {
    let line = format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax");
    HeaderValue::try_from(line).map_err(Error::internal)
}

/// The `Set-Cookie` line that makes a browser forget the token.
pub fn clear_cookie() -> Result<HeaderValue, Error> {
    set_cookie("", 0)
}

/// The token of the query string, `access_token` or `token`. Two are ambiguous and count as a bad one.
pub(crate) fn parameter(query: Option<&str>) -> Result<&str, Error> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| PARAMETERS.contains(name)).map(|(_, value)| value);
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(invalid());
    }
    checked(value.as_bytes())
}

/// The one line of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Error> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next();
    if lines.next().is_some() { Err(invalid()) } else { Ok(first.map(HeaderValue::as_bytes)) }
}

fn checked(token: &[u8]) -> Result<&str, Error> {
    if token.is_empty() {
        return Err(missing());
    }
    // All of them, so that many are looked at in one step.
    let graphic = token.iter().fold(true, |graphic, byte| graphic & byte.is_ascii_graphic());
    if token.len() > MAX_BYTES || !graphic {
        return Err(invalid());
    }
    std::str::from_utf8(token).map_err(|_| invalid())
}

/// 401 `no_token`.
pub(crate) fn missing() -> Error {
    Error::new(Reason::NoToken, MISSING)
}

fn invalid() -> Error {
    Error::new(Reason::SessionInvalid, INVALID)
}

#[cfg(test)]
mod tests {
    use super::{bearer, cookie, is_key, parameter};
    use http::HeaderMap;
    use kernel::Reason::{self, BadRequest, NoToken, SessionInvalid};
    use proptest::prelude::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn token(lines: &[(&'static str, &str)]) -> Result<String, Reason> {
        bearer(&headers(lines)).map(str::to_owned).map_err(|error| error.reason)
    }

    fn biscuit(lines: &[&str]) -> Result<String, Reason> {
        let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
        cookie(&headers(&lines)).map(str::to_owned).map_err(|error| error.reason)
    }

    #[test]
    fn where_a_token_may_be() {
        assert_eq!(token(&[("authorization", "Bearer abc")]), Ok("abc".into()));
        assert_eq!(token(&[("authorization", "bEARER   abc ")]), Ok("abc".into()));
        assert_eq!(token(&[("runnable-token", "abc")]), Ok("abc".into()));
        assert_eq!(token(&[("authorization", "Basic x"), ("runnable-token", "abc")]), Ok("abc".into()));
        assert_eq!(token(&[("authorization", "Bearer abc"), ("runnable-token", " abc")]), Ok("abc".into()));
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
        assert_eq!(token(&[("runnable-token", "a"), ("runnable-token", "a")]), Err(SessionInvalid));
        assert_eq!(token(&[("authorization", "Bearer a"), ("runnable-token", "b")]), Err(BadRequest));
        assert_eq!(token(&[("authorization", "Bearer"), ("runnable-token", "b")]), Err(BadRequest));
    }

    #[test]
    fn keys_are_known_by_their_form() {
        let key = |lines: &[(&'static str, &str)]| is_key(&headers(lines)).map_err(|error| error.reason);
        assert_eq!(key(&[("authorization", "Bearer ins_pk_a_b")]), Ok(true));
        assert_eq!(key(&[("runnable-token", "ins_pk_a_b")]), Ok(true));
        assert_eq!(key(&[("authorization", "Bearer eyJ.ins_.x")]), Ok(false));
        assert_eq!(key(&[]), Ok(false));
        assert_eq!(key(&[("authorization", "Bearer ins_a"), ("runnable-token", "ins_b")]), Err(BadRequest));
    }

    #[test]
    fn one_cookie_of_the_name() {
        assert_eq!(biscuit(&["__Host-insula=abc"]), Ok("abc".into()));
        assert_eq!(biscuit(&["a=b; __Host-insula=abc;c=d"]), Ok("abc".into()));
        assert_eq!(biscuit(&["a=b", "__Host-insula=a=b"]), Ok("a=b".into()));
        let many = "another=value; ".repeat(100);
        assert_eq!(biscuit(&[&format!("{many}__Host-insula=abc")]), Ok("abc".into()));
        for none in
            ["", ";;", "__Host-insula", "__Host-insula=", "__host-insula=a", "x__Host-insula=a", "__Host-insula2=a"]
        {
            assert_eq!(biscuit(&[none]), Err(NoToken), "{none:?}");
        }
        for bad in ["__Host-insula=a b", "__Host-insula=a; __Host-insula=a", "__Host-insula=; __Host-insula=a"] {
            assert_eq!(biscuit(&[bad]), Err(SessionInvalid), "{bad:?}");
        }
        assert_eq!(biscuit(&["__Host-insula=a", "__Host-insula=b"]), Err(SessionInvalid));
        assert_eq!(biscuit(&[&format!("__Host-insula={}", "a".repeat(4097))]), Err(SessionInvalid));
    }

    #[test]
    fn one_parameter() {
        let token = |query: &'static str| parameter(Some(query)).map_err(|error| error.reason);
        assert_eq!(token("access_token=abc"), Ok("abc"));
        assert_eq!(token("a=b&token=abc&c"), Ok("abc"));
        for none in ["", "access_token", "access_token=", "Access_Token=a", "xaccess_token=a"] {
            assert_eq!(token(none), Err(NoToken), "{none:?}");
        }
        assert_eq!(token("access_token=a&token=a"), Err(SessionInvalid));
        assert_eq!(token("token=a&token=b"), Err(SessionInvalid));
        assert_eq!(parameter(None).map_err(|error| error.reason), Err(NoToken));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[ -~]*", query in ".*") {
            let headers = headers(&[("authorization", &line), ("cookie", &line)]);
            let _ = (bearer(&headers).is_ok(), cookie(&headers).is_ok(), parameter(Some(&query)).is_ok());
        }
    }
}
