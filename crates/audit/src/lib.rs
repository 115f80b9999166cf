//! The audit log: who did what, when, from where and with what outcome; never a secret, never a value of a row.
//!
//! There is one way to audit: an event of the target `audit` with `action` and `outcome`, emitted inside the span of the
//! request or of the command. [`layer`] takes such events, whatever the log's own filter says, adds what the span knows and
//! appends a line to a file of the process ([`Spool`]): a line that was written outlives a killed process. [`Audit`] moves
//! the lines into the table `_audit` of their tenants, once each, and answers `GET /admin/audit` from there.

mod config;
mod entry;
mod facts;
mod layer;
mod line;
mod mover;
mod pace;
mod routes;
mod segment;
mod service;
mod spool;
mod table;

pub use config::AuditConfig;
pub use entry::Entry;
pub use layer::layer;
pub use routes::routes;
pub use service::Audit;
pub use spool::Spool;
pub use table::{Filter, MIGRATIONS, Page};

/// The feature's name, in migrations and in the OpenAPI document.
pub const NAME: &str = "audit";
