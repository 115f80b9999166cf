//! What an operator writes about an HTTP service behind an endpoint.

use std::{collections::BTreeMap, path::PathBuf};

use kernel::{ByteSize, Secret, Span};
use serde::{Deserialize, Serialize};

/// An HTTP service behind an endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where the service is: `http://` or `https://`, a fixed host and a path. A segment `{name}` is filled from the path
    /// of the request, and a last segment `{*}` takes the rest of it. A fixed query may follow. Required.
    pub url: String,
    /// The method of the call. Default: `POST`.
    pub method: Option<String>,
    /// Headers of every call: a fixed text, or `{ file = "…" }` for a secret. Default: none.
    pub headers: BTreeMap<String, Header>,
    /// How long it may take to connect. Default: 5s.
    pub connect_timeout: Span,
    /// For `json` how long the whole call may take. For `passthrough` how long it may take until the answer begins, and
    /// then the longest silence between two pieces of it. Default: 30s.
    pub timeout: Span,
    /// The largest answer for `json`. Default: 32MB.
    pub max_response_size: ByteSize,
    /// The largest answer for `passthrough`. Default: no limit.
    pub max_passthrough_size: Option<ByteSize>,
    /// How often a call is repeated where that is safe: no connection was made, or the method is `GET` or `HEAD` and no
    /// answer has begun. At most 10. Default: 2.
    pub retries: u8,
    /// After so many failures in a row the service is left alone for a while; 0 never does. Default: 5.
    pub breaker_failures: u32,
    /// How long it is left alone. Default: 10s.
    pub breaker_pause: Span,
    /// How many calls may run at once. Default: 64.
    pub max_concurrent: u32,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: None,
            headers: BTreeMap::new(),
            connect_timeout: Span::seconds(5),
            timeout: Span::seconds(30),
            max_response_size: ByteSize(32 << 20),
            max_passthrough_size: None,
            retries: 2,
            breaker_failures: 5,
            breaker_pause: Span::seconds(10),
            max_concurrent: 64,
        }
    }
}

/// The value of a header. `Debug` and `Serialize` show neither texts nor the content of files.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a text or { file = \"…\" }")]
pub enum Header {
    /// A fixed text.
    Text(Secret),
    /// A text that is kept in a file.
    File(HeaderFile),
}

/// The file with the value of a header.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderFile {
    /// The file, relative to the folder of the configuration. White space around its content is left out.
    pub file: PathBuf,
}
