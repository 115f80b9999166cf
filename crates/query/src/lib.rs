//! The data API: `POST /query` and the rules that decide what it may touch.
//!
//! A request passes three stations. [`request`] is what callers may ask, typed. [`rules`] says what the caller's
//! group may do with each table: codes, column rules and row rules, compiled once a group. `compile` joins the two
//! into statements, in which every name is known and every value bound. `service` and `program` run them.

mod batch;
mod compile;
mod config;
mod doors;
mod explain;
mod generate;
mod insert;
mod program;
mod read;
pub mod request;
mod routes;
pub mod rules;
mod run;
mod sequence;
mod service;

pub use config::QueryConfig;
pub use doors::Doors;
pub use routes::routes;
pub use service::{Outcome, Service};

/// The feature's name.
pub const NAME: &str = "query";

/// The steps of the feature's tables.
pub const MIGRATIONS: &[store::Migration] = sequence::MIGRATIONS;
