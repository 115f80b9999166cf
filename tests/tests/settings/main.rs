//! Settings that tenants keep in their databases: who wins, what they change, what becomes of broken ones.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod broken;
mod changing;
mod clearing;
mod commands;
mod limits;
mod precedence;
mod sessions;
mod stage;
mod white_lists;
