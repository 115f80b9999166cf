//! Toolkits: what a site owner adds to a tenant with a TOML file: rules for tables, groups, endpoints and schedules.
//!
//! A file passes three stations. `reading` turns text into a [`file::ToolkitFile`] and names every mistake with its line.
//! `checking` refuses what the types alone cannot, and makes a `Toolkit` of it. [`Registry`] keeps what is in force for
//! each tenant, and tells the data API (`terms`) who has which place (`places`). [`Service`] answers calls: `matching`
//! and `filter` let them in, `internal` runs queries, and the crate `upstream` asks services and programs. `schedule`
//! runs queries by itself.

mod admin;
mod audited;
mod checking;
mod context;
pub mod file;
mod filter;
mod folder;
mod internal;
mod matching;
mod placeholder;
mod places;
mod query;
mod reading;
mod registry;
mod routes;
mod schedule;
mod schema;
mod service;
mod tables;
mod terms;
mod toolkit;

pub use admin::{
    AssociationShown, BrokenShown, EndpointShown, GroupShown, Remaining, ScheduleShown, Steward, ToolkitShown,
    ToolkitsShown,
};
pub use checking::Grammar;
pub use folder::FOLDER;
pub use reading::Mistake;
pub use registry::{Registry, check};
pub use routes::routes;
pub use schema::schema;
pub use service::Service;
pub use tables::{CONTROL_MIGRATIONS, MIGRATIONS};

/// The feature's name, in migrations and in the OpenAPI document.
pub const NAME: &str = "toolkits";
