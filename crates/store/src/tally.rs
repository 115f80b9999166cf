//! How many statements this process has sent to its databases: what a request costs, told without a clock.

use std::sync::atomic::{AtomicU64, Ordering};

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Statements that this process has run on its databases since it began: those of all tenants and of its own work, with
/// what begins and ends transactions.
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

/// Counts statements.
pub(crate) fn add(statements: usize) {
    STATEMENTS.fetch_add(statements as u64, Ordering::Relaxed);
}
