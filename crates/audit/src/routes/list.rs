//! `GET /admin/audit`.

use std::net::IpAddr;

use axum::extract::State;
use edge::{Answer, Caller, Query};
use kernel::{Error, Reason, Result, ability, identifier::is_identifier, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Log;
use crate::{Entry, Filter, Page};

const DEFAULT_LIMIT: u64 = 50;
const MOST: u64 = 200;
const MAX_WORD: usize = 64;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListAudit {
    /// Only this action.
    #[param(example = "login")]
    action: Option<String>,
    /// Only this outcome: `ok`, or the reason of a refusal.
    #[param(example = "credentials_invalid")]
    outcome: Option<String>,
    /// Only what the user with this number did.
    #[param(value_type = Option<i64>, minimum = 1)]
    user_id: Option<String>,
    /// Only writes of this table.
    table: Option<String>,
    /// Only the request of this id.
    request_id: Option<String>,
    /// Only from this address.
    #[param(example = "192.0.2.7")]
    client: Option<String>,
    /// Only entries of this moment or later, RFC 3339.
    #[param(value_type = Option<String>, format = "date-time")]
    since: Option<String>,
    /// Only entries before this moment, RFC 3339.
    #[param(value_type = Option<String>, format = "date-time")]
    until: Option<String>,
    /// The `next_before` of the page before.
    #[param(value_type = Option<String>, format = "uuid")]
    before: Option<String>,
    /// Entries a page has at the most, from 1 to 200; 50 where absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// One page of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// The entries, the newest first.
    entries: Vec<Entry>,
    /// The `before` of the next page; null on the last.
    #[schema(value_type = Option<String>, format = "uuid")]
    next_before: Option<Uuid>,
}

/// Lists what was done in the tenant, the newest first. Needs the ability `audit.read`.
///
/// What was answered before is in the list. Entries neither change nor change places, so that pages never repeat or leave
/// out one, whatever is written meanwhile.
#[utoipa::path(
    get,
    path = "/admin/audit",
    operation_id = "list_audit",
    params(ListAudit),
    responses(
        (status = 200, description = "One page of entries", body = AuditPage),
        (status = 400, body = edge::Envelope, description = "`field_invalid`, with the parameter as `field`."),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list(
    State(log): State<Log>,
    caller: Caller,
    Query(asked): Query<ListAudit>,
) -> edge::Result<Answer> {
    caller.require(ability::AUDIT_READ)?;
    let (filter, page, limit) = asked.understood()?;
    log.audit.settle().await;
    let open = log.tenants.open(caller.tenant()).await?;
    let (entries, more) = log.audit.page(&open.system, &filter, page, limit).await?;
    let next_before = entries.last().filter(|_| more).map(|entry| entry.id);
    Ok(Answer::ok(AuditPage { entries, next_before }))
}

impl ListAudit {
    /// What is asked for. Errors: 400 `field_invalid` that names the parameter.
    fn understood(self) -> Result<(Filter, Page, u64)> {
        let digits = |text: &str| (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let word = |text: &str| {
            let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(fit)
        };
        let filter = Filter {
            action: checked("action", self.action, "Expected the word of an action", word)?,
            outcome: checked("outcome", self.outcome, "Expected the word of an outcome", word)?,
            table: checked("table", self.table, "Expected the name of a table", is_identifier)?,
            request: checked("request_id", self.request_id, "Expected 8 to 32 digits", digits)?,
            user: parsed("user_id", self.user_id.as_deref(), "Expected the number of a user")?,
            client: parsed::<IpAddr>("client", self.client.as_deref(), "Expected an address")?.map(|ip| ip.to_string()),
            since: moment("since", self.since.as_deref())?,
            until: moment("until", self.until.as_deref())?,
        };
        let before = parsed("before", self.before.as_deref(), "Expected the next_before of a page")?;
        let limit = parsed("limit", self.limit.as_deref(), LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(invalid("limit", LIMIT));
        }
        Ok((filter, before.map_or(Page::Newest, Page::Before), limit))
    }
}

const LIMIT: &str = "A page has 1 to 200 entries";

fn checked(
    field: &'static str,
    text: Option<String>,
    message: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<String>> {
    match text {
        Some(text) if !fits(&text) => Err(invalid(field, message)),
        text => Ok(text),
    }
}

fn parsed<T: std::str::FromStr>(field: &'static str, text: Option<&str>, message: &str) -> Result<Option<T>> {
    text.map(|text| text.parse().map_err(|_| invalid(field, message))).transpose()
}

fn moment(field: &'static str, text: Option<&str>) -> Result<Option<Timestamp>> {
    parsed(field, text, "Expected a moment such as 2026-11-21T23:27:06Z")
}

fn invalid(field: &'static str, message: &str) -> Error {
    Error::new(Reason::FieldInvalid, message).at(field)
}
