//! Programs that misbehave: each is a clear error of its own endpoint, and nothing is left of it.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

#[path = "programs/good.rs"]
mod good;
#[path = "programs/hostile.rs"]
mod hostile;
#[path = "programs/world.rs"]
mod world;
