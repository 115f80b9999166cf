//! Who is asking, how they come in and with what right, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod accounts;
mod admin;
mod admin_groups;
mod admin_tenants;
mod admin_users;
mod anonymous;
mod captcha;
mod exchange;
mod journey;
mod key_commands;
mod key_import;
mod key_scopes;
mod keys;
mod letters;
mod link_nodes;
mod link_refusals;
mod links;
mod logging_in;
mod passwords;
mod post;
mod preferences;
mod refresh;
mod rooms;
mod second_factor;
mod sessions;
mod stage;
mod tokens;
