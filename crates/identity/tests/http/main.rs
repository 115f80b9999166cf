//! Identity behind the real edge, over SQLite in a temporary folder.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod bootstrap;
mod rotation;
mod sessions;
mod support;
mod tokens;
