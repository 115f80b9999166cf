//! Lines for people.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write},
    net::IpAddr,
};

use kernel::{
    log_context::{LogContext, Shown},
    time::Timestamp,
};
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
        moment(&mut line, kernel::time::now());
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

/// A moment with six digits of a second. The text of the running second is kept: most lines are of the same one.
fn moment(out: &mut String, now: Timestamp) {
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    const MICROSECONDS: i64 = 1_000_000;
    let (second, rest) = (now.as_microsecond().div_euclid(MICROSECONDS), now.as_microsecond().rem_euclid(MICROSECONDS));
    SECOND.with_borrow_mut(|(known, text)| {
        if *known != second {
            *known = second;
            *text = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        out.push_str(text);
    });
    out.push('.');
    padded(out, rest as u64, MICROSECONDS as u64);
    out.push_str("Z ");
}

/// The digits of a number below a power of ten, as many as that has noughts.
fn padded(out: &mut String, number: u64, power: u64) {
    out.push_str(&itoa::Buffer::new().format(power + number)[1..]);
}

/// A number with three digits behind the point.
fn thousandths(out: &mut String, value: f64) {
    const MOST: f64 = 1e15;
    let rounded = (value * 1_000.0).round();
    if !(0.0..MOST).contains(&rounded) {
        return shown(out, format_args!("{value:.3}"));
    }
    let rounded = rounded as u64;
    out.push_str(itoa::Buffer::new().format(rounded / 1_000));
    out.push('.');
    padded(out, rounded % 1_000, 1_000);
}

fn shown_address(out: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else { return shown(out, format_args!("{address}")) };
    for (at, part) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        out.push_str(itoa::Buffer::new().format(part));
    }
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
            Shown::Number(number) => out.push_str(itoa::Buffer::new().format(number)),
            Shown::Id(id) => out.push_str(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Shown::Address(address) => shown_address(out, address),
        }
    });
    out.push_str("}: ");
}

/// A text in quotes; in most there is nothing to escape.
fn quoted(out: &mut String, text: &str) {
    // All bytes, so that many are looked at in one step.
    let plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
    if !plain {
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
        thousandths(self.name(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let out = self.name(field);
        if field.name() == "message" { out.push_str(value) } else { quoted(out, value) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        shown(self.name(field), format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::{moment, quoted, shown_address, thousandths};
    use kernel::time::Timestamp;

    fn text(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_moment_has_six_digits_of_its_second() {
        for micros in [0, 1, 999_999, 1_000_000, 1_795_775_226_894_988, 1_795_775_226_000_007, -1] {
            let at = Timestamp::from_microsecond(micros).unwrap();
            assert_eq!(text(|out| moment(out, at)), format!("{at:.6} "));
        }
    }

    #[test]
    fn numbers_have_three_digits_behind_the_point() {
        for value in [0.0, 0.0004, 0.0006, 0.25, 1.0, 12.3456, 98_765.432_1, -1.5, 1e18, f64::NAN, f64::INFINITY] {
            assert_eq!(text(|out| thousandths(out, value)), format!("{value:.3}"));
        }
    }

    #[test]
    fn addresses_and_texts() {
        for address in ["127.0.0.1", "255.10.0.9", "::1", "2001:db8::7"] {
            assert_eq!(text(|out| shown_address(out, address.parse().unwrap())), address);
        }
        assert_eq!(text(|out| quoted(out, "a b#c!~")), "\"a b#c!~\"");
        assert_eq!(text(|out| quoted(out, "line\nend \"quote\" \\ é")), "\"line\\nend \\\"quote\\\" \\\\ é\"");
    }
}
