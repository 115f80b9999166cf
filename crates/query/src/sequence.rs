//! Numbers for generated columns: each is given once, in the transaction that writes it.
//!
//! Where Insula's tables lie in another database than the tenant's, one transaction cannot hold both. Then a write that
//! lacks a number is undone, the number is taken over there, and the write begins again with it in stock.

use std::{collections::HashMap, sync::Arc};

use kernel::WriteContext;
use parking_lot::Mutex;
use store::{Database, Ddl, Migration, OpenTenant, Transaction};

/// The last number of each counter.
const TABLE: &str = "_sequences";

/// The steps of the tables of the data API.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    feature: crate::NAME,
    number: 1,
    name: "counters of generated columns",
    statements: |ddl| {
        let mut table = ddl.create(
            TABLE,
            [ddl.text("name", 200).not_null().primary_key().take(), ddl.bigint("value").not_null().take()],
        );
        vec![ddl.sql(table.if_not_exists())]
    },
}];

/// Where the numbers of one request come from.
pub(crate) struct Sequences {
    ddl: Ddl,
    /// Where the counters lie, if that is another database.
    apart: Option<Database>,
    stock: Mutex<Stock>,
}

/// Numbers that were taken beforehand.
#[derive(Default)]
struct Stock {
    numbers: HashMap<String, Vec<i64>>,
    lacking: Option<Lack>,
}

/// Numbers that a write lacked.
struct Lack {
    counter: String,
    first: i64,
    count: i64,
}

/// Gives numbers out during one run of a transaction.
pub(crate) struct Taker<'s> {
    sequences: &'s Sequences,
    /// How many of the stock this run has used.
    used: HashMap<String, usize>,
}

impl Sequences {
    pub(crate) fn of(open: &OpenTenant) -> Arc<Self> {
        let apart = (!open.is_one_database()).then(|| open.system.clone());
        Arc::new(Self { ddl: open.system.ddl(), apart, stock: Mutex::default() })
    }

    /// For one run of a transaction, be it the first or a repetition.
    pub(crate) fn begin(&self) -> Taker<'_> {
        Taker { sequences: self, used: HashMap::new() }
    }

    /// Runs a transaction, again whenever it lacked numbers that lie in another database.
    pub(crate) async fn supply<T, F: Future<Output = store::Result<T>>>(
        &self,
        context: &WriteContext,
        run: impl Fn() -> F,
    ) -> store::Result<T> {
        loop {
            let result = run().await;
            let lacking = self.stock.lock().lacking.take();
            match (lacking, &self.apart) {
                (Some(lack), Some(system)) => self.fetch(system, context, lack).await?,
                _ => return result,
            }
        }
    }

    async fn fetch(&self, system: &Database, context: &WriteContext, lack: Lack) -> store::Result<()> {
        let Lack { counter, first, count } = lack;
        let (name, ddl) = (counter.clone(), self.ddl.clone());
        let taken = system
            .transaction(context, move |transaction| {
                let (name, ddl) = (name.clone(), ddl.clone());
                Box::pin(async move { transaction.take_numbers(&ddl, TABLE, &name, first, count).await })
            })
            .await?;
        self.stock.lock().numbers.entry(counter).or_default().extend(taken..taken + count);
        Ok(())
    }
}

impl Taker<'_> {
    /// Whether numbers are lacking, so that all of the transaction must be undone.
    pub(crate) fn is_lacking(&self) -> bool {
        self.sequences.stock.lock().lacking.is_some()
    }

    /// Takes the next numbers of a counter, at least `first`.
    pub(crate) async fn take(
        &mut self,
        transaction: &mut Transaction<'_>,
        counter: String,
        first: i64,
        count: usize,
    ) -> store::Result<Vec<i64>> {
        let wanted = i64::try_from(count).unwrap_or(i64::MAX);
        let Sequences { ddl, apart, stock } = self.sequences;
        if apart.is_none() {
            let taken = transaction.take_numbers(ddl, TABLE, &counter, first, wanted).await?;
            return Ok((taken..taken + wanted).collect());
        }
        let used = self.used.entry(counter.clone()).or_default();
        let mut stock = stock.lock();
        let numbers = stock.numbers.get(&counter).and_then(|numbers| numbers.get(*used..*used + count));
        if let Some(numbers) = numbers {
            *used += count;
            return Ok(numbers.to_vec());
        }
        stock.lacking = Some(Lack { counter, first, count: wanted });
        Err(kernel::Error::internal("numbers of another database are to be taken first").into())
    }
}
