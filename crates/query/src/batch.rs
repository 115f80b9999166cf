//! Batches: many statements in one transaction.

use std::{collections::VecDeque, sync::Arc};

use kernel::{Error, Reason, Result, WriteContext};
use parking_lot::Mutex;
use store::{Change, Insert, OpenTenant, Transaction};

use crate::{
    compile::write::Write,
    run::{self, written},
    sequence::{Sequences, Taker},
    service::{Outcome, Prepared},
};

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
    sequences: Arc<Sequences>,
}

/// Runs statements in one transaction. A failing one undoes either all or itself alone.
pub(crate) async fn run(
    open: &OpenTenant,
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
    let sequences = Sequences::of(open);
    let batch = Arc::new(Batch { items, rollback_on_error, sequences: Arc::clone(&sequences) });
    let results = Arc::new(Mutex::new(Vec::new()));
    let attempt = || {
        let (batch, slot) = (Arc::clone(&batch), Arc::clone(&results));
        open.data.transaction(context, move |transaction| {
            let (batch, slot) = (Arc::clone(&batch), Arc::clone(&slot));
            Box::pin(async move {
                slot.lock().clear();
                let (ran, keep) = batch.run(transaction).await?;
                *slot.lock() = ran;
                // Any error undoes the transaction; what happened is in the slot.
                if keep { Ok(()) } else { Err(Error::plain(Reason::Conflict).into()) }
            })
        })
    };
    let outcome = sequences.supply(context, attempt).await;
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
        let mut taker = self.sequences.begin();
        let mut ran = Vec::with_capacity(self.items.len());
        // What is known of the inserts that come next: how many of them to try as one, and then how many, and so on.
        let mut runs: VecDeque<usize> = VecDeque::new();
        while ran.len() < self.items.len() {
            let rest = &self.items[ran.len()..];
            let size = runs.pop_front().unwrap_or_else(|| mergeable(rest));
            if size > 1 {
                match insert_merged(transaction, &mut taker, &rest[..size]).await? {
                    Merged::Inserted(outcomes) => ran.extend(outcomes),
                    Merged::Undone(smaller) => smaller.into_iter().rev().for_each(|size| runs.push_front(size)),
                }
                continue;
            }
            let outcome = match &rest[0] {
                None => Ran::Refused,
                Some(item) => match run::alone(transaction, &mut taker, item).await? {
                    Ok(outcome) => Ran::Done(outcome),
                    Err(error) => Ran::Failed(error.into()),
                },
            };
            let failed = !matches!(outcome, Ran::Done(_));
            ran.push(outcome);
            if failed && self.rollback_on_error {
                return Ok((ran, false));
            }
        }
        Ok((ran, true))
    }
}

/// What came of inserts that were tried as one.
enum Merged {
    Inserted(Vec<Ran>),
    /// They failed and were undone; smaller groups of them to try next, in their order.
    Undone(Vec<usize>),
}

impl Merged {
    /// Each by itself, which tells what is wrong with whom.
    fn one_by_one(size: usize) -> Self {
        Self::Undone(vec![1; size])
    }

    /// What to try after an error. Rows that a rule refused are left to themselves, and those between them stay together;
    /// otherwise nothing says which row is guilty, so that halves are tried.
    fn after(error: &store::Error, size: usize) -> Self {
        let store::Error::GuardRefused(refused) = error else {
            return Self::Undone(vec![size / 2, size - size / 2]);
        };
        let (mut groups, mut next) = (Vec::new(), 0);
        for &place in refused {
            groups.extend((place > next).then_some(place - next));
            groups.push(1);
            next = place + 1;
        }
        groups.extend((size > next).then_some(size - next));
        // Smaller in any case, so that this comes to an end.
        if groups.len() > 1 { Self::Undone(groups) } else { Self::one_by_one(size) }
    }
}

/// Inserts the rows of several statements as one.
async fn insert_merged(
    transaction: &mut Transaction<'_>,
    taker: &mut Taker<'_>,
    items: &[Option<Prepared>],
) -> store::Result<Merged> {
    let alone = Ok(Merged::one_by_one(items.len()));
    let writes: Vec<&Write> =
        items.iter().filter_map(|item| insert_of(item.as_ref())).map(|(write, _)| write).collect();
    let Some(first) = writes.first() else { return alone };
    // What a toolkit describes wrongly is told to each statement by itself.
    let Ok(counters) = first.counters() else { return alone };
    let numbers = run::numbers(transaction, taker, counters, writes.len()).await?;
    let (mut all, mut told) = (None::<Insert>, Vec::with_capacity(writes.len()));
    for (index, write) in writes.iter().enumerate() {
        let Ok((Change::Insert(insert), values)) = write.filled(&numbers, index) else { return alone };
        told.push(values);
        match &mut all {
            Some(all) => all.rows.extend(insert.rows),
            None => all = Some(insert),
        }
    }
    let Some(all) = all else { return alone };
    transaction.savepoint().await?;
    match transaction.apply(&Change::Insert(all)).await {
        Ok(applied) => {
            transaction.release_savepoint().await?;
            let outcome = |((index, write), told): ((usize, &&Write), _)| {
                Ran::Done(written(&write.access.table, &applied, index, 1, told, write.warnings.clone()))
            };
            Ok(Merged::Inserted(writes.iter().enumerate().zip(told).map(outcome).collect()))
        }
        Err(error) if run::is_fatal(&error) => Err(error),
        Err(error) => {
            transaction.rollback_to_savepoint().await?;
            // Every try takes numbers of counters, which are not to be wasted.
            if first.pending.is_empty() { Ok(Merged::after(&error, items.len())) } else { alone }
        }
    }
}

/// How many statements from the first on are inserts of the same columns under the same guard.
fn mergeable(items: &[Option<Prepared>]) -> usize {
    let Some((first, into)) = items.first().and_then(|item| insert_of(item.as_ref())) else { return 0 };
    let same = |item: &&Option<Prepared>| {
        insert_of(item.as_ref()).is_some_and(|(write, insert)| {
            insert.columns == into.columns && write.pending == first.pending && insert.guard == into.guard
        })
    };
    items.iter().take_while(same).count()
}

fn insert_of(item: Option<&Prepared>) -> Option<(&Write, &Insert)> {
    match item {
        Some(Prepared::Write(write)) => match &write.change {
            Change::Insert(insert) => Some((write, insert)),
            _ => None,
        },
        _ => None,
    }
}
