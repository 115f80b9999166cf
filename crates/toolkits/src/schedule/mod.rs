//! Queries that run by themselves.

pub(crate) mod job;
mod rhythm;
mod turns;

use std::{sync::Arc, time::Duration};

pub(crate) use self::rhythm::Rhythm;
use crate::query::PreparedQuery;

/// A schedule of a toolkit that is switched on.
pub(crate) struct Schedule {
    pub(crate) name: String,
    pub(crate) rhythm: Rhythm,
    pub(crate) steps: Vec<Arc<PreparedQuery>>,
    pub(crate) timeout: Duration,
}
