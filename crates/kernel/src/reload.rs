//! How one request makes several rooms read their files anew, all or none.

use crate::{BoxFuture, Result, Tenant};

/// What puts settings that were read into force. It cannot fail.
pub type Commit = Box<dyn FnOnce() + Send>;

/// A room with settings of a tenant in files. Whoever answers `POST /reload` asks, all such rooms answer.
pub trait Reload: Send + Sync {
    /// Reads and checks the tenant's settings without changing anything. Errors: 500 `reload_failed`, which names file,
    /// line and key.
    fn prepare<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Commit>>;
}
