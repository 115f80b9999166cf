//! System columns: added where that is asked for, to what lacks them, and never dropped.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod adding;
mod choosing;
mod commands;
mod dropping;
mod outside;
mod stage;
