//! What the developer sees: one line when a step begins, one when it is done.

use std::{
    fmt::Display,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Says what happens now.
pub(crate) fn say(message: impl Display) {
    eprintln!("{} {message}", paint("36", "=>"));
}

/// Says what went wrong, with its causes.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("{} {error:#}", paint("31", "error:"));
}

/// Runs one named step and says how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(format_args!("{name} …"));
    let begin = Instant::now();
    let done = work();
    let word = if done.is_ok() { paint("32", "done") } else { paint("31", "failed") };
    say(format_args!("{name}: {word} after {}", elapsed(begin.elapsed())));
    done
}

/// A length of time as people read it: `0.4 s`, `75 s`, `12 min 5 s`.
pub(crate) fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn paint(colour: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::elapsed;
    use std::time::Duration;

    #[test]
    fn times_are_short_to_read() {
        assert_eq!(elapsed(Duration::from_millis(430)), "0.4 s");
        assert_eq!(elapsed(Duration::from_millis(75_900)), "75 s");
        assert_eq!(elapsed(Duration::from_secs(725)), "12 min 5 s");
    }
}
