//! The toolkits of all tenants: read at the first request for a tenant, and again by `POST /reload`.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use kernel::{
    BoxFuture, Error, Reason, Result, Soon, Tenant, TenantId,
    columns::{ColumnChoices, ToolkitColumns},
    reload::{Commit, Reload},
    soon,
    toolkits::{ToolkitTerms, Toolkits},
};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use store::{OpenTenant, Tenants};
use upstream::Clients;

use crate::{
    checking::{Checked, Checker, Grammar},
    folder::{FOLDER, Files},
    places::Stored,
    reading::Mistake,
    schedule::job::Changed,
    tables::{associations, groups},
    terms::Terms,
};

const REMEMBERED: usize = 20_000;
/// How long this process believes what it read of places: what changes elsewhere is known here within five seconds.
const BELIEVED: Duration = Duration::from_secs(3);
/// Mistakes that one refusal tells.
const MOST_TOLD: usize = 20;

/// The toolkits of all tenants.
pub struct Registry {
    pub(crate) tenants: Arc<Tenants>,
    grammar: Arc<dyn Grammar>,
    clients: Arc<Clients>,
    known: Arc<Cache<TenantId, Arc<Known>>>,
    /// Tenants whose toolkits were read and whose schedules are to be written down.
    pub(crate) changed: Changed,
}

/// What is in force for a tenant.
struct Known {
    terms: ArcSwap<Terms>,
    /// When its places were read; none where they must be read anew.
    read: Mutex<Option<Instant>>,
}

impl Registry {
    /// The toolkits of the tenants of an installation. Nothing is read before it is asked for.
    pub fn new(tenants: Arc<Tenants>, grammar: Arc<dyn Grammar>) -> Arc<Self> {
        Arc::new(Self {
            tenants,
            grammar,
            clients: Arc::new(Clients::new()),
            known: Arc::new(Cache::new(REMEMBERED)),
            changed: Changed::default(),
        })
    }

    /// What a tenant's toolkits say. Errors: 500 where the folder cannot be read, 503.
    pub(crate) async fn terms(&self, tenant: &Tenant) -> Result<Arc<Terms>> {
        if let Some(terms) = self.believed(tenant) {
            return Ok(terms);
        }
        // Few requests come here; the future shall not be large for all the others.
        Box::pin(self.read_terms(tenant)).await
    }

    /// What is known of a tenant, unless its places were read some time ago.
    fn believed(&self, tenant: &Tenant) -> Option<Arc<Terms>> {
        let known = self.known.get(&tenant.id)?;
        let terms = known.terms.load_full();
        (terms.files.toolkits.is_empty() || is_fresh(*known.read.lock())).then_some(terms)
    }

    async fn read_terms(&self, tenant: &Tenant) -> Result<Arc<Terms>> {
        let known = self.known.get_or_insert_async(&tenant.id, Box::pin(self.load(tenant))).await?;
        let first = {
            // Whoever comes first reads places anew; the others go on with what is known.
            let mut read = known.read.lock();
            let first = !is_fresh(*read);
            if first {
                *read = Some(Instant::now());
            }
            first
        };
        if first && let Err(error) = self.read_places(tenant, &known).await {
            tracing::warn!(tenant = tenant.name, %error, "places in toolkits could not be read anew");
        }
        Ok(known.terms.load_full())
    }

    /// Reads a tenant for the first time. Toolkits with mistakes are left out, so that they take down nobody else.
    async fn load(&self, tenant: &Tenant) -> Result<Arc<Known>> {
        let files = self.read(tenant, None).await.map_err(Error::internal)?;
        for mistake in &files.mistakes {
            tracing::error!(tenant = tenant.name, "{mistake}");
        }
        for toolkit in &files.broken {
            tracing::error!(tenant = tenant.name, toolkit, "the toolkit is off until its file is mended and reloaded");
        }
        let open = self.open_for(tenant, &files).await?;
        for mistake in open.iter().flat_map(|open| files.against(&open.data.schema())) {
            tracing::error!(tenant = tenant.name, "{mistake}");
        }
        let terms = self.with_places(open.as_deref(), Arc::new(files)).await?;
        terms.stored.tell(tenant, None);
        self.changed.note(tenant, &terms.files);
        Ok(Arc::new(Known { terms: ArcSwap::from_pointee(terms), read: Mutex::new(Some(Instant::now())) }))
    }

    /// Reads the files anew on a thread that may block.
    async fn read(&self, tenant: &Tenant, before: Option<Arc<Terms>>) -> Result<Files, String> {
        let (grammar, clients, folder) = (Arc::clone(&self.grammar), Arc::clone(&self.clients), tenant.folder.clone());
        let work = move || {
            let own = folder.join(FOLDER);
            let checker = Checker { grammar: &*grammar, clients: &clients, folder: &own };
            Files::read(&folder, &checker, before.as_deref().map(|terms| &*terms.files))
        };
        let read = tokio::task::spawn_blocking(work).await;
        read.map_err(|error| error.to_string())?.map_err(|error| format!("the folder {FOLDER} cannot be read: {error}"))
    }

    /// The databases of a tenant, where its files are about something in them.
    async fn open_for(&self, tenant: &Tenant, files: &Files) -> Result<Option<Arc<OpenTenant>>> {
        Ok(if files.toolkits.is_empty() { None } else { Some(self.tenants.open(tenant).await?) })
    }

    async fn with_places(&self, open: Option<&OpenTenant>, files: Arc<Files>) -> Result<Terms> {
        let stored = match open {
            Some(open) => self.stored(open, &files).await?,
            None => Stored::default(),
        };
        Ok(Terms::new(files, stored))
    }

    async fn stored(&self, open: &OpenTenant, files: &Files) -> Result<Stored> {
        let mut stored = Stored::default();
        for (toolkit, id, group) in associations::list(&open.system).await? {
            stored.associations.insert((toolkit, id), group);
        }
        for (name, toolkit) in &files.toolkits {
            let groups = groups::read(&open.data, &toolkit.file, &*self.grammar, &mut stored.problems).await?;
            if let Some(groups) = groups {
                stored.groups.insert(name.clone(), groups);
            }
        }
        Ok(stored)
    }

    /// Reads places anew.
    async fn read_places(&self, tenant: &Tenant, known: &Known) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        loop {
            let before = known.terms.load_full();
            let stored = self.stored(&open, &before.files).await?;
            if stored == before.stored {
                return Ok(());
            }
            stored.tell(tenant, Some(&before.stored));
            let terms = Arc::new(Terms::new(Arc::clone(&before.files), stored));
            let found = known.terms.compare_and_swap(&before, terms);
            // Somebody else's may have been read before this, so that it must be read once more.
            if Arc::ptr_eq(&found, &before) {
                return Ok(());
            }
        }
    }

    /// Makes a change of places known in this process at once.
    pub(crate) async fn refresh(&self, tenant: &Tenant) -> Result<()> {
        match self.known.get(&tenant.id) {
            Some(known) => self.read_places(tenant, &known).await,
            None => Ok(()),
        }
    }

    /// Checks the files of a tenant as they are now, without putting them into force. Errors: the folder cannot be read.
    pub(crate) async fn check(&self, tenant: &Tenant) -> Result<Vec<Mistake>> {
        let files = self.read(tenant, None).await.map_err(Error::internal)?;
        let mut mistakes = files.mistakes.clone();
        if let Some(open) = self.open_for(tenant, &files).await? {
            mistakes.extend(files.against(&open.data.schema()));
        }
        Ok(mistakes)
    }

    async fn prepared(&self, tenant: &Tenant) -> Result<Commit> {
        let refused = |message: String| Error::new(Reason::ReloadFailed, message);
        let before = self.known.get(&tenant.id).map(|known| known.terms.load_full());
        let files = self.read(tenant, before.clone()).await.map_err(refused)?;
        if !files.mistakes.is_empty() {
            return Err(refused(told(&files.mistakes)));
        }
        let open = self.open_for(tenant, &files).await?;
        let mistakes = open.as_ref().map(|open| files.against(&open.data.schema())).unwrap_or_default();
        if !mistakes.is_empty() {
            return Err(refused(told(&mistakes)));
        }
        let terms = self.with_places(open.as_deref(), Arc::new(files)).await?;
        terms.stored.tell(tenant, before.as_deref().map(|before| &before.stored));
        let terms = Arc::new(terms);
        let (known, id) = (Arc::clone(&self.known), tenant.id);
        let (changed, tenant) = (self.changed.clone(), tenant.clone());
        Ok(Box::new(move || {
            changed.note(&tenant, &terms.files);
            // A place may have changed since it was read, and its change have gone to what is replaced here.
            known.insert(id, Arc::new(Known { terms: ArcSwap::new(terms), read: Mutex::new(None) }));
        }))
    }
}

fn is_fresh(read: Option<Instant>) -> bool {
    read.is_some_and(|read| read.elapsed() < BELIEVED)
}

impl Toolkits for Registry {
    fn of<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, Result<Arc<dyn ToolkitTerms>>> {
        match self.believed(tenant) {
            Some(terms) => soon::now(Ok(terms as Arc<dyn ToolkitTerms>)),
            None => soon::later(async { Ok(self.read_terms(tenant).await? as Arc<dyn ToolkitTerms>) }),
        }
    }
}

impl ToolkitColumns for Registry {
    /// Reads the files anew: it is asked seldom, and while a reload is being prepared.
    fn choices<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<ColumnChoices>> {
        Box::pin(async {
            let files = self.read(tenant, None).await.map_err(Error::internal)?;
            // What is added stays, so that it must wait for those who may want it left out.
            if let Some(broken) = files.broken.first() {
                return Err(Error::internal(format!("{FOLDER}/{broken}.toml has mistakes")));
            }
            let choices = files.toolkits.values().flat_map(|toolkit| toolkit.file.system_column_overrides.clone());
            Ok(choices.collect())
        })
    }
}

impl Reload for Registry {
    fn prepare<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Commit>> {
        Box::pin(self.prepared(tenant))
    }
}

/// Checks the text of one file. `stem` is its name without the ending; files that it names are looked for in `folder`.
/// It blocks.
pub fn check(grammar: &dyn Grammar, stem: &str, text: &str, folder: &Path) -> Vec<Mistake> {
    let clients = Arc::new(Clients::new());
    match (Checker { grammar, clients: &clients, folder }).check(stem, text, None) {
        Checked::Good(_) => Vec::new(),
        Checked::Broken(_, mistakes) => mistakes,
    }
}

/// Mistakes in one text.
fn told(mistakes: &[Mistake]) -> String {
    let mut told: Vec<_> = mistakes.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    if mistakes.len() > MOST_TOLD {
        told.push(format!("and {} more", mistakes.len() - MOST_TOLD));
    }
    told.join("; ")
}
