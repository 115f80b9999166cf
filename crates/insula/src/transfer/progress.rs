//! Signs of life for work that takes longer than a second.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(5);

/// A bar on a terminal, a line every few seconds elsewhere, both on standard error and after a second.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    spoke: Option<Instant>,
    what: &'static str,
    unit: &'static str,
    silent: bool,
}

impl Progress {
    /// For work on so many bytes, where that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{prefix} {wide_bar} {percent}% {msg} {eta}",
            None => "{prefix} {spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Self { bar, begun: Instant::now(), spoke: None, what, unit: "rows", silent: false }
    }

    /// For work that nobody watches.
    pub(crate) fn silent() -> Self {
        let mut progress = Self::new("", None);
        progress.silent = true;
        progress
    }

    /// For work on other things than rows.
    pub(crate) fn counting(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Tells how far the work is, and how many rows are done.
    pub(crate) fn at(&mut self, position: u64, done: u64) {
        if self.silent || self.begun.elapsed() < PATIENCE {
            return;
        }
        if std::io::stderr().is_terminal() {
            if self.bar.is_hidden() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            self.bar.set_message(format!("{done} {}", self.unit));
            self.bar.set_position(position);
        } else if self.spoke.is_none_or(|spoke| spoke.elapsed() >= PAUSE) {
            self.spoke = Some(Instant::now());
            eprintln!("{}: {done} {}", self.what, self.unit);
        }
    }

    /// Prints a line without disturbing the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
