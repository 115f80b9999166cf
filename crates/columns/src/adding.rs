//! How system columns are added: one tenant at a time in the background, with those who wait for it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use kernel::{Error, Reason, Result, TenantId, columns::ColumnChoices};
use parking_lot::Mutex;
use store::{Completed, Lacking, OpenTenant, Pace, lacking};

use crate::policy::Policy;

/// While requests are answered: nobody waits for a lock for long, and what takes time by the row is left alone.
const IN_PASSING: Pace = Pace { lock: Duration::from_secs(2), largest: Some(1_000_000) };
/// By the operator's command.
pub(crate) const THOROUGH: Pace = Pace { lock: Duration::from_mins(2), largest: None };

/// What the tables of a tenant lack.
#[derive(Debug, Default)]
pub(crate) struct Lacks {
    own: Vec<Lacking>,
    /// In the database of Insula's tables.
    core: Vec<Lacking>,
}

impl Lacks {
    pub(crate) fn of(open: &OpenTenant, policy: &Policy, toolkits: &ColumnChoices) -> Self {
        if !policy.is_on() {
            return Self::default();
        }
        Self {
            own: lacking(&open.data.schema(), |table, column| policy.wants(table, column, toolkits)),
            core: lacking(&open.system.schema(), |table, column| policy.wants_core(table, column)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.core.is_empty()
    }

    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&str) -> bool) {
        self.own.retain(|lacking| wanted(&lacking.table));
        self.core.retain(|lacking| wanted(&lacking.table));
    }
}

/// Adds columns to the tables of a tenant's databases.
pub(crate) async fn add(open: &OpenTenant, lacks: Lacks, pace: Pace) -> Result<Completed> {
    let mut completed = Completed::default();
    for (database, lacking) in [(&open.system, lacks.core), (&open.data, lacks.own)] {
        if lacking.is_empty() {
            continue;
        }
        tracing::info!(tenant = open.tenant.name, tables = lacking.len(), "system columns are being added");
        let done = database.add_system_columns(lacking, pace).await?;
        completed.added.extend(done.added);
        completed.left.extend(done.left);
        completed.failed.extend(done.failed);
    }
    Ok(completed)
}

/// What is being added at this moment, by tenant.
#[derive(Default)]
pub(crate) struct Adding(Running);

type Running = Arc<Mutex<HashMap<TenantId, Work>>>;
type Work = Shared<BoxFuture<'static, Done>>;
/// What was done, or why nothing was.
type Done = Result<Arc<Completed>, String>;

/// What came of waiting.
pub(crate) enum Ran {
    /// It is done.
    Done(Arc<Completed>),
    /// Something else was being added for the tenant, which is done now.
    Another,
    /// It goes on in the background.
    Longer,
}

impl Adding {
    /// Adds columns in the background and waits for it at most so long. What is being added for the tenant already is
    /// waited for instead. Errors: 503.
    pub(crate) async fn run(&self, open: &Arc<OpenTenant>, lacks: Lacks, patience: Duration) -> Result<Ran> {
        if lacks.is_empty() {
            return Ok(Ran::Done(Arc::default()));
        }
        let (work, is_own) = self.work(open, lacks);
        match tokio::time::timeout(patience, work).await {
            Ok(_) if !is_own => Ok(Ran::Another),
            Ok(Ok(completed)) => Ok(Ran::Done(completed)),
            Ok(Err(mistake)) => Err(Error::plain(Reason::DatabaseUnavailable).because(mistake)),
            Err(_) => {
                tracing::warn!(
                    tenant = open.tenant.name,
                    "adding system columns takes long; it goes on in the background"
                );
                Ok(Ran::Longer)
            }
        }
    }

    /// The work for a tenant, and whether it has begun just now.
    fn work(&self, open: &Arc<OpenTenant>, lacks: Lacks) -> (Work, bool) {
        let id = open.tenant.id;
        let mut running = self.0.lock();
        if let Some(work) = running.get(&id) {
            return (work.clone(), false);
        }
        let (open, end) = (Arc::clone(open), End(Arc::clone(&self.0), id));
        let task = tokio::spawn(async move {
            let _end = end;
            add(&open, lacks, IN_PASSING).await.map(Arc::new).map_err(|error| error.to_string())
        });
        let work = task.map(|joined| joined.unwrap_or_else(|error| Err(error.to_string()))).boxed().shared();
        running.insert(id, work.clone());
        (work, true)
    }
}

/// Takes the work off the list, however it ends.
struct End(Running, TenantId);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}
