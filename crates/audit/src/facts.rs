//! What events say, field by field, and what is known of the request or command beside.

use std::fmt::{Debug, Write};

use kernel::{Credential, LogContext, Reason, identifier::is_identifier, log_context::Origin};
use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};

use crate::entry::{Entry, Line, id_at, next_moment};

/// Characters of a text that are kept.
const MAX_TEXT: usize = 500;
/// Further fields that are kept.
const MAX_DETAILS: usize = 24;
/// Characters of a session's id that are shown. The first 13 are the time at which it began.
const SESSION_PREFIX: usize = 18;
/// The outcome of what went well, which is no reason.
const OK: &str = "ok";
/// What the command line has in the place of an HTTP method.
const COMMAND: &str = "CLI";

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

    /// The finished entry: what the event leaves out is as the request or command has it.
    pub(crate) fn finish(mut self, known: Option<&LogContext>) -> Line {
        let entry = &mut self.line.entry;
        entry.ts = next_moment();
        entry.id = id_at(entry.ts);
        if entry.outcome != OK
            && let Some(reason) = Reason::ALL.iter().find(|reason| reason.word() == entry.outcome)
        {
            entry.error.get_or_insert_with(|| reason.meaning().to_owned());
            entry.status.get_or_insert(reason.status());
        }
        match known {
            Some(known) => {
                let tenant = known.tenant();
                let name = tenant.map(|tenant| tenant.name.as_str());
                if self.line.tenant.is_none() || self.line.tenant.as_deref() == name {
                    self.line.tenant = name.map(str::to_owned);
                    self.line.tenant_id = tenant.map(|tenant| tenant.id);
                }
                complete(entry, &mut self.details, known);
            }
            None => entry.status = None,
        }
        entry.details = (!self.details.is_empty()).then_some(self.details);
        self.line
    }
}

fn complete(entry: &mut Entry, details: &mut Map<String, Json>, known: &LogContext) {
    match &known.origin {
        Origin::Request { id, client, method, .. } => {
            entry.request_id.get_or_insert_with(|| id.to_string());
            entry.client_ip.get_or_insert_with(|| client.to_string());
            entry.method = Some(cut(method.to_string()));
            if entry.outcome == OK {
                entry.status.get_or_insert(200);
            }
        }
        Origin::Command { system_user, .. } => {
            entry.method = Some(COMMAND.to_owned());
            entry.status = None;
            details.insert("system_user".to_owned(), (*system_user).into());
        }
    }
    entry.path = known.route().map(|route| cut(route.to_owned()));
    entry.duration_ms.get_or_insert_with(|| known.begun.elapsed().as_micros() as f64 / 1_000.0);
    let Some(caller) = known.caller() else { return };
    let user = caller.principal.user();
    // A name goes with its number: somebody else than the caller has another one.
    if user.is_some() && if entry.user_id.is_none() { entry.username.is_none() } else { entry.user_id == user } {
        entry.user_id = user;
        entry.username.get_or_insert_with(|| cut(caller.principal.username.clone()));
    }
    match &caller.principal.credential {
        Credential::Session(id) => {
            let mut text = id.to_string();
            text.truncate(SESSION_PREFIX);
            entry.session_id_prefix = Some(text);
        }
        Credential::Key(key) => drop(details.insert("by_key".to_owned(), key.id.as_str().into())),
        Credential::Webhook(token) => drop(details.insert("by_key".to_owned(), token.id.to_string().into())),
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
