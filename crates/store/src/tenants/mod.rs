//! Tenants: which there are, and their databases, opened when they are needed and closed when they are idle.

mod config;
mod control;
mod keys;
mod listing;
mod location;
mod master_key;
mod open;
mod record;
mod removing;
mod resting;
mod sealed;
mod tables;
mod turn;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use kernel::{
    BoxFuture, Error, Reason, Soon, Tenant, TenantDirectory, TenantId, TenantStatus, identifier::is_tenant_name,
    seal::SealingKey, soon,
};
use moka::{future::Cache, policy::EvictionPolicy};
use uuid::Uuid;

pub use self::{
    config::StoreConfig,
    keys::MasterKeys,
    listing::{TenantFilter, TenantSort},
    open::{AfterOpening, OpenTenant},
    record::TenantRecord,
    sealed::{FeatureTables, SealedColumn},
};
use self::{
    control::Control,
    location::{Location, Servers},
    turn::Turn,
};
use crate::Database;

/// How long this process believes what it read from the control database.
const BELIEVED: Duration = Duration::from_secs(2);

/// How often the installation's key may change while a tenant is being made.
const KEY_CHANGES: usize = 3;

/// A tenant to be.
#[derive(Debug, Clone, Default)]
pub struct NewTenant {
    /// The name: lower-case letters, digits and single hyphens.
    pub name: String,
    /// The domain below which its hosts are.
    pub domain: Option<String>,
    /// Origins of web pages that may call it.
    pub cors_origins: Vec<String>,
    /// The URL of a database to adopt; none for one of its own.
    pub database: Option<String>,
    /// The URL of a database for Insula's own tables, where they may not lie in the adopted one.
    pub system_database: Option<String>,
    /// Refuse with 409 `already_initialised` unless this is the first tenant.
    pub first: bool,
}

/// All tenants of an installation.
pub struct Tenants {
    data: PathBuf,
    config: StoreConfig,
    keys: MasterKeys,
    tables: sealed::Tables,
    /// Where the list of tenants is.
    list: Location,
    control: Control,
    servers: Servers,
    open: Cache<TenantId, Arc<OpenTenant>>,
    lookups: quick_cache::sync::Cache<Lookup, Found>,
    /// What is done with each database that was opened. It lives elsewhere, and may hold these tenants itself.
    after_opening: OnceLock<Weak<dyn AfterOpening>>,
    /// One tenant is made or removed at a time; see [`Turn`] for other processes.
    changing: tokio::sync::Mutex<()>,
}

/// What was found, and when it was asked for.
#[derive(Debug, Clone)]
struct Found {
    asked: Instant,
    record: Option<Arc<TenantRecord>>,
}

/// What a tenant can be found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lookup {
    Id(TenantId),
    Name(String),
    Domain(String),
    First,
}

impl Tenants {
    /// Opens the control database of a data folder; makes both where they are missing.
    ///
    /// `keys` wrap the keys of the tenants. `tables` is what features keep for each tenant, made when it is opened;
    /// `control_tables` what they keep in the control database, because it belongs to no single tenant.
    ///
    /// Errors: 503 `secrets_unreadable` where the keys are not those of this installation, or where a secret lies in
    /// the clear in the control database.
    pub async fn start(
        data: &Path,
        config: StoreConfig,
        keys: impl Into<MasterKeys>,
        tables: impl Into<FeatureTables>,
        control_tables: impl Into<FeatureTables>,
    ) -> crate::Result<Arc<Self>> {
        std::fs::create_dir_all(data.join("tenants")).map_err(|error| crate::Error::Unavailable(error.into()))?;
        let servers = Servers::new(config.connections);
        let keys = keys.into();
        let list = Control::location(data, &config)?;
        let control = Control::open(&list, &config, &servers, control_tables.into()).await?;
        control.claim(&keys).await?;
        let tenants = Self {
            data: data.to_owned(),
            open: Cache::builder()
                .max_capacity(config.max_open)
                .time_to_idle(config.idle.0)
                // Whoever was opened just now stays: a request asks for its tenant several times.
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            lookups: quick_cache::sync::Cache::new(100_000),
            after_opening: OnceLock::new(),
            changing: tokio::sync::Mutex::new(()),
            config,
            keys,
            tables: tables.into().into(),
            list,
            control,
            servers,
        };
        tenants.finish_deletions().await?;
        let tenants = Arc::new(tenants);
        tokio::spawn(resting::job(Arc::downgrade(&tenants)));
        Ok(tenants)
    }

    /// Whether [`Self::start`] would find its control database there, of a version that it knows, and under one of the
    /// keys. Nothing is made and nothing is changed.
    ///
    /// Errors: those of [`Self::start`], and [`crate::Error::Migration`] where the database holds nothing of Insula's.
    pub async fn check(
        data: &Path,
        config: &StoreConfig,
        keys: impl Into<MasterKeys>,
        control_tables: impl Into<FeatureTables>,
    ) -> crate::Result<()> {
        Control::check(data, config, control_tables.into(), &keys.into()).await
    }

    /// The data folder.
    pub fn data_folder(&self) -> &Path {
        &self.data
    }

    /// Makes a tenant. `seed` fills its database before anyone can reach it, so that it is there whole or not at all.
    ///
    /// Errors: 400 `field_invalid`; 409 `name_taken`, `already_initialised`; 503.
    pub async fn create<F>(&self, new: NewTenant, seed: F) -> kernel::Result<Arc<Tenant>>
    where
        F: for<'t> FnOnce(&'t Arc<Tenant>, &'t Arc<OpenTenant>) -> BoxFuture<'t, kernel::Result<()>>,
    {
        let domain = new.domain.as_deref().map(checked_domain).transpose()?;
        if !is_tenant_name(&new.name) {
            let message =
                "A tenant's name is lower-case letters, digits and single hyphens, a letter first, at most 40";
            return Err(Error::new(Reason::FieldInvalid, message).at("name"));
        }
        refuse_reserved(&new.name)?;
        let (_changing, mut turn) = self.turn().await?;
        let made = self.make(new, domain, seed, &mut turn).await;
        turn.end().await;
        made
    }

    async fn make<F>(
        &self,
        new: NewTenant,
        domain: Option<String>,
        seed: F,
        turn: &mut Turn,
    ) -> kernel::Result<Arc<Tenant>>
    where
        F: for<'t> FnOnce(&'t Arc<Tenant>, &'t Arc<OpenTenant>) -> BoxFuture<'t, kernel::Result<()>>,
    {
        self.control.refuse_taken(&new, domain.as_deref()).await?;
        let id = Uuid::now_v7();
        let key = SealingKey::generate();
        let home = location::home(self.config.database.expose())?;
        let mut record = TenantRecord::new(id, &new, domain, self.folder(&new.name), home, &key)?;
        let location = Location::choose(&record, new.database.as_deref(), self.config.database.expose())?;
        self.wipe_leftovers(&record, &location).await?;
        if let Some(url) = &new.system_database {
            self.wipe_leftovers(&record, &Location::system(&record, url)?).await?;
        }
        if new.database.is_some() && new.system_database.is_none() {
            let adopted = location.open(&self.servers, self.config.sqlite).await?;
            if crate::migration::is_taken(&adopted).await? {
                return Err(taken());
            }
        }
        let open = self.open_record(&record, new.database.as_deref(), new.system_database.as_deref(), key).await?;
        seed(&record.tenant, &open).await?;
        turn.confirm().await?;
        self.insert(&mut record, new.first, &open.key).await?;
        self.lookups.clear();
        Ok(Arc::clone(&record.tenant))
    }

    /// The right to make and remove tenants, in this process and among all.
    async fn turn(&self) -> kernel::Result<(tokio::sync::MutexGuard<'_, ()>, Turn)> {
        let changing = self.changing.lock().await;
        Ok((changing, Turn::take(&self.list, &self.servers).await?))
    }

    /// Wraps a new tenant's key under the installation's and makes the tenant known.
    async fn insert(&self, record: &mut TenantRecord, first: bool, key: &SealingKey) -> kernel::Result<()> {
        for _ in 0..KEY_CHANGES {
            let id = self.master_key_id().await?;
            let master = self.keys.find(&id).await.ok_or_else(|| self.keys.unknown(&id))?;
            record.wrap(&master, key)?;
            if self.control.insert(record, first, &id).await? {
                return Ok(());
            }
        }
        Err(Error::plain(Reason::Conflict))
    }

    /// The id of the installation's key under which the keys of all tenants are wrapped.
    pub async fn master_key_id(&self) -> kernel::Result<String> {
        let id = self.control.key_id().await?;
        id.ok_or_else(|| Error::internal("the id of the installation's key is not noted"))
    }

    /// Wraps the keys of all tenants under another key of the installation, as one; tells how many were wrapped anew.
    /// `tell` hears how many are done. Other processes go on if they can find the new key: see [`MasterKeys`].
    ///
    /// Errors: 503 `secrets_unreadable` where a key that is in use is not held.
    pub async fn rewrap(&self, new: &SealingKey, tell: impl Fn(u64) + Send + Sync + 'static) -> kernel::Result<u64> {
        let _changing = self.changing.lock().await;
        // Another process may have changed the key since this one began.
        self.control.claim(&self.keys).await?;
        let rewrapped = self.control.rewrap(self.keys.all(), new.clone(), Arc::new(tell)).await?;
        self.keys.add(new);
        self.lookups.clear();
        self.control.flush().await?;
        Ok(rewrapped)
    }

    /// All tenants by name.
    pub async fn list(&self) -> kernel::Result<Vec<Arc<TenantRecord>>> {
        Ok(self.control.list(&self.data).await?)
    }

    /// A tenant by name. Errors: 404.
    pub async fn by_name(&self, name: &str) -> kernel::Result<Arc<TenantRecord>> {
        let missing = || Error::new(Reason::NotFound, format!("There is no tenant {name:?}"));
        self.look_up(Lookup::Name(name.to_owned())).await?.ok_or_else(missing)
    }

    /// Stops a tenant from answering, or lets it answer again. Other processes notice within two seconds.
    pub async fn set_status(&self, tenant: &Tenant, status: TenantStatus) -> kernel::Result<()> {
        self.control.set_status(tenant.id, status).await?;
        self.lookups.clear();
        Ok(())
    }

    /// Gives a tenant another domain, or none. Other processes notice within two seconds.
    ///
    /// Errors: 400 `field_invalid`; 409 `name_taken`.
    pub async fn set_domain(&self, tenant: &Tenant, domain: Option<&str>) -> kernel::Result<()> {
        let domain = domain.map(checked_domain).transpose()?;
        self.control.set_domain(tenant.id, domain).await.map_err(|error| match error {
            crate::Error::Unique(_) => Error::new(Reason::NameTaken, "Another tenant has this domain").at("domain"),
            other => other.into(),
        })?;
        self.lookups.clear();
        self.open.invalidate(&tenant.id).await;
        Ok(())
    }

    /// Changes the origins of web pages that may call a tenant.
    pub async fn set_cors_origins(&self, tenant: &Tenant, origins: &[String]) -> kernel::Result<()> {
        self.control.set_cors_origins(tenant.id, origins).await?;
        self.lookups.clear();
        Ok(())
    }

    /// The open tenant. Opening takes milliseconds and happens once, however many ask at the same time.
    pub fn open<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, kernel::Result<Arc<OpenTenant>>> {
        match self.open.get(&tenant.id).now_or_never() {
            Some(Some(open)) => soon::now(Ok(open)),
            // The cache may want to tidy up first.
            _ => soon::later(self.open_anew(tenant)),
        }
    }

    async fn open_anew(&self, tenant: &Tenant) -> kernel::Result<Arc<OpenTenant>> {
        let opening = async {
            let record = self.control.find(&Lookup::Id(tenant.id), &self.data).await?;
            let record = record.ok_or_else(|| Error::plain(Reason::NotFound))?;
            let key = record.data_key(&self.keys).await?;
            let (database, system) = record.urls(&key)?;
            let open = self.open_record(&record, database.as_deref(), system.as_deref(), key).await?;
            if let Some(work) = self.after_opening.get().and_then(Weak::upgrade) {
                work.opened(&open).await;
            }
            Ok(open)
        };
        self.open.try_get_with(tenant.id, opening).await.map_err(|error: Arc<Error>| {
            let copy = Error::new(error.reason, error.message.clone());
            Error { field: error.field.clone(), retry_after: error.retry_after, ..copy }.because(error.to_string())
        })
    }

    /// Names what is done with every tenant's databases from now on before anyone gets them. Only the first call counts.
    pub fn after_opening(&self, work: &Arc<dyn AfterOpening>) {
        let _ = self.after_opening.set(Arc::downgrade(work));
    }

    /// The control database: for tables of features that belong to no single tenant.
    pub fn control(&self) -> &Database {
        self.control.database()
    }

    /// A database that belongs to no tenant, by its URL; nothing is made in it.
    ///
    /// Errors: 400 `field_invalid`; 503.
    pub async fn outside(&self, url: &str) -> kernel::Result<Database> {
        Ok(Location::existing(url)?.open(&self.servers, self.config.sqlite).await?)
    }

    /// Whether a tenant is open, which does not count as a use of it.
    pub fn is_open(&self, tenant: TenantId) -> bool {
        self.open.contains_key(&tenant)
    }

    /// How many tenants are open.
    pub fn open_count(&self) -> u64 {
        self.open.entry_count()
    }

    /// The folder of a tenant: its rules, migrations and, on SQLite, its database.
    fn folder(&self, name: &str) -> PathBuf {
        self.data.join("tenants").join(name)
    }

    async fn open_record(
        &self,
        record: &TenantRecord,
        database: Option<&str>,
        system: Option<&str>,
        key: SealingKey,
    ) -> kernel::Result<Arc<OpenTenant>> {
        std::fs::create_dir_all(&record.tenant.folder).map_err(Error::internal)?;
        let location = Location::choose(record, database, self.config.database.expose())?;
        let data = location.open(&self.servers, self.config.sqlite).await?;
        let system = match system {
            Some(url) => Location::system(record, url)?.open(&self.servers, self.config.sqlite).await?,
            None => data.clone(),
        };
        self.tables.prepare(&system).await?;
        Ok(Arc::new(OpenTenant { tenant: Arc::clone(&record.tenant), data, system, key }))
    }

    async fn look_up(&self, lookup: Lookup) -> kernel::Result<Option<Arc<TenantRecord>>> {
        if let Some(known) = self.known(&lookup) {
            return Ok(known.record);
        }
        let asked = Instant::now();
        let record = self.control.find(&lookup, &self.data).await?;
        self.lookups.insert(lookup, Found { asked, record: record.clone() });
        Ok(record)
    }

    /// What was found out a moment ago.
    fn known(&self, lookup: &Lookup) -> Option<Found> {
        self.lookups.get(lookup).filter(|found| found.asked.elapsed() < BELIEVED)
    }

    fn find(&self, lookup: Lookup) -> Soon<'_, kernel::Result<Option<Arc<Tenant>>>> {
        match self.known(&lookup) {
            Some(known) => soon::now(Ok(tenant(known.record))),
            None => soon::later(async move { Ok(tenant(self.look_up(lookup).await?)) }),
        }
    }
}

impl TenantDirectory for Tenants {
    fn by_domain<'a>(&'a self, domain: &'a str) -> Soon<'a, kernel::Result<Option<Arc<Tenant>>>> {
        self.find(Lookup::Domain(domain.to_owned()))
    }

    fn by_id(&self, id: TenantId) -> Soon<'_, kernel::Result<Option<Arc<Tenant>>>> {
        self.find(Lookup::Id(id))
    }

    fn first(&self) -> Soon<'_, kernel::Result<Option<Arc<Tenant>>>> {
        self.find(Lookup::First)
    }
}

fn tenant(record: Option<Arc<TenantRecord>>) -> Option<Arc<Tenant>> {
    record.map(|record| Arc::clone(&record.tenant))
}

impl kernel::Probe for Tenants {
    /// Asks the control database and, where it is open, the first tenant's.
    fn probe(&self) -> BoxFuture<'_, kernel::Result<()>> {
        Box::pin(async move {
            self.control.database().probe().await?;
            if let Some(first) = self.first().await?
                && let Some(open) = self.open.get(&first.id).await
            {
                open.data.probe().await?;
            }
            Ok(())
        })
    }
}

/// Names whose places on a server would be those of something else: `insula_control` is the list of tenants, and
/// `insula_shop_system` has Insula's tables of the tenant `shop`. Errors: 400 `field_invalid`.
fn refuse_reserved(name: &str) -> kernel::Result<()> {
    if name != "control" && !name.ends_with("-system") {
        return Ok(());
    }
    let message = "No tenant can be called control, nor anything that ends in -system: Insula keeps its own there";
    Err(Error::new(Reason::FieldInvalid, message).at("name"))
}

/// The refusal of a database in which the users and keys of another tenant lie.
fn taken() -> Error {
    let message = "The database has tables of another tenant of Insula; drop its tables that begin with _, or keep \
        this tenant's elsewhere (--system-database)";
    Error::new(Reason::Conflict, message).at("database")
}

/// A domain in lower case, as RFC 1035 section 2.3.1 has it. Errors: 400 `field_invalid`.
fn checked_domain(domain: &str) -> kernel::Result<String> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_address = domain.parse::<std::net::IpAddr>().is_ok();
    if domain.len() <= 200 && domain.contains('.') && domain.split('.').all(label) && !is_address {
        return Ok(domain);
    }
    Err(Error::new(Reason::FieldInvalid, "A domain is a name such as example.com").at("domain"))
}

impl std::fmt::Debug for Tenants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenants").field("open", &self.open_count()).finish_non_exhaustive()
    }
}
