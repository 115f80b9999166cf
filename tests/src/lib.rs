//! The ground of the black-box suites: a real server with a tenant on one of the databases, and callers that speak
//! HTTP to it.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test stops at what it does not expect")]

mod client;
mod openid;
mod outside;
mod program;
mod proxy;
mod smtp;
mod world;

use std::time::{Duration, Instant};

pub use client::{Answer, Client};
pub use openid::{Callback, OpenIdServer};
pub use outside::{Outside, OwnPostgres};
pub use program::{Program, Serving};
pub use proxy::Proxy;
pub use smtp::{ReceivedLetter, SmtpServer};
pub use testkit::{Backend, on_all_databases};
pub use world::World;

/// Waits until something holds, and fails where it does not in time.
///
/// # Panics
/// Where the deadline passes.
pub async fn until(what: &str, deadline: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < deadline, "waited {deadline:?} in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
