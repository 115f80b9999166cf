//! System columns: added to a tenant's tables where that is asked for.
//!
//! [`SystemColumnsConfig`] is what `insula.toml` says, a tenant's `columns.toml` says otherwise, and toolkits leave
//! columns out of their tables. What a table lacks is known from the catalogue that was read anyway; only where
//! something is missing are there statements. [`Columns`] adds it when a tenant is opened, on `POST /reload`, by
//! `insula migrate`, and when somebody has dropped a column. Nothing is ever dropped here.

mod adding;
mod config;
mod file;
mod policy;
mod service;

pub use config::SystemColumnsConfig;
pub use file::{FILE, TenantColumns};
pub use service::Columns;
