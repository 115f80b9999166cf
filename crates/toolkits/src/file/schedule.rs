//! What runs by itself.

use kernel::Span;
use serde::Deserialize;

/// Queries that run at certain times, under the toolkit's own rights and as no user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledQuery {
    /// When, as a cron expression of five fields: minute, hour, day, month, weekday.
    #[serde(default)]
    pub cron: Option<String>,
    /// Instead of `cron`: after so much time again and again, at least ten seconds.
    #[serde(default)]
    pub every: Option<Span>,
    /// The time zone of `cron`, such as `Europe/Berlin`; UTC where absent.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The queries, in this order and in one transaction.
    pub pseudo_querys: Vec<String>,
    /// Whether it runs.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Time after which a run is given up, at most ten minutes.
    #[serde(default = "half_a_minute")]
    pub timeout: Span,
}

const fn yes() -> bool {
    true
}

const fn half_a_minute() -> Span {
    Span::seconds(30)
}
