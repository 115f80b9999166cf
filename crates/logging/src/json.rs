//! Lines for programs.

use std::fmt;

use kernel::log_context::{LogContext, Shown};
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// An object a line: `timestamp`, `level`, `fields` with the `message`, `target`, and `span` with what is known of the
/// request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = json!({
            "timestamp": kernel::time::rfc3339(kernel::time::now()),
            "level": metadata.level().as_str(),
            "fields": fields.0,
            "target": metadata.target(),
        });
        if let Some(known) = LogContext::current() {
            line["span"] = Value::Object(request(&known));
        }
        writeln!(out, "{line}")
    }
}

fn request(known: &LogContext) -> Map<String, Value> {
    let mut span = Map::new();
    known.fields(&mut |name, value| {
        let value = match value {
            Shown::Text(text) | Shown::Word(text) => text.into(),
            Shown::Number(number) => number.into(),
            Shown::Id(id) => id.to_string().into(),
            Shown::Address(address) => address.to_string().into(),
        };
        span.insert(name.to_owned(), value);
    });
    span
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
