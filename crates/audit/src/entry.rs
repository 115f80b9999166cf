//! One entry of the audit log, and its id.

use std::sync::atomic::{AtomicI64, Ordering};

use kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::{Builder, Uuid};

/// What was done, by whom, from where and with what outcome. What does not apply is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The entry's id; entries with greater ids are later.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// When, RFC 3339 in UTC.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = "date-time")]
    pub ts: Timestamp,
    /// The id of the request, as in its answer.
    #[schema(example = "179577522689498800012345")]
    pub request_id: Option<String>,
    /// The client's address, behind trusted proxies.
    #[schema(example = "192.0.2.7")]
    pub client_ip: Option<String>,
    /// The acting user's number.
    #[schema(example = 1)]
    pub user_id: Option<i64>,
    /// The name of the acting user, or the one that a log in was tried with.
    #[schema(example = "ada")]
    pub username: Option<String>,
    /// How the id of the acting session begins.
    #[schema(example = "01935fd0-8a4c-7d1e")]
    pub session_id_prefix: Option<String>,
    /// The HTTP method; `CLI` for the command line.
    #[schema(example = "POST")]
    pub method: Option<String>,
    /// The pattern of the route, or the command.
    #[schema(example = "/query")]
    pub path: Option<String>,
    /// What was done.
    #[schema(example = "insert")]
    pub action: String,
    /// `ok`, the reason of a refusal, or a word of the action's own.
    #[schema(example = "ok")]
    pub outcome: String,
    /// The table that was written.
    #[schema(example = "items")]
    pub table: Option<String>,
    /// Rows that were written.
    #[schema(example = 1)]
    pub rows_affected: Option<i64>,
    /// The HTTP status.
    #[schema(example = 200)]
    pub status: Option<u16>,
    /// Milliseconds since the request or the command began.
    #[schema(example = 1.25)]
    pub duration_ms: Option<f64>,
    /// What was left out or cut.
    pub warning: Option<String>,
    /// What the outcome means, where it is a refusal.
    pub error: Option<String>,
    /// What else is known; its fields depend on the action.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Map<String, Json>>,
}

/// An entry with the tenant that it belongs to, as it waits in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The tenant's id, where the request knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<Uuid>,
    /// The tenant's name; neither means the whole installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    pub(crate) entry: Entry,
}

/// A moment as RFC 3339 has it.
mod rfc3339 {
    use kernel::time::{self, Timestamp};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::rfc3339(*moment))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Now, but for every caller of this process a microsecond later than for the one before.
pub(crate) fn next_moment() -> Timestamp {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = kernel::time::now().as_microsecond();
    let later = |last: i64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).unwrap_or(now);
    Timestamp::from_microsecond(now.max(last + 1)).unwrap_or_else(|_| kernel::time::now())
}

/// A UUID of version 7 whose order is that of the moments, to the microsecond.
pub(crate) fn id_at(moment: Timestamp) -> Uuid {
    id(moment, rand::random())
}

/// The least id of a moment.
pub(crate) fn first_id_at(moment: Timestamp) -> Uuid {
    id(moment, [0; 8])
}

fn id(moment: Timestamp, random: [u8; 8]) -> Uuid {
    let micros = u64::try_from(moment.as_microsecond()).unwrap_or_default();
    // RFC 9562, section 6.2, method 3: the twelve bits behind the version hold the microseconds of the millisecond.
    let fraction = ((micros % 1_000) as u16).to_be_bytes();
    let mut rest = [0; 10];
    rest[..2].copy_from_slice(&fraction);
    rest[2..].copy_from_slice(&random);
    Builder::from_unix_timestamp_millis(micros / 1_000, &rest).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::{first_id_at, id_at, next_moment};
    use kernel::time::Timestamp;

    #[test]
    fn ids_are_in_the_order_of_moments() {
        let moments: Vec<_> = (0..10_000).map(|_| next_moment()).collect();
        assert!(moments.is_sorted_by(|a, b| a < b));
        let ids: Vec<_> = moments.iter().map(|moment| id_at(*moment).to_string()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_moment_bounds_its_ids() {
        let at = |micros: i64| Timestamp::from_microsecond(1_795_775_226_894_000 + micros).unwrap();
        for micros in [0, 1, 255, 256, 999] {
            let id = id_at(at(micros));
            assert!(first_id_at(at(micros)) <= id && id < first_id_at(at(micros + 1)), "{micros}");
            assert_eq!(id.get_version_num(), 7);
        }
    }
}
