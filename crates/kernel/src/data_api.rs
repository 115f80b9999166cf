//! How one room runs queries of the data API without knowing it.

use std::sync::Arc;

use serde_json::Value;

use crate::{Authenticated, BoxFuture, RequestId, Result};

/// Runs queries under a caller's rules. Toolkits ask, the data API answers.
pub trait DataApi: Send + Sync {
    /// Runs a program in one transaction and tells the answers of its queries in their order. The first query that is
    /// refused, and any error of the program itself, undoes everything.
    ///
    /// An answer is what `POST /query` would answer, without `success`. Errors: those of `POST /query`, and the
    /// program's.
    fn transact<'a>(
        &'a self,
        caller: &'a Authenticated,
        request: RequestId,
        program: Arc<dyn Program>,
    ) -> BoxFuture<'a, Result<Vec<Value>>>;
}

/// Queries that are asked one after the other, each in knowledge of the answers before it.
///
/// A transaction that collided with another is run again from the beginning, so that a program must keep nothing.
pub trait Program: Send + Sync + 'static {
    /// The next query, an object as `POST /query` takes it; none ends the program well.
    fn next(&self, answers: &[Value]) -> Result<Option<Value>>;
}

/// Checks the shape of a query before it is kept in a file. Toolkits ask, the data API answers.
pub trait QueryCheck: Send + Sync {
    /// Checks an object as `POST /query` takes it, without looking at any tenant. Errors: 400 that names the field.
    fn check_query(&self, query: &Value) -> Result<()>;
}
