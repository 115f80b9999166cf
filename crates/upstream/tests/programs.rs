//! Programs that misbehave: each is a clear error of its own endpoint, and nothing is left of it.

#[path = "programs/good.rs"]
mod good;
#[path = "programs/hostile.rs"]
mod hostile;
#[path = "programs/world.rs"]
mod world;
