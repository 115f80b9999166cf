//! Services that misbehave: each is a clear error of its own endpoint.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

#[path = "services/answers.rs"]
mod answers;
#[path = "services/headers.rs"]
mod headers;
#[path = "services/repeats.rs"]
mod repeats;
#[path = "services/streams.rs"]
mod streams;
#[path = "services/world.rs"]
mod world;
