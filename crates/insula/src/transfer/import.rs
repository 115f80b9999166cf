//! Import: rows of a file into a table, a chunk a transaction.

use std::{fs::File, path::PathBuf, sync::Arc};

use kernel::{Cause, WriteContext};
use serde::Serialize;
use store::{Change, Database, Insert, Table, Transaction, Value};
use uuid::Uuid;

use super::{
    Format, Progress,
    csv_rows::CsvRows,
    json_rows::JsonRows,
    resume::{self, Progressed},
    tape::Tape,
};
use crate::failure::{Failure, Result, io};

/// Rows of a transaction at the most, and bytes of the file.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: u64 = 4 << 20;
/// Values that every database takes in one statement.
const VALUES: usize = 30_000;
/// Refused rows that the report repeats.
const REPORTED: usize = 100;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) byte: u64,
    /// Its line, from 1.
    pub(super) line: u64,
}

/// A row that can be written.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) columns: Vec<usize>,
    pub(super) values: Vec<Value>,
}

/// A row that is refused.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bad {
    /// Its first line in the file.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) problem: String,
}

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

pub(super) fn context() -> WriteContext {
    WriteContext { user: None, request: None, cause: Cause::Import }
}

/// The position of a column that can be written.
pub(super) fn column_position(table: &Table, name: &str) -> Result<usize, String> {
    let position = table.position(name).ok_or_else(|| format!("{} has no column {name:?}", table.name))?;
    if table.columns[position].generated {
        return Err(format!("{name} is computed by the database and cannot be written"));
    }
    Ok(position)
}

enum Rows {
    Csv(CsvRows),
    Json(JsonRows),
}

impl Rows {
    fn next(&mut self) -> Result<Option<Result<Row, Bad>>> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Json(rows) => rows.next(),
        }
    }

    fn mark(&self) -> Mark {
        match self {
            Self::Csv(rows) => rows.mark(),
            Self::Json(rows) => rows.mark(),
        }
    }

    fn tape(&mut self) -> &mut Tape<File> {
        match self {
            Self::Csv(rows) => rows.tape(),
            Self::Json(rows) => rows.tape(),
        }
    }
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
                Some(Err(refused)) => return Err(stop(&refused)),
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
        let (written, refused) = self.write(chunk).await?;
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

    /// Writes all rows of a chunk, or finds out which of them the database refuses.
    async fn write(&self, chunk: Chunk) -> Result<(Progressed, Vec<Bad>)> {
        let chunk = Arc::new(chunk);
        let (ddl, whole) = (self.database.ddl(), Arc::clone(&chunk));
        let together = self
            .database
            .transaction(&context(), move |transaction| {
                let (chunk, ddl) = (Arc::clone(&whole), ddl.clone());
                Box::pin(async move {
                    for insert in chunk.inserts() {
                        transaction.apply(&insert).await?;
                    }
                    chunk.finish(transaction, &ddl, chunk.rows.len() as u64, 0).await
                })
            })
            .await;
        match together {
            Err(error) if is_of_a_row(&error) => {}
            other => return Ok((other?, Vec::new())),
        }
        let (ddl, skip) = (self.database.ddl(), self.job.skip_bad);
        let context = context();
        let singly = self.database.transaction(&context, move |transaction| {
            let (chunk, ddl) = (Arc::clone(&chunk), ddl.clone());
            Box::pin(async move { chunk.singly(transaction, &ddl, skip).await })
        });
        match singly.await {
            Err(store::Error::Refused(refused)) => Err(Failure::Other(refused.message)),
            other => Ok(other?),
        }
    }
}

fn stop(bad: &Bad) -> Failure {
    Failure::Other(format!("line {}: {}; nothing of its chunk was written", bad.line, bad.problem))
}

/// Whether a row is at fault, and not the database.
fn is_of_a_row(error: &store::Error) -> bool {
    use store::Error::{Check, ForeignKey, NotNull, Unique, ValueRefused};
    matches!(error, Unique(_) | ForeignKey | NotNull(_) | Check | ValueRefused(_))
}

struct Chunk {
    table: Arc<Table>,
    rows: Vec<Row>,
    before: Mark,
    /// How far the import is once the chunk is written, but for the counts of rows.
    after: Progressed,
    tracked: bool,
}

impl Chunk {
    /// Inserts of neighbours with values for the same columns.
    fn inserts(&self) -> impl Iterator<Item = Change> {
        self.rows.chunk_by(|a, b| a.columns == b.columns).flat_map(|alike| {
            let rows = (VALUES / alike[0].columns.len().max(1)).max(1);
            alike.chunks(rows).map(|rows| self.insert(rows))
        })
    }

    fn insert(&self, rows: &[Row]) -> Change {
        Change::Insert(Insert {
            table: Arc::clone(&self.table),
            columns: rows.first().map(|row| row.columns.clone()).unwrap_or_default(),
            rows: rows.iter().map(|row| row.values.clone()).collect(),
            guard: None,
        })
    }

    async fn finish(
        &self,
        transaction: &mut Transaction<'_>,
        ddl: &store::Ddl,
        written: u64,
        refused: u64,
    ) -> store::Result<Progressed> {
        let mut after = self.after.clone();
        after.records += written;
        after.skipped += refused;
        if self.tracked {
            resume::advance(transaction, ddl, self.before, &after).await?;
        }
        Ok(after)
    }

    /// Row by row: passes over those that the database refuses, or undoes everything for the first of them.
    async fn singly(
        &self,
        transaction: &mut Transaction<'_>,
        ddl: &store::Ddl,
        skip: bool,
    ) -> store::Result<(Progressed, Vec<Bad>)> {
        let mut bad = Vec::new();
        for row in &self.rows {
            transaction.savepoint().await?;
            match transaction.apply(&self.insert(std::slice::from_ref(row))).await {
                Ok(_) => transaction.release_savepoint().await?,
                Err(error) if is_of_a_row(&error) => {
                    transaction.rollback_to_savepoint().await?;
                    let refused = kernel::Error::from(error);
                    let found = Bad { line: row.line, problem: refused.message };
                    if !skip {
                        let message = stop(&found).to_string();
                        return Err(kernel::Error::new(refused.reason, message).into());
                    }
                    bad.push(found);
                }
                Err(error) => return Err(error),
            }
        }
        let written = (self.rows.len() - bad.len()) as u64;
        Ok((self.finish(transaction, ddl, written, bad.len() as u64).await?, bad))
    }
}
