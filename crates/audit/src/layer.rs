//! The layer of the process's subscriber that turns events into entries.

use std::sync::Arc;

use kernel::LogContext;
use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::FilterFn, layer::Context, registry::LookupSpan};

use crate::{Spool, facts::Said};

/// The target of events that are entries of the audit log.
const TARGET: &str = "audit";

/// The layer that keeps entries in a spool. Events are taken up to the level `debug`, which is that of writes of the data
/// API, and with `reads` up to `trace`, which is that of its reads: logs of the usual level have neither.
pub fn layer<S>(spool: Arc<Spool>, reads: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let most = if reads { Level::TRACE } else { Level::DEBUG };
    let filter = FilterFn::new(move |metadata| is_ours(metadata, most)).with_max_level_hint(LevelFilter::from(most));
    AuditLayer { spool }.with_filter(filter)
}

fn is_ours(metadata: &Metadata<'_>, most: Level) -> bool {
    metadata.is_event() && metadata.target() == TARGET && *metadata.level() <= most
}

struct AuditLayer {
    spool: Arc<Spool>,
}

impl<S> Layer<S> for AuditLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        self.spool.append(said.finish(LogContext::current().as_deref()));
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, path::PathBuf, sync::Arc};

    use kernel::{
        Authenticated, Credential, Group, LogContext, Principal, RequestId, Tenant, TenantStatus, log_context::Origin,
    };
    use serde_json::json;
    use tracing_subscriber::{Layer, filter::LevelFilter, layer::SubscriberExt};
    use uuid::Uuid;

    use super::layer;
    use crate::{
        Spool,
        entry::Line,
        segment::{self, Segment},
    };

    /// What the events of some work become, with a log that takes nothing.
    fn lines(reads: bool, work: impl FnOnce()) -> Vec<Line> {
        let folder = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::new(folder.path(), 1 << 20));
        let silent = tracing_subscriber::fmt::layer().with_filter(LevelFilter::OFF);
        let subscriber = tracing_subscriber::registry().with(silent).with(layer(Arc::clone(&spool), reads));
        tracing::subscriber::with_default(subscriber, work);
        spool.seal();
        let files = segment::list(spool.folder()).unwrap();
        files.into_iter().flat_map(|file| Segment::claim(file).unwrap().unwrap().next().unwrap()).collect()
    }

    /// A request that ada sent to the tenant `shop`.
    fn known(id: Uuid, request: RequestId) -> Arc<LogContext> {
        let client = IpAddr::from([192, 0, 2, 7]);
        let known =
            LogContext::new(Origin::Request { id: request, client_request_id: None, client, method: "POST".into() });
        let tenant = Arc::new(Tenant {
            id,
            name: "shop".into(),
            domain: None,
            status: TenantStatus::Active,
            cors_origins: Vec::new(),
            folder: PathBuf::new(),
        });
        let group = Arc::new(Group {
            id: 1,
            name: "users".into(),
            power: 10,
            basic_rules: Vec::new(),
            advanced_rules: Vec::new(),
            abilities: Vec::new(),
            max_limit: None,
            max_where_conditions: None,
            allow_batch_operations: true,
            session_timeout_minutes: None,
            max_concurrent_sessions: None,
            user_settings_access: "read-own-only".into(),
            toolkits: Arc::default(),
        });
        let principal = Arc::new(Principal {
            id,
            number: 7,
            username: "ada".into(),
            email: None,
            name: "Ada".into(),
            group,
            toolkit_overrides: Arc::default(),
            credential: Credential::Session(id),
        });
        known.set_route("/query");
        known.set_caller(&Authenticated { tenant, principal });
        known
    }

    #[test]
    fn an_entry_knows_what_is_known_of_its_request() {
        let (id, request) = (Uuid::now_v7(), RequestId::now());
        let said = || {
            tracing::debug!(
                target: "audit", action = "insert", outcome = "ok", tenant = "shop", user = Some(7_i64), table = "items",
                rows_affected = 3_u64, queries = 2, nothing = None::<&str>, empty = "",
            );
            tracing::info!(target: "audit", action = "login", outcome = "credentials_invalid", username = "uma");
            tracing::info!(target: "audit", action = "reload", outcome = "ok", tenant = "another");
            tracing::error!("not an entry");
            tracing::trace!(target: "audit", action = "select", outcome = "ok");
        };
        let lines = lines(false, || known(id, request).sync_scope(said));
        assert_eq!(lines.len(), 3);
        let [insert, login, reload] = lines.try_into().unwrap();
        assert_eq!((insert.tenant.as_deref(), insert.tenant_id), (Some("shop"), Some(id)));
        let written = serde_json::to_value(&insert.entry).unwrap();
        for (field, value) in [
            ("request_id", json!(request.as_str())),
            ("client_ip", json!("192.0.2.7")),
            ("user_id", json!(7)),
            ("username", json!("ada")),
            ("session_id_prefix", json!(id.to_string()[..18])),
            ("method", json!("POST")),
            ("path", json!("/query")),
            ("action", json!("insert")),
            ("outcome", json!("ok")),
            ("table", json!("items")),
            ("rows_affected", json!(3)),
            ("status", json!(200)),
            ("warning", json!(null)),
            ("error", json!(null)),
            ("details", json!({"queries": 2})),
        ] {
            assert_eq!(written[field], value, "{field}");
        }
        assert!(
            insert.entry.duration_ms.is_some() && insert.entry.id < login.entry.id && insert.entry.ts < login.entry.ts
        );
        // Whose name was tried is not who asks.
        assert_eq!(
            (login.entry.username.as_deref(), login.entry.user_id, login.entry.status),
            (Some("uma"), None, Some(401))
        );
        assert!(login.entry.error.is_some());
        assert_eq!((reload.tenant.as_deref(), reload.tenant_id), (Some("another"), None));
    }

    #[test]
    fn what_reads_is_kept_where_asked_for() {
        let select =
            || tracing::trace!(target: "audit", action = "select", outcome = "ok", tenant = "shop", status = 200);
        assert!(lines(false, select).is_empty());
        let found = lines(true, select);
        assert_eq!(found.len(), 1);
        // Nothing is known of a request.
        assert_eq!((found[0].entry.status, found[0].entry.method.as_deref()), (None, None));
    }

    #[test]
    fn what_is_no_name_of_a_table_is_not_kept() {
        let found = lines(false, || {
            tracing::info!(target: "audit", action = "insert", outcome = "unknown_table", table = "x; DROP TABLE y");
            tracing::info!(target: "audit", action = "a\0b", outcome = "x".repeat(5_000));
        });
        assert_eq!(found[0].entry.table, None);
        assert_eq!((found[1].entry.action.as_str(), found[1].entry.outcome.len()), ("a\u{fffd}b", 500));
    }
}
