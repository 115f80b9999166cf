//! How one room learns whether another understands the rules of a group.

use crate::Result;

/// Checks a group's rules before they are kept. Identity asks, the data API answers.
pub trait RuleCheck: Send + Sync {
    /// Checks table rules and column rules. Errors: 400 `field_invalid` at `basic_rules[…]` or `advanced_rules[…]`.
    fn check_rules(&self, basic: &[String], advanced: &[String]) -> Result<()>;
}
