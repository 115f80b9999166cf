//! The lines of the log: what they look like, and how they get to standard error without anybody waiting for it.

mod batch;
mod json;
mod text;

pub use self::{batch::Batch, json::Json, text::Text};
