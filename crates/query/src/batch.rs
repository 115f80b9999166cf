//! Batches: many statements in one transaction.

use std::sync::Arc;

use kernel::{Error, Reason, Result, WriteContext};
use parking_lot::Mutex;
use store::{Change, Database, Insert, JsonRows, Transaction};

use crate::service::{Outcome, Prepared, first_number, written};

/// What came of one statement while the batch ran.
enum Ran {
    Done(Outcome),
    Failed(Error),
    /// It was refused before the batch began.
    Refused,
}

struct Batch {
    /// The statements; none where one was refused already.
    items: Vec<Option<Prepared>>,
    rollback_on_error: bool,
}

/// Runs statements in one transaction. A failing one undoes either all or itself alone.
pub(crate) async fn run(
    database: &Database,
    context: &WriteContext,
    prepared: Vec<Result<Prepared>>,
    rollback_on_error: bool,
) -> Result<Outcome> {
    let mut refused = Vec::with_capacity(prepared.len());
    let mut items = Vec::with_capacity(prepared.len());
    for item in prepared {
        let (item, error) = match item {
            Ok(item) => (Some(item), None),
            Err(error) => (None, Some(error)),
        };
        items.push(item);
        refused.push(error);
    }
    let batch = Arc::new(Batch { items, rollback_on_error });
    let results = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&results);
    let outcome = database
        .transaction(context, move |transaction| {
            let (batch, slot) = (Arc::clone(&batch), Arc::clone(&slot));
            Box::pin(async move {
                let (ran, keep) = batch.run(transaction).await?;
                *slot.lock() = ran;
                // Any error undoes the transaction; what happened is in the slot.
                if keep { Ok(()) } else { Err(Error::plain(Reason::Conflict).into()) }
            })
        })
        .await;
    let ran = std::mem::take(&mut *results.lock());
    if let Err(error) = outcome
        && (ran.is_empty() || !rollback_on_error)
    {
        return Err(error.into());
    }
    let undone = rollback_on_error && ran.iter().any(|ran| !matches!(ran, Ran::Done(_)));
    let results = ran.into_iter().zip(refused).map(|(ran, refused)| match ran {
        Ran::Done(outcome) => Ok(outcome),
        Ran::Failed(error) => Err(error),
        Ran::Refused => Err(refused.unwrap_or_else(|| Error::plain(Reason::BatchInvalid))),
    });
    Ok(Outcome::Batch(results.collect(), undone))
}

impl Batch {
    /// Runs the statements in their order; tells what came of each and whether to commit.
    async fn run(&self, transaction: &mut Transaction<'_>) -> store::Result<(Vec<Ran>, bool)> {
        let mut ran = Vec::with_capacity(self.items.len());
        while ran.len() < self.items.len() {
            let rest = &self.items[ran.len()..];
            let merged = mergeable(rest);
            if merged > 1
                && let Some(outcomes) = self.insert_merged(transaction, &rest[..merged]).await?
            {
                ran.extend(outcomes);
                continue;
            }
            // One by one: what cannot be merged, or the rows of a merged insert that failed as a whole.
            for item in &rest[..merged.max(1)] {
                let outcome = match item {
                    None => Ran::Refused,
                    Some(item) => self.run_one(transaction, item).await?,
                };
                let failed = !matches!(outcome, Ran::Done(_));
                ran.push(outcome);
                if failed && self.rollback_on_error {
                    return Ok((ran, false));
                }
            }
        }
        Ok((ran, true))
    }

    /// Inserts the rows of several statements as one; none where that failed and was undone.
    async fn insert_merged(
        &self,
        transaction: &mut Transaction<'_>,
        items: &[Option<Prepared>],
    ) -> store::Result<Option<Vec<Ran>>> {
        let inserts: Vec<(&Insert, &Vec<String>)> = items.iter().filter_map(|item| insert_of(item.as_ref())).collect();
        let Some((first, _)) = inserts.first() else { return Ok(None) };
        let rows = inserts.iter().flat_map(|(insert, _)| insert.rows.iter().cloned()).collect();
        let all = Insert { rows, ..(*first).clone() };
        let table = Arc::clone(&all.table);
        transaction.savepoint().await?;
        match transaction.apply(&Change::Insert(all)).await {
            Ok(applied) => {
                transaction.release_savepoint().await?;
                let outcome = |(index, (_, warnings)): (usize, &(&Insert, &Vec<String>))| {
                    Ran::Done(written(&table, &applied, index, 1, (*warnings).clone()))
                };
                Ok(Some(inserts.iter().enumerate().map(outcome).collect()))
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(_) => transaction.rollback_to_savepoint().await.map(|()| None),
        }
    }

    async fn run_one(&self, transaction: &mut Transaction<'_>, item: &Prepared) -> store::Result<Ran> {
        transaction.savepoint().await?;
        match run_item(transaction, item).await {
            Ok(outcome) => transaction.release_savepoint().await.map(|()| Ran::Done(outcome)),
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => {
                transaction.rollback_to_savepoint().await?;
                Ok(Ran::Failed(error.into()))
            }
        }
    }
}

/// Failures after which the whole transaction is lost, and may be worth another try.
fn is_fatal(error: &store::Error) -> bool {
    matches!(error, store::Error::Conflict(_) | store::Error::Unavailable(_) | store::Error::SchemaStale(_))
}

/// How many statements from the first on are inserts of the same columns.
fn mergeable(items: &[Option<Prepared>]) -> usize {
    let Some((first, _)) = items.first().and_then(|item| insert_of(item.as_ref())) else { return 0 };
    let same =
        |item: &&Option<Prepared>| insert_of(item.as_ref()).is_some_and(|(insert, _)| insert.columns == first.columns);
    items.iter().take_while(same).count()
}

fn insert_of(item: Option<&Prepared>) -> Option<(&Insert, &Vec<String>)> {
    match item {
        Some(Prepared::Write(Change::Insert(insert), warnings)) => Some((insert, warnings)),
        _ => None,
    }
}

async fn run_item(transaction: &mut Transaction<'_>, item: &Prepared) -> store::Result<Outcome> {
    Ok(match item {
        Prepared::Select(select) => {
            let mut bytes = Vec::new();
            let rows = transaction.json(&select.statement, &select.columns, &mut bytes).await?;
            Outcome::Rows(JsonRows { bytes: bytes.into(), rows }, select.warnings.clone())
        }
        Prepared::Count(statement) => Outcome::Count(first_number(&transaction.rows(statement).await?)?),
        Prepared::Write(change, warnings) => {
            let applied = transaction.apply(change).await?;
            written(change.table(), &applied, 0, applied.rows, warnings.clone())
        }
    })
}
