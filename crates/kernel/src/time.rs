//! Moments, and how they are written down.

pub use jiff::Timestamp;

/// Now, cut to the microseconds that every database can keep.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// RFC 3339 in UTC: `2026-11-21T23:27:06Z`, with a fraction only where there is one.
pub fn rfc3339(moment: Timestamp) -> String {
    moment.to_string()
}

/// What databases read and keep: `2026-11-21 23:27:06.894988`, always UTC, always six digits.
pub fn sql(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
