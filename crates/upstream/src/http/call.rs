//! One call of a service.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;

/// What a caller's request adds to a call of a service.
pub struct Call<'a> {
    /// The values for the `{name}` segments of the address, not percent-encoded; `*` is the rest of the path.
    pub path: &'a BTreeMap<String, String>,
    /// The context as JSON. It is the body of the call; `GET` and `HEAD` have none.
    pub context: Bytes,
    /// The query to hand on without `?`: its pairs are written anew.
    pub query: Option<&'a str>,
    /// The caller's headers. Passthrough hands on `Range`, the conditions, `Accept` and `Accept-Language`, and no others.
    pub headers: &'a HeaderMap,
    /// The id of the request, sent as `X-Request-Id`.
    pub request_id: &'a str,
}
