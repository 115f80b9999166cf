//! Who is asking, and with what right, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod key_scopes;
mod keys;
