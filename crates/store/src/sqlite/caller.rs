//! Who writes, for triggers: the SQL functions `current_user_id()` and `request_id()`.
//!
//! They are what the session variables of the same names are on the other databases, and cost a write nothing.

use std::sync::Arc;

use kernel::{RequestId, WriteContext};
use parking_lot::Mutex;
use rusqlite::{Connection, functions::FunctionFlags};

/// Who the running write is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller(Arc<Mutex<(Option<i64>, Option<RequestId>)>>);

impl Caller {
    /// Defines the functions on the connection that writes.
    pub(super) fn install(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let user = self.clone();
        connection.create_scalar_function("current_user_id", 0, flags, move |_| Ok(user.0.lock().0))?;
        let request = self.clone();
        connection
            .create_scalar_function("request_id", 0, flags, move |_| Ok(request.0.lock().1.map(|id| id.to_string())))
    }

    /// Says who the next write is for.
    pub(super) fn set(&self, context: &WriteContext) {
        *self.0.lock() = (context.user, context.request);
    }
}
