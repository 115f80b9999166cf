//! How the edge learns whether the databases are there.

use crate::{BoxFuture, Result};

/// Asks the database for a sign of life. The edge asks for `GET /health`, the store answers.
pub trait Probe: Send + Sync {
    /// Runs the smallest statement there is; an error means that the database cannot be used.
    fn probe(&self) -> BoxFuture<'_, Result<()>>;
}
