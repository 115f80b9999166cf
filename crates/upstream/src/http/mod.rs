//! Calls of HTTP services.

mod address;
mod breaker;
mod call;
mod clients;
mod config;
mod failure;
mod headers;
mod json;
mod resolver;
mod service;
mod stream;

pub use call::Call;
pub use clients::Clients;
pub use config::{Header, HeaderFile, HttpConfig};
pub use service::HttpUpstream;
pub use stream::BodyStream;
