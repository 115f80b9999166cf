//! Toolkits: what a site owner adds to a tenant with a TOML file: rules for tables, groups, endpoints and schedules.

pub mod file;
mod reading;

pub use reading::Mistake;
