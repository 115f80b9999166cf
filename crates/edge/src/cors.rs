//! Calls from web pages of other origins, as each tenant allows them. Own code, because the tenant decides.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use kernel::Tenant;

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
pub(crate) fn allow(tenant: &Tenant, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if tenant.cors_origins.is_empty() {
        return;
    }
    let everyone = tenant.cors_origins.iter().any(|allowed| allowed == "*");
    if !everyone {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = origin else { return };
    if everyone || tenant.cors_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if everyone { ANY } else { origin.clone() });
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
