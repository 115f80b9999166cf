//! Work whose length goes with the size of an answer.

use kernel::{Error, Result};

/// Bytes that are worked through at once, in well under a millisecond.
const LIGHT: usize = 128 << 10;

/// Does work on so many bytes, away from the threads that serve others where they are many.
pub(crate) async fn work<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if bytes <= LIGHT {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}
