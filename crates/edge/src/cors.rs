//! Calls from web pages of other origins, as each tenant allows them. Own code, because the tenant decides.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use kernel::Tenant;

use crate::host::{self, Room};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type");
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-Id, Retry-After");
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origin of the page that sent the request.
pub(crate) fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}

/// Whether this is a browser's question before the request proper, of a tenant that answers such questions.
pub(crate) fn is_preflight(request: &Request, tenant: &Tenant) -> bool {
    request.method() == Method::OPTIONS
        && !tenant.cors_origins.is_empty()
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that question, whoever asks; without [`allow`] the browser takes it for a no.
pub(crate) fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Adds what lets the browser hand the answer to the page, where the tenant allows the page's origin.
///
/// On `assets.` hosts the browser may send the cookie along, so that only origins count that are listed by name.
/// `webhooks.` hosts are not for pages.
pub(crate) fn allow(tenant: &Tenant, room: Room, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if tenant.cors_origins.is_empty() || room == Room::Webhooks {
        return;
    }
    let everyone = room == Room::Api && tenant.cors_origins.iter().any(|allowed| allowed == "*");
    if !everyone {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = origin else { return };
    if everyone || is_listed(tenant, origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if everyone { ANY } else { origin.clone() });
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if room == Room::Assets {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Whether the tenant lists this very origin.
pub(crate) fn is_listed(tenant: &Tenant, origin: &HeaderValue) -> bool {
    tenant.cors_origins.iter().any(|allowed| allowed != "*" && allowed.as_bytes() == origin.as_bytes())
}

/// Whether a page is the tenant's own: of its domain or of one of its hosts. Over plain HTTP only where the request
/// came that way too, as on a laptop.
pub(crate) fn is_own(tenant: &Tenant, origin: &HeaderValue, secure: bool) -> bool {
    let host = origin.to_str().ok().and_then(|origin| match origin.split_once("://")? {
        ("https", host) => Some(host),
        ("http", host) if !secure => Some(host),
        _ => None,
    });
    let (Some(host), Some(domain)) = (host.and_then(host::canonical), &tenant.domain) else { return false };
    let hosts = ["", "api.", "assets.", "webhooks."];
    hosts.iter().any(|room| host.strip_prefix(room).is_some_and(|rest| rest.eq_ignore_ascii_case(domain)))
}

#[cfg(test)]
mod tests {
    use super::is_own;
    use http::HeaderValue;
    use kernel::{Tenant, TenantStatus};
    use uuid::Uuid;

    #[test]
    fn own_pages() {
        let tenant = Tenant {
            id: Uuid::nil(),
            name: "one".into(),
            domain: Some("one.example".into()),
            status: TenantStatus::Active,
            cors_origins: Vec::new(),
            folder: "nowhere".into(),
        };
        let own = |origin: &str, secure| is_own(&tenant, &HeaderValue::from_str(origin).unwrap(), secure);
        for good in ["https://one.example", "https://api.one.example", "https://assets.one.example:8443"] {
            assert!(own(good, true) && own(good, false), "{good}");
        }
        assert!(own("http://api.one.example:5777", false) && !own("http://api.one.example", true));
        for bad in [
            "null",
            "",
            "one.example",
            "https://",
            "https://evil.example",
            "https://evil.one.example",
            "https://one.example.evil.com",
            "https://xone.example",
            "https://one.example/path",
            "https://user@one.example",
            "ftp://one.example",
        ] {
            assert!(!own(bad, false), "{bad}");
        }
        assert!(!is_own(&Tenant { domain: None, ..tenant.clone() }, &HeaderValue::from_static("https://a"), true));
    }
}
