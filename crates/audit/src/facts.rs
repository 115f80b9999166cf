//! What spans and events say, field by field.

use std::{
    fmt::{Debug, Write},
    time::Instant,
};

use kernel::{Reason, identifier::is_identifier};
use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use uuid::Uuid;

use crate::entry::{Entry, Line, id_at, next_moment};

/// Characters of a text that are kept.
const MAX_TEXT: usize = 500;
/// Further fields that are kept.
const MAX_DETAILS: usize = 24;
/// Characters of a session's id that are shown. The first 13 are the time at which it began.
const SESSION_PREFIX: usize = 18;
/// What the command line has in the place of an HTTP method.
pub(crate) const COMMAND: &str = "CLI";

/// What the span of a request or a command knows.
#[derive(Debug)]
pub(crate) struct Facts {
    begun: Instant,
    request_id: Option<String>,
    client: Option<String>,
    method: Option<String>,
    route: Option<String>,
    tenant: Option<String>,
    tenant_id: Option<Uuid>,
    user: Option<i64>,
    username: Option<String>,
    session: Option<String>,
    /// The API key that the request came with.
    key: Option<String>,
    /// The user of the operating system who runs a command.
    system_user: Option<i64>,
}

impl Facts {
    /// Of a span that begins now.
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            request_id: None,
            client: None,
            method: None,
            route: None,
            tenant: None,
            tenant_id: None,
            user: None,
            username: None,
            session: None,
            key: None,
            system_user: None,
        }
    }
}

impl Visit for Facts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "user" => self.user = Some(value),
            "system_user" => self.system_user = Some(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, value as i64);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field.name(), text(value));
    }
}

impl Facts {
    fn text(&mut self, name: &'static str, value: String) {
        let place = match name {
            "request_id" => &mut self.request_id,
            "client" => &mut self.client,
            "method" => &mut self.method,
            "route" => &mut self.route,
            "tenant" => &mut self.tenant,
            "username" => &mut self.username,
            "session" => &mut self.session,
            "key" => &mut self.key,
            "tenant_id" => {
                self.tenant_id = value.parse().ok();
                return;
            }
            _ => return,
        };
        *place = Some(cut(value));
    }
}

/// What an event says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    line: Line,
    details: Map<String, Json>,
}

impl Said {
    fn text(&mut self, name: &'static str, value: String) {
        let entry = &mut self.line.entry;
        match name {
            "action" => entry.action = cut(value),
            "outcome" => entry.outcome = cut(value),
            "tenant" => self.line.tenant = Some(cut(value)),
            "request_id" => entry.request_id = Some(cut(value)),
            "client" => entry.client_ip = Some(cut(value)),
            "username" => entry.username = Some(cut(value)),
            // What is no name of a table may be anything.
            "table" => entry.table = is_identifier(&value).then_some(value),
            "warning" => entry.warning = Some(cut(value)),
            "error" => entry.error = Some(cut(value)),
            _ => self.detail(name, cut(value).into()),
        }
    }

    fn number(&mut self, name: &'static str, value: i64) {
        let entry = &mut self.line.entry;
        match name {
            "user" => entry.user_id = Some(value),
            "rows_affected" => entry.rows_affected = Some(value),
            "status" => entry.status = u16::try_from(value).ok(),
            "duration_ms" => entry.duration_ms = Some(value as f64),
            _ => self.detail(name, value.into()),
        }
    }

    fn detail(&mut self, name: &str, value: Json) {
        // An empty text says that there is none.
        if name != "message" && value != "" && self.details.len() < MAX_DETAILS {
            self.details.insert(name.to_owned(), value);
        }
    }

    /// The finished entry: what the event leaves out is as the span knows it.
    pub(crate) fn finish(mut self, facts: Option<&Facts>) -> Line {
        let entry = &mut self.line.entry;
        entry.ts = next_moment();
        entry.id = id_at(entry.ts);
        let reason = Reason::ALL.iter().find(|reason| reason.word() == entry.outcome);
        if let Some(reason) = reason {
            entry.error.get_or_insert_with(|| reason.meaning().to_owned());
            entry.status.get_or_insert(reason.status());
        }
        match facts {
            Some(facts) => {
                if self.line.tenant.is_none() || self.line.tenant == facts.tenant {
                    self.line.tenant.clone_from(&facts.tenant);
                    self.line.tenant_id = facts.tenant_id;
                }
                complete(entry, &mut self.details, facts);
            }
            None => entry.status = None,
        }
        entry.details = (!self.details.is_empty()).then_some(self.details);
        self.line
    }
}

fn complete(entry: &mut Entry, details: &mut Map<String, Json>, facts: &Facts) {
    let or = |known: &mut Option<String>, fact: &Option<String>| {
        if known.is_none() {
            known.clone_from(fact);
        }
    };
    or(&mut entry.request_id, &facts.request_id);
    or(&mut entry.client_ip, &facts.client);
    or(&mut entry.method, &facts.method);
    or(&mut entry.path, &facts.route);
    // A name goes with its number: somebody else than the caller has another one.
    if entry.user_id.is_none() && entry.username.is_none() || entry.user_id.is_some() && entry.user_id == facts.user {
        entry.user_id = entry.user_id.or(facts.user);
        or(&mut entry.username, &facts.username);
    }
    entry.session_id_prefix = facts.session.as_ref().map(|id| id.chars().take(SESSION_PREFIX).collect());
    entry.duration_ms.get_or_insert_with(|| facts.begun.elapsed().as_micros() as f64 / 1_000.0);
    if let Some(key) = &facts.key {
        details.insert("by_key".to_owned(), key.as_str().into());
    }
    if let Some(user) = facts.system_user {
        details.insert("system_user".to_owned(), user.into());
    }
    if entry.method.as_deref() == Some(COMMAND) {
        entry.status = None;
    } else if entry.outcome == "ok" {
        entry.status.get_or_insert(200);
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            "duration_ms" => self.line.entry.duration_ms = Some((value * 1_000.0).round() / 1_000.0),
            name => self.detail(name, value.into()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.detail(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field.name(), text(value));
    }
}

fn text(value: &dyn Debug) -> String {
    let mut text = String::with_capacity(40);
    // Writing to text does not fail.
    let _ = write!(text, "{value:?}");
    text
}

/// At most so many characters, and none that databases refuse.
fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT
        && let Some((end, _)) = text.char_indices().nth(MAX_TEXT)
    {
        text.truncate(end);
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
