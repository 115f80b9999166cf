//! What the tables of tenants say, kept in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use kernel::{
    BoxFuture, Error, Overrides, Reason, Result, SettingsTable, Soon, Tenant, TenantDirectory, TenantId,
    reload::{Commit, Reload},
    settings::{Preference, Setting},
    soon,
};
use quick_cache::sync::Cache;
use store::Tenants;

use crate::table::{self, Row};

const REMEMBERED: usize = 50_000;

/// What `insula.toml` says of the settings that may lie in a table.
#[derive(Debug, Clone)]
pub struct Files {
    /// The value of every setting.
    pub values: Overrides,
    /// The names of those that are written there, or in the environment, and are no defaults.
    pub written: HashSet<&'static str>,
    /// Who wins where both speak.
    pub preference: Preference,
}

/// The settings that tenants keep in their databases.
pub struct Settings {
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) files: Files,
    known: Arc<Cache<TenantId, Arc<Overrides>>>,
}

impl Settings {
    /// The settings of the tenants of an installation. It touches no database until it is asked.
    pub fn new(tenants: Arc<Tenants>, files: Files) -> Arc<Self> {
        Arc::new(Self { tenants, files, known: Arc::new(Cache::new(REMEMBERED)) })
    }

    /// What is in force of the settings that are the server's: what the files say, and the table of the first tenant.
    pub async fn of_the_server(&self) -> Result<Overrides> {
        let table = match self.tenants.first().await? {
            Some(first) => self.of(&first).await?,
            None => Arc::default(),
        };
        Ok(table.over(&self.files.values).only(Setting::is_of_the_server))
    }

    /// Makes the next who asks read the table anew.
    pub(crate) fn forget(&self, tenant: &Tenant) {
        // Whoever is reading at this moment finds its place taken away, so that nothing old is kept.
        self.known.remove(&tenant.id);
    }

    /// Whether a tenant is the one whose table speaks for the server.
    pub(crate) async fn is_first(&self, tenant: &Tenant) -> Result<bool> {
        Ok(self.tenants.first().await?.is_some_and(|first| first.id == tenant.id))
    }

    async fn load(&self, tenant: &Tenant) -> Result<Arc<Overrides>> {
        let open = self.tenants.open(tenant).await?;
        let rows = table::read(&open.system).await?;
        let (said, mistakes) = understood(&rows);
        for (name, mistake) in mistakes {
            tracing::error!(tenant = tenant.name, setting = name, mistake, "a setting in the table cannot be read");
        }
        let first = self.is_first(tenant).await?;
        let said = said.only(|setting| first || !setting.is_of_the_server());
        let written = |setting: &Setting| self.files.written.contains(setting.name);
        Ok(Arc::new(self.files.preference.beside(&said, written)))
    }

    async fn check(&self, tenant: &Tenant) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        let rows = table::read(&open.system).await?;
        let (_, mistakes) = understood(&rows);
        if let Some((name, mistake)) = mistakes.first() {
            let message = format!("The setting {name} in the table _settings cannot be read: {mistake}");
            return Err(Error::new(Reason::ReloadFailed, message));
        }
        for name in table::unknown(&open.system).await? {
            tracing::warn!(tenant = tenant.name, setting = name, "the table has a setting that there is not");
        }
        Ok(())
    }
}

/// The values of rows, and what is wrong with those that have none.
fn understood(rows: &HashMap<String, Row>) -> (Overrides, Vec<(&str, String)>) {
    let mut said = Overrides::default();
    let mut mistakes = Vec::new();
    for (name, row) in rows {
        let mut with = said.clone();
        match with.set_text(name, &row.value) {
            Ok(()) => said = with,
            Err(mistake) => mistakes.push((name.as_str(), mistake)),
        }
    }
    (said, mistakes)
}

impl SettingsTable for Settings {
    fn of<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, Result<Arc<Overrides>>> {
        if let Some(known) = self.known.get(&tenant.id) {
            return soon::now(Ok(known));
        }
        soon::later(async move {
            match self.known.get_or_insert_async(&tenant.id, self.load(tenant)).await {
                // A tenant that is being made can be asked for before it is there.
                Err(error) if error.reason == Reason::NotFound => Ok(Arc::default()),
                other => other,
            }
        })
    }

    fn preference(&self) -> Preference {
        self.files.preference
    }
}

impl Reload for Settings {
    fn prepare<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Commit>> {
        Box::pin(async move {
            self.check(tenant).await?;
            let (known, id) = (Arc::clone(&self.known), tenant.id);
            Ok(Box::new(move || drop(known.remove(&id))) as Commit)
        })
    }
}
