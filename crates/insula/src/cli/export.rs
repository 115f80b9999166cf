//! `insula export`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{Output, Which};
use crate::{
    Installation,
    failure::{Failure, Result, io},
    transfer::{self, Format, Progress},
};

/// Write the rows of a table or view, in the order of its key.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  insula export assets --output assets.csv\n  insula export assets --format jsonl | head"
)]
pub(super) struct Export {
    /// The table or view
    table: String,
    #[command(flatten)]
    which: Which,
    /// How rows are written [default: by the file's ending, else csv]
    #[arg(long)]
    format: Option<Format>,
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let table = transfer::own_table(&open.data, &self.table)?;
        let mut progress = Progress::new("export", None);
        let Some(file) = self.output else {
            let mut out = BufWriter::new(std::io::stdout());
            let format = self.format.unwrap_or(Format::Csv);
            return match transfer::export(&open.data, &table, format, &mut out, &mut progress).await {
                // Whoever reads has enough, as in `insula export assets | head`.
                Err(Failure::Io(_, error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                other => other.map(drop),
            };
        };
        let format = Format::of(self.format, &file)?;
        // The file appears whole or not at all.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let cannot = || io(file.display());
        let unfinished = tempfile::NamedTempFile::new_in(folder).map_err(cannot())?;
        let mut out: BufWriter<&File> = BufWriter::new(unfinished.as_file());
        let rows = transfer::export(&open.data, &table, format, &mut out, &mut progress).await?;
        out.flush().map_err(cannot())?;
        drop(out);
        unfinished.persist(&file).map_err(|error| error.error).map_err(cannot())?;
        drop(progress);
        output.print(&json!({ "rows": rows, "file": file }), || format!("{rows} rows are in {}", file.display()));
        Ok(())
    }
}
