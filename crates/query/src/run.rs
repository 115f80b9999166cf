//! Runs prepared statements.

use std::sync::Arc;

use kernel::{Error, Reason, Result, WriteContext};
use serde_json::Value as Json;
use store::{Applied, Change, JsonRows, OpenTenant, Table, Transaction};

use crate::{
    compile::write::Write,
    generate::Generator,
    sequence::{Sequences, Taker},
    service::{Outcome, Prepared},
};

/// How often random values are tried where they turn out to be taken.
const TRIES: usize = 10;

/// Runs one statement in a transaction of its own.
pub(crate) async fn single(open: &OpenTenant, context: &WriteContext, prepared: Prepared) -> Result<Outcome> {
    let database = &open.data;
    Ok(match prepared {
        Prepared::Select(select) => {
            let rows = database.read_json(&select.statement, &select.columns).await?;
            Outcome::Rows(rows, select.warnings)
        }
        Prepared::Count(statement) => Outcome::Count(first_number(&database.read(&statement).await?)?),
        Prepared::Write(write) if write.pending.is_empty() => {
            let Write { change, access, told, warnings, .. } = write;
            let applied = database.write(context, change).await?;
            written(&access.table, &applied, 0, applied.rows, told, warnings)
        }
        Prepared::Write(write) => {
            let sequences = Sequences::of(open);
            let work = (Arc::new(Prepared::Write(write)), Arc::clone(&sequences));
            let run = || {
                let (item, sequences) = work.clone();
                database.transaction(context, move |transaction| {
                    let (item, sequences) = (Arc::clone(&item), Arc::clone(&sequences));
                    Box::pin(async move { with_all(transaction, &mut sequences.begin(), &item).await })
                })
            };
            sequences.supply(context, run).await?
        }
    })
}

/// Runs a statement whose failure undoes the whole transaction.
pub(crate) async fn with_all(
    transaction: &mut Transaction<'_>,
    taker: &mut Taker<'_>,
    item: &Prepared,
) -> store::Result<Outcome> {
    match item {
        Prepared::Write(write) if write.is_random() => alone(transaction, taker, item).await?,
        _ => statement(transaction, taker, item).await,
    }
}

/// Runs a statement so that its failure undoes it alone. Random values that are taken are tried anew. Errors: failures
/// after which the whole transaction is lost.
pub(crate) async fn alone(
    transaction: &mut Transaction<'_>,
    taker: &mut Taker<'_>,
    item: &Prepared,
) -> store::Result<store::Result<Outcome>> {
    for _ in 0..TRIES {
        transaction.savepoint().await?;
        match statement(transaction, taker, item).await {
            Ok(outcome) => return transaction.release_savepoint().await.map(|()| Ok(outcome)),
            Err(error) if is_fatal(&error) || taker.is_lacking() => return Err(error),
            Err(error) => {
                transaction.rollback_to_savepoint().await?;
                match item {
                    Prepared::Write(write) if write.is_taken(&error) => {}
                    _ => return Ok(Err(error)),
                }
            }
        }
    }
    let message = format!("No random value was found in {TRIES} tries that is not taken; make the values longer");
    Ok(Err(Error::new(Reason::Conflict, message).into()))
}

/// Failures after which the whole transaction is lost, and may be worth another try.
pub(crate) fn is_fatal(error: &store::Error) -> bool {
    matches!(error, store::Error::Conflict(_) | store::Error::Unavailable(_) | store::Error::SchemaStale(_))
}

async fn statement(
    transaction: &mut Transaction<'_>,
    taker: &mut Taker<'_>,
    item: &Prepared,
) -> store::Result<Outcome> {
    Ok(match item {
        Prepared::Select(select) => {
            let mut bytes = Vec::new();
            let rows = transaction.json(&select.statement, &select.columns, &mut bytes).await?;
            Outcome::Rows(JsonRows { bytes: bytes.into(), rows }, select.warnings.clone())
        }
        Prepared::Count(statement) => Outcome::Count(first_number(&transaction.rows(statement).await?)?),
        Prepared::Write(write) => {
            let numbers = numbers(transaction, taker, write.counters()?, 1).await?;
            let (change, told) = write.filled(&numbers, 0)?;
            let applied = transaction.apply(&change).await?;
            written(change.table(), &applied, 0, applied.rows, told, write.warnings.clone())
        }
    })
}

/// The numbers of some writes: for each counter one a write.
pub(crate) type Numbers = Vec<Vec<i64>>;

/// Takes the numbers for so many writes.
pub(crate) async fn numbers(
    transaction: &mut Transaction<'_>,
    taker: &mut Taker<'_>,
    counters: Vec<(String, i64)>,
    writes: usize,
) -> store::Result<Numbers> {
    let mut numbers = Vec::with_capacity(counters.len());
    for (counter, first) in counters {
        numbers.push(taker.take(transaction, counter, first, writes).await?);
    }
    Ok(numbers)
}

impl Write {
    fn generators(&self) -> impl Iterator<Item = (usize, &Generator)> {
        self.pending.iter().map(|pending| (pending.slot, &self.access.generated[pending.generator]))
    }

    fn is_random(&self) -> bool {
        self.generators().any(|(_, generator)| generator.is_random())
    }

    /// Whether another random value may do where a write failed.
    fn is_taken(&self, error: &store::Error) -> bool {
        let store::Error::Unique(columns) = error else { return false };
        let mut random = self.generators().filter(|(_, generator)| generator.is_random());
        // A database that names the key alone, or nothing, may mean any of them.
        let named = |column: &String| self.access.table.position(column).is_some();
        random.any(|(_, generator)| {
            !columns.iter().all(named) || columns.is_empty() || columns.contains(&generator.column.column)
        })
    }

    /// The counters of the pending values, each with its first number. Errors: 500 where one is out of range.
    pub(crate) fn counters(&self) -> Result<Vec<(String, i64)>> {
        self.generators().filter_map(|(_, generator)| generator.sequence(&self.access.table)).collect()
    }

    /// The change with all its values, the one at a place among writes that share numbers; and the values that an
    /// answer tells.
    pub(crate) fn filled(&self, numbers: &Numbers, index: usize) -> Result<(Change, Vec<(usize, Json)>)> {
        let (mut change, mut told) = (self.change.clone(), self.told.clone());
        let table = &self.access.table;
        let mut numbers = numbers.iter();
        for (slot, generator) in self.generators() {
            let number = if generator.is_random() { None } else { numbers.next() };
            let (value, json) = generator.make(table, number.and_then(|numbers| numbers.get(index)).copied())?;
            match &mut change {
                Change::Insert(insert) => {
                    let position = insert.columns[slot];
                    if self.access.tells(position) {
                        told.push((position, json));
                    }
                    insert.rows.iter_mut().for_each(|row| row[slot] = value.clone());
                }
                Change::Update(update) => update.set[slot].1 = sea_query::Expr::Value(value.into()),
                // A row that was built before has no generated values.
                Change::Row(_) | Change::Delete(_) => {}
            }
        }
        Ok((change, told))
    }
}

pub(crate) fn first_number(rows: &[store::Row]) -> Result<i64> {
    let row = rows.first().ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(row.int(0)?)
}

/// The outcome of a write, with the key of its row `index`.
pub(crate) fn written(
    table: &Table,
    applied: &Applied,
    index: usize,
    rows: u64,
    told: Vec<(usize, Json)>,
    warnings: Vec<String>,
) -> Outcome {
    let name = |position: usize| table.columns[position].name.to_string();
    let key =
        applied.keys.get(index).map(|key| table.key.iter().map(|at| name(*at)).zip(key.iter().cloned()).collect());
    let generated = told.into_iter().map(|(position, value)| (name(position), value)).collect();
    Outcome::Written { key, rows, generated, warnings }
}
