//! When system columns are added.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{
    BoxFuture, Error, Reason, Result, Tenant, TenantId,
    columns::{ColumnChoices, MissingColumns, SystemColumn, ToolkitColumns},
    reload::{Commit, Reload},
};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use store::{AfterOpening, Completed, OpenTenant, Tenants};

use crate::{
    SystemColumnsConfig,
    adding::{self, Adding, Lacks, Ran},
    file,
    policy::Policy,
};

const REMEMBERED: usize = 50_000;
/// Time between two tries to bring back what somebody drops.
const COOL_DOWN: Duration = Duration::from_mins(1);
/// Tables that are remembered for that at most.
const COOLING: usize = 10_000;
/// How long a request waits while columns are added; they are added all the same.
const REQUEST_WAITS: Duration = Duration::from_secs(10);
/// How long a reload waits.
const RELOAD_WAITS: Duration = Duration::from_secs(15);

/// Adds the system columns that tenants' tables shall have.
pub struct Columns {
    tenants: Arc<Tenants>,
    config: SystemColumnsConfig,
    toolkits: Arc<dyn ToolkitColumns>,
    policies: Arc<Cache<TenantId, Arc<Policy>>>,
    adding: Adding,
    /// When a table was last given back what it had lost.
    cooling: Mutex<HashMap<(TenantId, String), Instant>>,
}

impl Columns {
    /// System columns of the tenants of an installation, added from now on whenever one is opened. `toolkits` knows
    /// what toolkits leave out.
    pub fn new(tenants: Arc<Tenants>, config: SystemColumnsConfig, toolkits: Arc<dyn ToolkitColumns>) -> Arc<Self> {
        let policies = Arc::new(Cache::new(REMEMBERED));
        let columns =
            Self { tenants, config, toolkits, policies, adding: Adding::default(), cooling: Mutex::default() };
        let columns = Arc::new(columns);
        columns.tenants.after_opening(&(Arc::clone(&columns) as _));
        columns
    }

    /// Adds what a tenant's tables lack, however long it takes, and tells what was done. Errors: 500 where
    /// `columns.toml` is broken; 503.
    pub async fn complete(&self, open: &OpenTenant) -> Result<Completed> {
        let policy = self.read(&open.tenant).await.map_err(|mistake| Error::new(Reason::ReloadFailed, mistake))?;
        let lacks = self.lacks(open, &policy).await?;
        adding::add(open, lacks, adding::THOROUGH).await
    }

    async fn policy(&self, tenant: &Tenant) -> Result<Arc<Policy>> {
        let read = async { self.read(tenant).await.map(Arc::new) };
        self.policies.get_or_insert_async(&tenant.id, read).await.map_err(Error::internal)
    }

    async fn read(&self, tenant: &Tenant) -> Result<Policy, String> {
        Ok(Policy::new(&self.config, file::read(&tenant.folder).await?))
    }

    /// What the tables lack according to the catalogue. The toolkits are asked only where something seems to be lacking.
    async fn lacks(&self, open: &OpenTenant, policy: &Policy) -> Result<Lacks> {
        let lacks = Lacks::of(open, policy, &ColumnChoices::new());
        if lacks.is_empty() {
            return Ok(lacks);
        }
        let toolkits = self.toolkits.choices(&open.tenant).await?;
        Ok(if toolkits.is_empty() { lacks } else { Lacks::of(open, policy, &toolkits) })
    }

    /// Adds what is lacking without being in anyone's way for long; none where it goes on.
    async fn add(&self, open: &Arc<OpenTenant>, policy: &Policy, patience: Duration) -> Result<Option<Arc<Completed>>> {
        loop {
            let lacks = self.lacks(open, policy).await?;
            match self.adding.run(open, lacks, patience).await? {
                Ran::Done(completed) => return Ok(Some(completed)),
                Ran::Another => {}
                Ran::Longer => return Ok(None),
            }
        }
    }

    /// What is not cooling down, which then begins to.
    fn due(&self, tenant: TenantId, lacks: &mut Lacks) {
        let now = Instant::now();
        let mut cooling = self.cooling.lock();
        if cooling.len() > COOLING {
            cooling.retain(|_, tried| tried.elapsed() < COOL_DOWN);
        }
        lacks.retain(|table| {
            let key = (tenant, table.to_owned());
            let due = cooling.get(&key).is_none_or(|tried| tried.elapsed() >= COOL_DOWN);
            if due {
                cooling.insert(key, now);
            }
            due
        });
    }
}

impl AfterOpening for Columns {
    fn opened<'a>(&'a self, open: &'a Arc<OpenTenant>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let added = async { self.add(open, &*self.policy(&open.tenant).await?, REQUEST_WAITS).await.map(drop) };
            if let Err(error) = added.await {
                let error: Error = error;
                tracing::error!(tenant = open.tenant.name, %error, "system columns were not looked after");
            }
        })
    }
}

impl MissingColumns for Columns {
    fn restore<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let restored = async {
                let policy = self.policy(tenant).await?;
                if !policy.is_on() {
                    return Ok(());
                }
                let open = self.tenants.open(tenant).await?;
                let mut lacks = self.lacks(&open, &policy).await?;
                self.due(tenant.id, &mut lacks);
                self.adding.run(&open, lacks, REQUEST_WAITS).await.map(drop)
            };
            if let Err(error) = restored.await {
                let error: Error = error;
                tracing::error!(tenant = tenant.name, %error, "dropped system columns were not added again");
            }
        })
    }
}

impl Reload for Columns {
    /// Columns are added here already: rules that are checked next may name them, and nothing that is added is wrong
    /// where the reload is refused for another reason.
    fn prepare<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Commit>> {
        Box::pin(async move {
            let policy = self.read(tenant).await.map_err(|mistake| Error::new(Reason::ReloadFailed, mistake))?;
            let open = self.tenants.open(tenant).await?;
            if policy.is_on() {
                open.data.refresh_schema().await?;
            }
            let completed = self.add(&open, &policy, RELOAD_WAITS).await?.unwrap_or_default();
            if let Some(lacking) = completed.failed.first() {
                let columns: Vec<_> = lacking.columns.iter().map(|column: &SystemColumn| column.name()).collect();
                let (table, columns) = (&lacking.table, columns.join(", "));
                let message = format!("The table {table} could not be given {columns}; the log tells why");
                return Err(Error::new(Reason::ReloadFailed, message));
            }
            let (policies, id, policy) = (Arc::clone(&self.policies), tenant.id, Arc::new(policy));
            Ok(Box::new(move || policies.insert(id, policy)) as Commit)
        })
    }
}
