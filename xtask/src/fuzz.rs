//! `cargo xtask fuzz`: strangers' bytes for the parsers.

use anyhow::{Result, bail};

use crate::{command, progress, workspace};

/// What `cargo xtask fuzz` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The target to run; all when none is named.
    target: Option<String>,
    /// How long to run each target.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Runs the fuzz targets with cargo-fuzz, without the sanitizers that only a nightly compiler has.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !command::agrees(workspace::cargo().args(["fuzz", "--version"])) {
        bail!("cargo-fuzz is not installed; install it with `cargo install cargo-fuzz`.");
    }
    let targets = match &options.target {
        Some(target) => target.clone(),
        None => command::read(workspace::cargo().args(["fuzz", "list"]))?,
    };
    for target in targets.lines() {
        progress::step(&format!("Fuzzing {target}"), || {
            let mut cargo = workspace::cargo();
            cargo.args(["fuzz", "run", "--sanitizer", "none", target, "--"]);
            command::run(cargo.arg(format!("-max_total_time={}", options.seconds)))
        })?;
    }
    Ok(())
}
