//! A tenant with tables, toolkits and the data API over both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use kernel::{
    Authenticated, Credential, DataApi, Group, Principal, Program, RequestId, Result, Secret, Tenant, WriteContext,
    seal::SealingKey, toolkits::ToolkitTerms,
};
use query::{
    Doors, Outcome, QueryConfig, Service,
    request::{Query, QueryRequest},
};
use serde_json::{Value as Json, json};
use store::{NewTenant, OpenTenant, StoreConfig, Tenants, apply_scripts};
use tempfile::TempDir;
use testkit::Backend;

use crate::terms::{Shelf, Terms};

pub(crate) struct World {
    pub(crate) backend: Backend,
    pub(crate) service: Arc<Service>,
    pub(crate) tenant: Arc<Tenant>,
    tenants: Arc<Tenants>,
    shelf: Arc<Shelf>,
    data: TempDir,
    key: SealingKey,
}

/// Tickets, which most stories are about. `seat` and `code` are unique.
pub(crate) const TICKETS: &str = "CREATE TABLE tickets (id SERIAL, title VARCHAR(40), number VARCHAR(12), seat BIGINT, \
    code VARCHAR(8), token VARCHAR(36), opened MOMENT, owner BIGINT, pinned_to BIGINT, \
    CONSTRAINT tickets_number UNIQUE (number), CONSTRAINT tickets_code UNIQUE (code), \
    CONSTRAINT tickets_seat UNIQUE (seat));";

fn service(tenants: Arc<Tenants>, shelf: &Arc<Shelf>) -> Arc<Service> {
    Service::new(tenants, QueryConfig::default(), Doors { toolkits: Arc::clone(shelf) as _, ..Doors::default() })
}

impl World {
    pub(crate) async fn new(backend: Backend, tables: &str, terms: Terms) -> Self {
        let (data, key) = (tempfile::tempdir().unwrap(), SealingKey::generate());
        let tenants = start(backend, data.path(), &key).await;
        let tenant = tenants.create(fresh(), |_, _| Box::pin(async { Ok(()) })).await.unwrap();
        let shelf = Arc::new(Shelf(parking_lot::Mutex::new(Arc::new(terms))));
        let service = service(Arc::clone(&tenants), &shelf);
        let world = Self { backend, service, tenant, tenants, shelf, data, key };
        world.migrate("0001_tables.sql", tables).await;
        world
    }

    /// A further process over the same data.
    pub(crate) fn process(&self) -> Process {
        let (data, key, shelf) = (self.data.path().to_owned(), self.key.clone(), Arc::clone(&self.shelf));
        Process { backend: self.backend, data, key, shelf }
    }

    /// A tenant that adopts this one's database and has Insula's tables elsewhere.
    pub(crate) async fn adopter(&self) -> Arc<Tenant> {
        let own = format!("insula_{}", self.tenant.name);
        let (database, system) = match self.backend {
            Backend::Sqlite => (
                format!("sqlite://{}", self.tenant.folder.join("insula.db").display()),
                format!("sqlite://{}", self.data.path().join("system.db").display()),
            ),
            Backend::Postgres => (format!("{}?schema={own}", self.backend.url()), self.backend.url()),
            Backend::Mariadb => (format!("{}{own}", self.backend.url()), self.backend.url()),
        };
        let new = NewTenant { database: Some(database), system_database: Some(system), ..fresh() };
        self.tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap()
    }

    pub(crate) async fn open(&self) -> Arc<OpenTenant> {
        self.tenants.open(&self.tenant).await.unwrap()
    }

    /// The same, opened by a further process.
    pub(crate) async fn elsewhere(&self) -> Arc<OpenTenant> {
        start(self.backend, self.data.path(), &self.key).await.open(&self.tenant).await.unwrap()
    }

    pub(crate) async fn migrate(&self, file: &str, sql: &str) {
        let folder = self.tenant.folder.join("migrations");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), self.backend.spelled(sql)).unwrap();
        apply_scripts(&self.open().await.data, &folder).await.unwrap();
    }

    /// Puts other toolkits in force, as a reload does.
    pub(crate) fn retell(&self, terms: Terms) {
        *self.shelf.0.lock() = Arc::new(terms) as Arc<dyn ToolkitTerms>;
    }

    /// A user of this tenant.
    pub(crate) fn user(&self, username: &str, number: i64, group: Group) -> Authenticated {
        user_of(&self.tenant, username, number, group)
    }

    /// Somebody who may do everything.
    pub(crate) fn admin(&self) -> Authenticated {
        self.user("ada", 1, group("administrators", 100, &["*:rwa"]))
    }

    /// What `POST /query` does.
    pub(crate) async fn query(&self, caller: &Authenticated, query: Json) -> Result<Json> {
        ask(&self.service, caller, query).await
    }

    pub(crate) async fn count(&self, table: &str) -> Json {
        self.query(&self.admin(), json!({"action": "count", "table": table})).await.unwrap()
    }

    pub(crate) async fn transact(&self, caller: &Authenticated, program: impl Program) -> Result<Vec<Json>> {
        self.service.transact(caller, RequestId::now(), Arc::new(program)).await
    }

    pub(crate) async fn end(self) {
        for record in self.tenants.list().await.unwrap() {
            self.tenants.delete(&record, &WriteContext::system()).await.unwrap();
        }
    }
}

/// Whoever else works on the same data.
#[derive(Clone)]
pub(crate) struct Process {
    backend: Backend,
    data: PathBuf,
    key: SealingKey,
    shelf: Arc<Shelf>,
}

impl Process {
    pub(crate) async fn service(&self) -> Arc<Service> {
        let tenants = start(self.backend, &self.data, &self.key).await;
        service(tenants, &self.shelf)
    }

    /// Runs a program on a thread that it may block.
    pub(crate) fn transact(&self, caller: &Authenticated, program: impl Program) -> JoinHandle<Result<Vec<Json>>> {
        let (process, caller) = (self.clone(), caller.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                process.service().await.transact(&caller, RequestId::now(), Arc::new(program)).await
            })
        })
    }
}

async fn start(backend: Backend, data: &Path, key: &SealingKey) -> Arc<Tenants> {
    let config = StoreConfig { database: Secret::new(backend.url()), connections: 8, ..StoreConfig::default() };
    Tenants::start(data, config, key.clone(), query::MIGRATIONS.to_vec(), Vec::new()).await.unwrap()
}

fn fresh() -> NewTenant {
    let name = format!("t{}", uuid::Uuid::new_v4().simple()).chars().take(20).collect();
    NewTenant { name, ..NewTenant::default() }
}

pub(crate) fn user_of(tenant: &Arc<Tenant>, username: &str, number: i64, group: Group) -> Authenticated {
    let principal = Principal {
        id: uuid::Uuid::from_u128(number as u128),
        number,
        username: username.into(),
        email: None,
        name: username.into(),
        group: Arc::new(group),
        toolkit_overrides: [].into(),
        credential: Credential::Session(uuid::Uuid::nil()),
    };
    Authenticated { tenant: Arc::clone(tenant), principal: Arc::new(principal) }
}

pub(crate) fn group(name: &str, power: u8, basic: &[&str]) -> Group {
    Group {
        id: i64::from(power),
        name: name.into(),
        power,
        basic_rules: basic.iter().map(|rule| (*rule).to_owned()).collect(),
        advanced_rules: Vec::new(),
        abilities: Vec::new(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: true,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: "read-write-own".into(),
        toolkits: [].into(),
    }
}

pub(crate) async fn ask(service: &Service, caller: &Authenticated, query: Json) -> Result<Json> {
    let request: QueryRequest = serde_json::from_value(query).unwrap();
    service.query(caller, RequestId::now(), &Query::try_from(request)?).await.map(tell)
}

/// An outcome in short: rows, a number, or what was written.
fn tell(outcome: Outcome) -> Json {
    match outcome {
        Outcome::Rows(rows, _) => serde_json::from_slice(&rows.bytes).unwrap(),
        Outcome::Count(number) => json!(number),
        Outcome::Written { rows, generated, warnings, .. } => {
            let generated: serde_json::Map<_, _> = generated.into_iter().collect();
            json!({"rows": rows, "generated": generated, "warnings": warnings})
        }
        Outcome::Batch(results, undone) => {
            let results = results.into_iter().map(|result| match result {
                Ok(outcome) => tell(outcome),
                Err(error) => json!(error.reason.word()),
            });
            json!({"undone": undone, "results": results.collect::<Vec<_>>()})
        }
        Outcome::Explanation(explanation) => explanation,
    }
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    result.unwrap_err().reason.word()
}
