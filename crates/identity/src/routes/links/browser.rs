//! Where a browser's request was sent, as the provider must know it, and what comes with it.

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap,
        header::{ACCEPT, HOST},
        request::Parts,
        uri::Authority,
    },
};
use edge::{Failure, RequestInfo};
use kernel::{Error, Reason};
use url::{Host, Url};

use super::cookie;

/// What a browser's request tells besides its address.
pub(super) struct Browser {
    /// Scheme, host and port of this server as the browser has them. The host is one of a tenant or of this machine:
    /// others come no further than the edge.
    here: Url,
    /// Whether it asks for JSON by name; browsers that follow a link name other types.
    pub(super) wants_json: bool,
    /// The cookie of a journey.
    pub(super) cookie: Option<String>,
}

impl Browser {
    /// Whether it comes by HTTPS.
    pub(super) fn is_secure(&self) -> bool {
        self.here.scheme() == "https"
    }

    /// Where a provider sends it back to; the same at both ends of a journey.
    pub(super) fn callback(&self, provider: &str) -> Url {
        callback(&self.here, provider)
    }
}

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let secure = RequestInfo::from_request_parts(parts, state).await?.secure;
        let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(Authority::as_str).or(header).unwrap_or_default();
        let here =
            here(authority, secure).ok_or_else(|| Error::new(Reason::BadRequest, "The request names no host"))?;
        let cookie = cookie::read(&parts.headers, here.scheme() == "https").map(str::to_owned);
        Ok(Self { here, wants_json: wants_json(&parts.headers), cookie })
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut types = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    types.any(|name| name.eq_ignore_ascii_case("application/json"))
}

fn callback(here: &Url, provider: &str) -> Url {
    let mut url = here.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(["auth", "link", provider, "callback"]);
    }
    url
}

/// A named host is reached by HTTPS, whatever the proxy in front of it forgets to say.
fn here(authority: &str, secure: bool) -> Option<Url> {
    let url = Url::parse(&format!("https://{authority}/")).ok()?;
    let near = match url.host()? {
        Host::Domain(name) => name.rsplit('.').next() == Some("localhost"),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    if near && !secure { Url::parse(&format!("http://{authority}/")).ok() } else { Some(url) }
}

#[cfg(test)]
mod tests {
    use super::{callback, here};

    #[test]
    fn the_provider_is_told_what_the_browser_sees() {
        let acme = |authority, secure| callback(&here(authority, secure).unwrap(), "acme").to_string();
        for (authority, secure, expected) in [
            ("api.one.example", true, "https://api.one.example/auth/link/acme/callback"),
            ("api.one.example", false, "https://api.one.example/auth/link/acme/callback"),
            ("api.one.example:8443", true, "https://api.one.example:8443/auth/link/acme/callback"),
            ("127.0.0.1:5777", false, "http://127.0.0.1:5777/auth/link/acme/callback"),
            ("[::1]:5777", false, "http://[::1]:5777/auth/link/acme/callback"),
            ("api.one.localhost:5777", false, "http://api.one.localhost:5777/auth/link/acme/callback"),
            ("localhost", true, "https://localhost/auth/link/acme/callback"),
        ] {
            assert_eq!(acme(authority, secure), expected);
        }
        assert_eq!(callback(&here("a", true).unwrap(), "a/b?c").path(), "/auth/link/a%2Fb%3Fc/callback");
        assert!(here("", true).is_none() && here("a b", true).is_none());
    }
}
