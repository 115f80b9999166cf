//! Who is asking and how they come in, as callers see it, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod anonymous;
mod logging_in;
mod refresh;
mod rooms;
mod second_factor;
mod sessions;
mod stage;
mod tokens;
