//! Import: rows of a file into a table, a chunk a transaction.

use std::{fs::File, path::PathBuf, sync::Arc};

use serde::Serialize;
use store::{Database, Table};
use uuid::Uuid;

use super::{
    Format, Progress,
    chunk::{self, Chunk},
    counter,
    csv_rows::CsvRows,
    json_rows::JsonRows,
    resume::{self, Progressed},
    rows::{Bad, Mark, Rows},
    tape::Tape,
};
use crate::failure::{Failure, Result, io};

/// Rows of a transaction at the most, and bytes of the file.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: u64 = 4 << 20;
/// Refused rows that the report repeats.
const REPORTED: usize = 100;

/// What to import.
pub(crate) struct Import {
    pub(crate) table: Arc<Table>,
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    /// Go on where an earlier import of the file stopped.
    pub(crate) resume: bool,
    /// Begin anew though an earlier import of the file stopped.
    pub(crate) restart: bool,
    /// Pass over rows that are refused.
    pub(crate) skip_bad: bool,
}

/// What an import did.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Rows that were written, those before a resumption included.
    pub(crate) rows: u64,
    /// Rows that were refused.
    pub(crate) skipped: u64,
    /// Rows that an earlier run had written.
    pub(crate) resumed_after: u64,
    /// The first refused rows of this run.
    pub(crate) refused: Vec<Bad>,
}

/// Runs an import. `tracked` says whether the table of imports lies in the same database.
pub(crate) async fn import(
    database: &Database,
    tracked: bool,
    job: &Import,
    progress: &mut Progress,
) -> Result<Report> {
    let name = job.file.display().to_string();
    let path = job.file.canonicalize().map_err(io(&name))?;
    let key = path.to_string_lossy().into_owned();
    let open = || File::open(&path).map_err(io(&name));
    let (columns, first) = match job.format {
        Format::Csv => CsvRows::header(open()?, &job.table)?,
        Format::Jsonl => (Vec::new(), Mark { byte: 0, line: 1 }),
    };
    let earlier = if tracked { resume::latest(database, &job.table.name, &key).await? } else { None };
    let earlier = choose(job, tracked, earlier)?;
    let mark = earlier.as_ref().map_or(first, |earlier| earlier.mark);
    let changed = || Failure::Usage(format!("{name} has changed in the part that is imported already; use --restart"));
    let tape = Tape::wound(open()?, mark.byte).map_err(|_| changed())?;
    if earlier.as_ref().is_some_and(|earlier| earlier.prefix_hash != tape.hash()) {
        return Err(changed());
    }
    let state = if let Some(earlier) = earlier {
        earlier
    } else {
        let id = Uuid::now_v7().to_string();
        let begun = Progressed { id, mark, records: 0, skipped: 0, prefix_hash: tape.hash(), finished: false };
        if tracked {
            resume::begin(database, &job.table.name, &key, &begun).await?;
        }
        begun
    };
    let rows = match job.format {
        Format::Csv => Rows::Csv(CsvRows::new(Arc::clone(&job.table), columns, tape, mark)),
        Format::Jsonl => Rows::Json(JsonRows::new(Arc::clone(&job.table), tape, mark)),
    };
    let resumed_after = state.records;
    let mut run = Run { database, tracked, job, rows, state, refused: Vec::new() };
    if !run.state.finished {
        while run.chunk(progress).await? {}
    }
    if let Err(error) = counter::catch_up(database, &job.table).await {
        progress.say(&format!("the counter of the key was not moved behind the imported keys: {error}"));
    }
    Ok(Report { rows: run.state.records, skipped: run.state.skipped, resumed_after, refused: run.refused })
}

/// The earlier import to go on with, if any.
fn choose(job: &Import, tracked: bool, earlier: Option<Progressed>) -> Result<Option<Progressed>> {
    match earlier {
        _ if job.resume && !tracked => Err(Failure::Usage(
            "this tenant keeps Insula's tables in a second database, where an import cannot be resumed".to_owned(),
        )),
        Some(earlier) if job.resume => Ok(Some(earlier)),
        Some(earlier) if !earlier.finished && earlier.records > 0 && !job.restart => Err(Failure::Usage(format!(
            "an import of this file stopped after {} rows; go on with --resume or begin anew with --restart",
            earlier.records
        ))),
        _ => Ok(None),
    }
}

struct Run<'a> {
    database: &'a Database,
    tracked: bool,
    job: &'a Import,
    rows: Rows,
    state: Progressed,
    refused: Vec<Bad>,
}

impl Run<'_> {
    /// Reads and writes one chunk; tells whether there may be another.
    async fn chunk(&mut self, progress: &mut Progress) -> Result<bool> {
        let begin = self.state.mark;
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        let mut more = true;
        while rows.len() + bad.len() < CHUNK_ROWS && self.rows.mark().byte - begin.byte < CHUNK_BYTES {
            match self.rows.next()? {
                None => {
                    more = false;
                    break;
                }
                Some(Ok(row)) => rows.push(row),
                Some(Err(refused)) if self.job.skip_bad => bad.push(refused),
                Some(Err(refused)) => return Err(chunk::stop(&refused)),
            }
        }
        let mark = self.rows.mark();
        self.rows.tape().let_go(mark.byte);
        let chunk = Chunk {
            table: Arc::clone(&self.job.table),
            rows,
            before: begin,
            after: Progressed {
                mark,
                prefix_hash: self.rows.tape().hash(),
                finished: !more,
                skipped: self.state.skipped + bad.len() as u64,
                ..self.state.clone()
            },
            tracked: self.tracked,
        };
        let (written, refused) = chunk.write(self.database, self.job.skip_bad).await?;
        self.state = written;
        bad.extend(refused);
        bad.sort_by_key(|bad| bad.line);
        for bad in bad {
            progress.say(&format!("line {}: {} (skipped)", bad.line, bad.problem));
            if self.refused.len() < REPORTED {
                self.refused.push(bad);
            }
        }
        progress.at(mark.byte, self.state.records);
        Ok(more)
    }
}
