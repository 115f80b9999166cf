//! The engine room: one door to SQL over SQLite, PostgreSQL and MariaDB.
//!
//! * [`Database`] is a tenant's database: reads that become JSON bytes, reads of rows, and writes.
//! * [`Change`] is what a write does to rows; every write of every feature is made of them and goes through
//!   [`Transaction::apply`], so that one place sees them all. History will join there, in the same transaction.
//! * [`Schema`] is the catalogue: no name reaches SQL that it does not know.
//! * [`Tenants`] finds tenants in the control database and opens their databases when they are needed.
//! * [`Migration`] is a numbered step of a feature's system tables.
//!
//! Statements are built with `sea-query` for the dialect, with every value bound.

mod bind;
mod bulk;
mod cell;
mod change;
mod counter;
mod database;
mod ddl;
mod dialect;
mod error;
mod kind;
mod mariadb;
mod migration;
pub mod paging;
mod postgres;
pub mod schema;
mod scripts;
mod sqlite;
mod system_columns;
mod tally;
mod tenants;
mod transaction;
mod value;

pub use bulk::Rows;
pub use change::{Applied, BuiltInsert, Change, Delete, Guard, Insert, Update};
pub use database::{Database, JsonRows};
pub use ddl::Ddl;
pub use dialect::{Dialect, Statement};
pub use error::{Error, Result};
pub use kind::Kind;
pub use migration::{Migration, migrate};
pub use schema::{Column, OutputColumn, Schema, Table};
pub use scripts::{AppliedScript, apply_scripts};
pub use sqlite::SqliteConfig;
pub use system_columns::{Completed, Lacking, Pace, lacking};
pub use tally::statements;
pub use tenants::{
    AfterOpening, FeatureTables, MasterKeys, NewTenant, OpenTenant, SealedColumn, StoreConfig, TenantFilter,
    TenantRecord, TenantSort, Tenants,
};
pub use transaction::Transaction;
pub use value::{Row, Value};
