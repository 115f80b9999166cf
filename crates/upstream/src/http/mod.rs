//! Calls of HTTP services.

mod call;
mod config;

pub use call::Call;
pub use config::{Header, HeaderFile, HttpConfig};
