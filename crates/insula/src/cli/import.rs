//! `insula import`.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;

use super::{Done, Output, Which};
use crate::{
    Installation,
    failure::{Failure, Result},
    transfer::{self, Format, Progress, Report},
};

/// Read rows from a file into a table, 500 a transaction.
///
/// The first line of a CSV file names the columns; an empty field is NULL and "" is empty text. The first row that is
/// refused stops the import, with nothing of its 500 written and everything before them kept.
#[derive(Args)]
#[command(after_help = "Examples:\n  insula import assets assets.csv\n  insula import assets assets.csv --resume")]
pub(super) struct Import {
    /// The table
    table: String,
    /// The file
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// What the file is [default: by its ending]
    #[arg(long)]
    format: Option<Format>,
    /// Go on where an earlier import of this file stopped or was killed
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Begin anew though an earlier import of this file stopped
    #[arg(long)]
    restart: bool,
    /// Pass over rows that are refused, and tell which they are
    #[arg(long)]
    skip_bad: bool,
}

impl Import {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (record, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let table = transfer::own_table(&open.data, &self.table)?;
        if table.view {
            return Err(Failure::Usage(format!("{} is a view, which can only be read", self.table)));
        }
        let job = transfer::Import {
            table,
            format: Format::of(self.format, &self.file)?,
            file: self.file,
            resume: self.resume,
            restart: self.restart,
            skip_bad: self.skip_bad,
        };
        let size = std::fs::metadata(&job.file).map(|data| data.len()).ok();
        let mut progress = Progress::new("import", size);
        let report = transfer::import(&open.data, open.is_one_database(), &job, &mut progress).await;
        drop(progress);
        let rows = report.as_ref().ok().map(|report| report.rows - report.resumed_after);
        let (tenant, table) = (Some(&*record.tenant.name), Some(&*self.table));
        Done { action: "import", tenant, table, rows, of: None }.audit(&report);
        let report = report?;
        output.print(&report, || tell(&self.table, &report));
        Ok(())
    }
}

fn tell(table: &str, report: &Report) -> String {
    let mut text = format!("{} rows are in {table}", report.rows);
    if report.resumed_after > 0 {
        let _ = write!(text, ", {} of them from an earlier run", report.resumed_after);
    }
    if report.skipped > 0 {
        let _ = write!(text, "; {} were refused", report.skipped);
    }
    text
}
