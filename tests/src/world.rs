//! A server with a first tenant.

use std::sync::Arc;

use identity::{GroupChange, NewUser};
use insula::{Config, Options, Server};
use kernel::{Secret, Tenant, WriteContext};
use store::{NewTenant, OpenTenant};
use tempfile::TempDir;
use testkit::Backend;

use crate::Client;

/// The password of every user.
const PASSWORD: &str = "correct horse battery";

/// A running server with a tenant of its own on one of the databases. Its data is removed at the end.
pub struct World {
    /// The server.
    pub server: Server,
    /// The first tenant.
    pub tenant: Arc<Tenant>,
    /// The database that tenants live on.
    pub backend: Backend,
    /// The data folder.
    pub data: TempDir,
    http: reqwest::Client,
}

impl World {
    /// A server with one tenant and no limits on the rate.
    pub async fn new(backend: Backend) -> Self {
        Self::configured(backend, |_| {}).await
    }

    /// The same with another configuration.
    pub async fn configured(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config { data: data.path().to_owned(), ..Config::default() };
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.rate_limit.enabled = false;
        config.store.database = Secret::new(backend.url());
        config.store.connections = 8;
        // One pass over little memory: these suites make hundreds of users.
        config.identity.password_memory = kernel::ByteSize(1 << 20);
        config.identity.password_passes = std::num::NonZeroU32::MIN;
        change(&mut config);
        let server = Box::pin(Server::start(Options { config, ..Options::default() })).await.unwrap();
        let tenant = new_tenant(&server).await;
        let http = crate::client::http();
        Self { server, tenant, backend, data, http }
    }

    /// One more tenant.
    pub async fn another_tenant(&self) -> Arc<Tenant> {
        new_tenant(&self.server).await
    }

    /// A caller without a credential, at the server's address.
    pub fn anonymous(&self) -> Client {
        Client { http: self.http.clone(), url: self.server.url().to_owned(), host: None, token: None }
    }

    /// A caller without a credential at the host of a tenant.
    pub fn at(&self, tenant: &Tenant) -> Client {
        self.anonymous().at_host(format!("api.{}", tenant.domain.as_deref().unwrap()))
    }

    /// The databases of a tenant.
    pub async fn open(&self, tenant: &Tenant) -> Arc<OpenTenant> {
        self.server.installation().tenants.open(tenant).await.unwrap()
    }

    /// Makes tables in the first tenant; see [`Backend::spelled`].
    pub async fn tables(&self, sql: &str) {
        self.tables_of(&self.tenant, sql).await;
    }

    /// Makes tables in a tenant.
    pub async fn tables_of(&self, tenant: &Tenant, sql: &str) {
        let folder = tenant.folder.join("migrations");
        std::fs::create_dir_all(&folder).unwrap();
        let number = std::fs::read_dir(&folder).unwrap().count() + 1;
        std::fs::write(folder.join(format!("{number:04}_tables.sql")), self.backend.spelled(sql)).unwrap();
        store::apply_scripts(&self.open(tenant).await.data, &folder).await.unwrap();
    }

    /// Gives a group of the first tenant its rules.
    pub async fn group(&self, name: &str, basic: &[&str], advanced: &[&str]) {
        let owned = |rules: &[&str]| Some(rules.iter().map(|rule| (*rule).to_owned()).collect());
        let change = GroupChange {
            name: name.into(),
            basic_rules: owned(basic),
            advanced_rules: owned(advanced),
            ..GroupChange::default()
        };
        self.change_group(change).await;
    }

    /// Makes or changes a group of the first tenant.
    pub async fn change_group(&self, change: GroupChange) {
        let open = self.open(&self.tenant).await;
        self.server.installation().features.identity.save_group(&open, change).await.unwrap();
    }

    /// Writes the row rules of the first tenant. They are in force before its first query, or after a reload.
    pub fn rules(&self, text: &str) {
        std::fs::write(self.tenant.folder.join("rules.toml"), text).unwrap();
    }

    /// Makes a user of the first tenant in a group and logs it in.
    pub async fn user(&self, username: &str, group: &str) -> Client {
        self.user_of(&self.tenant, username, group).await
    }

    /// Makes a user of a tenant in a group and logs it in at the tenant's host.
    pub async fn user_of(&self, tenant: &Tenant, username: &str, group: &str) -> Client {
        let open = self.open(tenant).await;
        let new = NewUser {
            username: username.into(),
            password: Some(Secret::new(PASSWORD)),
            group: Some(group.into()),
            ..NewUser::default()
        };
        self.server.installation().features.identity.create_user(&open, new).await.unwrap();
        self.at(tenant).log_in(username, PASSWORD).await
    }

    /// Stops the server and removes all tenants with their databases.
    pub async fn end(self) {
        let tenants = Arc::clone(&self.server.installation().tenants);
        self.server.stop().await.unwrap();
        for record in tenants.list().await.unwrap() {
            tenants.delete(&record, &WriteContext::system()).await.unwrap();
        }
    }
}

async fn new_tenant(server: &Server) -> Arc<Tenant> {
    let name: String = format!("t{}", uuid::Uuid::new_v4().simple()).chars().take(20).collect();
    let new = NewTenant { domain: Some(format!("{name}.test")), name, ..NewTenant::default() };
    server.installation().tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap()
}
