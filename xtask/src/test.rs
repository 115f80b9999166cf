//! `cargo xtask test`: everything, on three databases.

use anyhow::Result;

use crate::{command, databases::Databases, packages, progress, workspace};

/// What `cargo xtask test` may be told.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Run only tests whose names contain one of these; after `--` also options of the test harness.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// Builds the program, brings up the databases and runs the tests that were asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let program = progress::step("Building insula", || workspace::build(&["insula"], &[]))?;
    packages::companions()?;
    let databases = Databases::start()?;
    progress::step("Running the tests", || {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--workspace", "--no-fail-fast", "--"]).args(&options.filters);
        cargo.envs(databases.environment()).env("INSULA_BIN", program);
        command::run(&mut cargo)
    })
}
