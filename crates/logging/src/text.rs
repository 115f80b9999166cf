//! Lines for people.

use std::fmt::{self, Debug, Write};

use kernel::log_context::{LogContext, Shown};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};
use uuid::Uuid;

/// Bytes of most lines.
const USUAL: usize = 512;

/// `time LEVEL request{…}: target: message field=value`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        // Handed over in one piece: the writer is behind a pointer, and asking it for each word costs more than the word.
        let mut line = String::with_capacity(USUAL);
        write!(line, "{:.6} ", kernel::time::now())?;
        level(&mut line, *metadata.level(), out.has_ansi_escapes())?;
        if let Some(known) = LogContext::current() {
            request(&mut line, &known);
        }
        line.push_str(metadata.target());
        line.push(':');
        event.record(&mut Said(&mut line));
        line.push('\n');
        out.write_str(&line)
    }
}

fn level(out: &mut String, level: Level, colours: bool) -> fmt::Result {
    let (colour, word) = match level {
        Level::ERROR => (31, "ERROR"),
        Level::WARN => (33, " WARN"),
        Level::INFO => (32, " INFO"),
        Level::DEBUG => (34, "DEBUG"),
        Level::TRACE => (35, "TRACE"),
    };
    if colours {
        return write!(out, "\x1b[{colour}m{word}\x1b[0m ");
    }
    out.push_str(word);
    out.push(' ');
    Ok(())
}

fn request(out: &mut String, known: &LogContext) {
    let mut before = "request{";
    known.fields(&mut |name, value| {
        out.push_str(std::mem::replace(&mut before, " "));
        out.push_str(name);
        out.push('=');
        match value {
            Shown::Text(text) => quoted(out, text),
            Shown::Word(word) => out.push_str(word),
            Shown::Number(number) => shown(out, format_args!("{number}")),
            Shown::Id(id) => out.push_str(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Shown::Address(address) => shown(out, format_args!("{address}")),
        }
    });
    out.push_str("}: ");
}

/// A text in quotes; in most there is nothing to escape.
fn quoted(out: &mut String, text: &str) {
    if text.bytes().any(|byte| !matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
        return shown(out, format_args!("{text:?}"));
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn shown(out: &mut String, value: fmt::Arguments<'_>) {
    // Writing to text does not fail.
    let _ = out.write_fmt(value);
}

/// Writes the message and the fields of an event.
struct Said<'l>(&'l mut String);

impl Said<'_> {
    fn name(&mut self, field: &Field) -> &mut String {
        self.0.push(' ');
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push('=');
        }
        self.0
    }
}

impl Visit for Said<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        shown(self.name(field), format_args!("{value:.3}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        shown(self.name(field), format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        shown(self.name(field), format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let out = self.name(field);
        if field.name() == "message" { out.push_str(value) } else { quoted(out, value) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        shown(self.name(field), format_args!("{value:?}"));
    }
}
