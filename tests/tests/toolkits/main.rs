//! Toolkits as site owners and their users meet them, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod administering;
mod calling;
mod commands;
mod files;
mod labels;
mod lending;
mod overrides;
mod payloads;
mod places;
mod schedules;
mod services;
mod stage;
mod statistics;
mod steps;
