//! The same stories on SQLite, PostgreSQL and MariaDB. A difference between them is a bug.
//!
//! The servers come from `cargo xtask test`, which names them in `INSULA_TEST_POSTGRES_URL` and
//! `INSULA_TEST_MARIADB_URL`; without them these tests fail.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod fixture;
mod migrations;
mod reading;
mod removing;
mod schema;
mod sealing;
mod tenants;
mod values;
mod writing;
