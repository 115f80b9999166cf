//! Where a request was sent, as the provider must know it.

use axum::extract::FromRequestParts;
use edge::{Failure, RequestInfo};
use kernel::{Error, Reason};
use url::{Host, Url};

/// Scheme, host and port of this server as the browser has them. The host is one of a tenant or of this machine: others
/// come no further than the edge.
pub(super) struct Here(Url);

impl Here {
    /// Whether browsers come by HTTPS.
    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Where a provider sends browsers back to; the same at both ends of a journey.
    pub(super) fn callback(&self, provider: &str) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["auth", "link", provider, "callback"]);
        }
        url
    }
}

impl<S: Sync> FromRequestParts<S> for Here {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Failure> {
        let secure = RequestInfo::from_request_parts(parts, state).await?.secure;
        let header = parts.headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(|authority| authority.as_str()).or(header).unwrap_or_default();
        here(authority, secure).ok_or_else(|| Error::new(Reason::BadRequest, "The request names no host").into())
    }
}

/// A named host is reached by HTTPS, whatever the proxy in front of it forgets to say.
fn here(authority: &str, secure: bool) -> Option<Here> {
    let url = Url::parse(&format!("https://{authority}/")).ok()?;
    let near = match url.host()? {
        Host::Domain(name) => name.rsplit('.').next() == Some("localhost"),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    if near && !secure { Url::parse(&format!("http://{authority}/")).ok().map(Here) } else { Some(Here(url)) }
}

#[cfg(test)]
mod tests {
    use super::here;

    #[test]
    fn the_provider_is_told_what_the_browser_sees() {
        let callback = |authority, secure| here(authority, secure).unwrap().callback("acme").to_string();
        for (authority, secure, expected) in [
            ("api.one.example", true, "https://api.one.example/auth/link/acme/callback"),
            ("api.one.example", false, "https://api.one.example/auth/link/acme/callback"),
            ("api.one.example:8443", true, "https://api.one.example:8443/auth/link/acme/callback"),
            ("127.0.0.1:5777", false, "http://127.0.0.1:5777/auth/link/acme/callback"),
            ("[::1]:5777", false, "http://[::1]:5777/auth/link/acme/callback"),
            ("api.one.localhost:5777", false, "http://api.one.localhost:5777/auth/link/acme/callback"),
            ("localhost", true, "https://localhost/auth/link/acme/callback"),
        ] {
            assert_eq!(callback(authority, secure), expected);
        }
        assert_eq!(here("a", true).unwrap().callback("a/b?c").path(), "/auth/link/a%2Fb%3Fc/callback");
        assert!(here("", true).is_none() && here("a b", true).is_none());
    }
}
