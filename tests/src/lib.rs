//! The ground of the black-box suites: a real server with a tenant on one of the databases, and callers that speak
//! HTTP to it.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod client;
mod world;

pub use client::{Answer, Client};
pub use testkit::{Backend, on_all_databases};
pub use world::World;
