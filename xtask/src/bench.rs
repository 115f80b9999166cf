//! `cargo xtask bench`: the measurements, on optimised programs.

use std::process::Command;

use anyhow::Result;

use crate::{command, progress, workspace};

/// The comparisons beside the one of workloads.
const COMPARISONS: [&str; 4] = ["identity", "logins", "passthrough", "reload"];

/// What `cargo xtask bench` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run, all when none is named; or another comparison: identity, logins, passthrough or reload.
    #[arg(value_name = "WORKLOAD")]
    words: Vec<String>,
    /// Short rounds, to see that everything runs; the numbers mean little.
    #[arg(long)]
    quick: bool,
}

/// Builds the server and the load driver, and lets the driver measure.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (driver, server) = progress::step("Building the release programs", || {
        let server = workspace::build(&["insula"], &["--release"])?;
        Ok((workspace::build(&["insula-bench"], &["--release"])?, server))
    })?;
    let (comparison, words) = comparison(&options.words);
    let mut bench = Command::new(driver);
    bench.arg(comparison).args(options.quick.then_some("--quick")).args(words);
    command::run(bench.env("INSULA_BIN", server).current_dir(workspace::root()))
}

/// The driver's command, and what it is told.
fn comparison(words: &[String]) -> (&str, &[String]) {
    match words.split_first() {
        Some((first, rest)) if COMPARISONS.contains(&first.as_str()) => (first, rest),
        _ => ("run", words),
    }
}

#[cfg(test)]
mod tests {
    use super::comparison;

    #[test]
    fn a_comparison_is_named_first() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(comparison(&words("identity --rounds 5")), ("identity", &words("--rounds 5")[..]));
        assert_eq!(comparison(&words("read --rounds 5")), ("run", &words("read --rounds 5")[..]));
        assert_eq!(comparison(&[]), ("run", &[][..]));
    }
}
