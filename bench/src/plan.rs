//! What every comparison may be told: with which program, how long, how often, and where the results go.

use std::{num::NonZeroUsize, ops::RangeInclusive, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tempfile::TempDir;
use tokio::{runtime, signal};

use crate::{chart::Chart, load::Load, machine::Machine, pinning, report};

/// The options that all comparisons share.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Short rounds, to see that everything runs; nothing is recorded and the numbers mean little.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured.
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// How many seconds of each run are measured, after one second that is not.
    #[arg(long, default_value = "5")]
    seconds: NonZeroUsize,
    /// Where Insula's release program is; beside this one when not said.
    #[arg(long, env = "INSULA_BIN", value_name = "FILE")]
    insula: Option<PathBuf>,
    /// Where the data are while it runs: a folder on the disk that is meant.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, value_name = "FOLDER", default_value = "bench/results")]
    results: PathBuf,
}

impl Plan {
    /// The numbers of the rounds.
    pub(crate) fn rounds(&self) -> RangeInclusive<usize> {
        1..=if self.quick { 1 } else { self.rounds.get() }
    }

    /// The time before each run that is not measured.
    pub(crate) fn warm_up(&self) -> Duration {
        if self.quick { Duration::from_millis(200) } else { Duration::from_secs(1) }
    }

    /// The time of each run that is measured.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds.get() as u64 })
    }

    /// Whether the rounds are short.
    pub(crate) const fn is_quick(&self) -> bool {
        self.quick
    }

    /// Insula's program.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = match &self.insula {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("insula"),
        };
        let program = program.canonicalize();
        program.context("Insula's program is not there; build it with `cargo build --release`, or set INSULA_BIN")
    }

    /// A folder for the data, which goes with its value.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        Ok(tempfile::Builder::new().prefix("insula-bench-").tempdir_in(parent)?)
    }

    /// The load of each run.
    pub(crate) fn load(&self) -> Load {
        Load { warm_up: self.warm_up(), time: self.time() }
    }

    /// Prints the table and keeps the lines in a file of their own, unless the rounds were short. The comparison's name
    /// is in the file's name.
    pub(crate) fn finish(&self, name: &str, machine: &Machine, table: &str, lines: &[impl Serialize]) -> Result<()> {
        self.finish_with(name, machine, table, lines, &[])
    }

    /// As [`Plan::finish`], with charts.
    pub(crate) fn finish_with(
        &self,
        name: &str,
        machine: &Machine,
        table: &str,
        lines: &[impl Serialize],
        charts: &[Chart],
    ) -> Result<()> {
        println!("{machine}\n\n{table}");
        if !self.quick {
            let file = report::keep(&self.results, name, machine, lines, charts)?;
            println!("Kept in {}", file.display());
        }
        Ok(())
    }
}

/// Runs a comparison to its end or until it is interrupted. One thread: the server needs the other cores.
pub(crate) fn run(comparison: impl Future<Output = Result<()>>) -> Result<()> {
    pinning::begin()?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            done = comparison => done,
            // The folders and servers of the comparison are dropped with it.
            interrupt = signal::ctrl_c() => interrupt.map_err(Into::into).and_then(|()| bail!("Interrupted.")),
        }
    })
}
