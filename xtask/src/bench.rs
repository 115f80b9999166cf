//! `cargo xtask bench`: the measurements, on optimised programs.

use std::process::Command;

use anyhow::Result;

use crate::{command, progress, workspace};

/// What `cargo xtask bench` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run; all when none is named.
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<String>,
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
    let mut bench = Command::new(driver);
    bench.arg("run").args(options.quick.then_some("--quick")).args(&options.workloads);
    command::run(bench.env("INSULA_BIN", server).current_dir(workspace::root()))
}
