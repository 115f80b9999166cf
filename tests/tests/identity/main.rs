//! Who comes in, and how: identity as its callers see it, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod admin;
mod admin_groups;
mod admin_tenants;
mod admin_users;
mod anonymous;
mod logging_in;
mod second_factor;
