//! Who is asking, how they come in and with what right, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod anonymous;
mod key_scopes;
mod keys;
mod logging_in;
mod refresh;
mod rooms;
mod second_factor;
mod sessions;
mod stage;
mod tokens;
