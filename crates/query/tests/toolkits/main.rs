//! What toolkits say, as the data API hears it, on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod generated;
mod programs;
mod rights;
mod sequences;
mod terms;
mod world;
