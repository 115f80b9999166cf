//! What an attacker would try, and what a security reviewer would ask, on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod dump;
mod matrix;
mod owasp;
