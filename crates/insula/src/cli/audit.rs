//! `insula audit`.

use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Duration};

use audit::{Entry, Filter, Page};
use clap::Args;
use kernel::time::{self, Timestamp};
use store::Database;
use uuid::Uuid;

use super::{Output, Which, output::or_dash};
use crate::{Installation, failure::Result};

/// How often `--follow` looks for more.
const LOOK: Duration = Duration::from_secs(1);
/// How late an entry of another process may come in.
const OVERLAP: Duration = Duration::from_secs(30);
/// Entries that are read at once.
const AT_ONCE: u64 = 200;

/// Show who did what in a tenant, the newest last.
#[derive(Args)]
#[command(after_help = "Examples:\n  insula audit\n  insula audit --action login --outcome credentials_invalid\n  \
    insula audit --tenant shop --table items --since 2031-05-06T00:00:00Z --json\n  insula audit --follow")]
pub(super) struct Audit {
    #[command(flatten)]
    which: Which,
    /// Only this action, such as login or insert
    #[arg(long)]
    action: Option<String>,
    /// Only this outcome: ok, or the reason of a refusal
    #[arg(long)]
    outcome: Option<String>,
    /// Only what the user with this number did
    #[arg(long, value_name = "NUMBER")]
    user: Option<i64>,
    /// Only writes of this table
    #[arg(long)]
    table: Option<String>,
    /// Only the request of this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only from this address
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Only entries of this moment or later, RFC 3339
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
    /// Only entries before this moment, RFC 3339
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
    /// Entries at the most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
    /// Go on with further entries as they come; with --json, one a line
    #[arg(long)]
    follow: bool,
}

impl Audit {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let filter = Filter {
            action: self.action,
            outcome: self.outcome,
            user: self.user,
            table: self.table,
            request: self.request_id,
            client: self.client.map(|client| client.to_string()),
            since: self.since,
            until: self.until,
        };
        let reader = Reader { log: &installation.features.audit, system: &open.system, filter };
        if !self.follow {
            let shown = reader.newest(self.limit).await?;
            output.list(&shown, &["TIME", "USER", "CLIENT", "ACTION", "OUTCOME", "ON", "REQUEST"], cells);
            return Ok(());
        }
        let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id).collect::<HashSet<_>>();
        let mut looked = time::now();
        let mut told = ids(&reader.since(looked).await?);
        let mut fresh = reader.newest(self.limit).await?;
        told.extend(ids(&fresh));
        loop {
            for entry in &fresh {
                output.print(entry, || cells(entry).join("  "));
            }
            tokio::time::sleep(LOOK).await;
            let last = std::mem::replace(&mut looked, time::now());
            let seen = reader.since(last).await?;
            let before = std::mem::replace(&mut told, ids(&seen));
            fresh = seen.into_iter().filter(|entry| !before.contains(&entry.id)).collect();
        }
    }
}

/// Reads the log of a tenant.
struct Reader<'a> {
    log: &'a Arc<audit::Audit>,
    system: &'a Database,
    filter: Filter,
}

impl Reader<'_> {
    /// The newest entries, the newest last.
    async fn newest(&self, limit: u64) -> Result<Vec<Entry>> {
        self.log.settle().await;
        let mut found: Vec<Entry> = Vec::new();
        while (found.len() as u64) < limit {
            let page = found.last().map_or(Page::Newest, |last| Page::Before(last.id));
            let missing = limit - found.len() as u64;
            let (entries, more) = self.log.page(self.system, &self.filter, page, missing.min(AT_ONCE)).await?;
            found.extend(entries);
            if !more {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// What came in since a moment, and what was there shortly before it: other processes move theirs somewhat later.
    async fn since(&self, moment: Timestamp) -> Result<Vec<Entry>> {
        self.log.settle().await;
        let since = moment.checked_sub(OVERLAP).unwrap_or(moment);
        let filter =
            Filter { since: Some(self.filter.since.map_or(since, |asked| asked.max(since))), ..self.filter.clone() };
        let mut found: Vec<Entry> = Vec::new();
        loop {
            let page = Page::After(found.last().map_or(Uuid::nil(), |last| last.id));
            let (entries, more) = self.log.page(self.system, &filter, page, AT_ONCE).await?;
            found.extend(entries);
            if !more {
                return Ok(found);
            }
        }
    }
}

fn cells(entry: &Entry) -> Vec<String> {
    let user = entry.username.clone().or_else(|| entry.user_id.map(|user| user.to_string()));
    let whom = entry.details.as_ref().and_then(|details| details.get("of"));
    let whom = whom.map(|of| of.as_str().map_or_else(|| of.to_string(), str::to_owned));
    let rows = |table: &String| match entry.rows_affected {
        Some(rows) => format!("{table} ({rows})"),
        None => table.clone(),
    };
    vec![
        time::rfc3339(entry.ts),
        or_dash(user.as_deref().or(entry.path.as_deref().filter(|path| path.starts_with("insula")))),
        or_dash(entry.client_ip.as_deref()),
        entry.action.clone(),
        entry.outcome.clone(),
        or_dash(entry.table.as_ref().map(rows).or(whom).as_deref()),
        or_dash(entry.request_id.as_deref()),
    ]
}
