//! A few hundred rows that are written in one transaction.

use std::sync::Arc;

use kernel::{Cause, WriteContext};
use store::{Change, Database, Ddl, Insert, Table, Transaction};

use super::{
    resume::{self, Progressed},
    rows::{Bad, Mark, Row},
};
use crate::failure::{Failure, Result};

/// Values that every database takes in one statement.
const VALUES: usize = 30_000;

/// Who writes: nobody, a file.
pub(super) fn context() -> WriteContext {
    WriteContext { user: None, request: None, cause: Cause::Import }
}

/// What an import fails with that does not pass over refused rows.
pub(super) fn stop(bad: &Bad) -> Failure {
    Failure::Other(format!("line {}: {}; nothing of its chunk was written", bad.line, bad.problem))
}

/// Whether a row is at fault, and not the database.
fn is_of_a_row(error: &store::Error) -> bool {
    use store::Error::{Check, ForeignKey, NotNull, Unique, ValueRefused};
    matches!(error, Unique(_) | ForeignKey | NotNull(_) | Check | ValueRefused(_))
}

/// Rows to be written, and how far the import is then.
pub(super) struct Chunk {
    pub(super) table: Arc<Table>,
    pub(super) rows: Vec<Row>,
    pub(super) before: Mark,
    /// How far the import is once the chunk is written, but for the counts of rows.
    pub(super) after: Progressed,
    pub(super) tracked: bool,
}

impl Chunk {
    /// Writes all rows, or finds out which of them the database refuses; these are passed over if `skip` is set.
    pub(super) async fn write(self, database: &Database, skip: bool) -> Result<(Progressed, Vec<Bad>)> {
        let (chunk, ddl, context) = (Arc::new(self), database.ddl(), context());
        let (whole, its_ddl) = (Arc::clone(&chunk), ddl.clone());
        let together = database.transaction(&context, move |transaction| {
            let (chunk, ddl) = (Arc::clone(&whole), its_ddl.clone());
            Box::pin(async move { chunk.together(transaction, &ddl).await })
        });
        match together.await {
            Err(error) if is_of_a_row(&error) => {}
            other => return Ok((other?, Vec::new())),
        }
        let singly = database.transaction(&context, move |transaction| {
            let (chunk, ddl) = (Arc::clone(&chunk), ddl.clone());
            Box::pin(async move { chunk.singly(transaction, &ddl, skip).await })
        });
        match singly.await {
            Err(store::Error::Refused(refused)) => Err(Failure::Other(refused.message)),
            other => Ok(other?),
        }
    }

    async fn together(&self, transaction: &mut Transaction<'_>, ddl: &Ddl) -> store::Result<Progressed> {
        for insert in self.inserts() {
            transaction.apply(&insert).await?;
        }
        self.finish(transaction, ddl, self.rows.len() as u64, 0).await
    }

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
        ddl: &Ddl,
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
        ddl: &Ddl,
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
