//! A whole application over SQLite in a temporary folder, spoken to without a socket.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use edge::{Edge, EdgeConfig, Rooms};
use http_body_util::BodyExt;
use identity::{Bootstrap, Identity, IdentityConfig, NewUser};
use kernel::{ByteSize, Secret, Tenant, seal::SealingKey};
use serde_json::{Value, json};
use store::{NewTenant, OpenTenant, StoreConfig, Tenants};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Hashing that costs nearly nothing.
pub(crate) fn cheap() -> IdentityConfig {
    IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() }
}

/// The data API is not here to ask.
struct AnyRules;

impl kernel::RuleCheck for AnyRules {
    fn check_rules(&self, _: &[String], _: &[String]) -> kernel::Result<()> {
        Ok(())
    }
}

pub(crate) struct App {
    pub(crate) identity: Arc<Identity>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) router: axum::Router,
    pub(crate) folder: Arc<TempDir>,
    master: SealingKey,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

impl Reply {
    pub(crate) fn reason(&self) -> (u16, &str) {
        (self.status, self.body["reason"].as_str().unwrap_or_default())
    }

    pub(crate) fn token(&self) -> String {
        self.body["token"].as_str().unwrap_or_else(|| panic!("no token in {}", self.body)).to_owned()
    }
}

impl App {
    /// An installation without a tenant.
    pub(crate) async fn bare(config: IdentityConfig, bootstrap: Bootstrap) -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap()), SealingKey::generate(), config, bootstrap).await
    }

    /// An installation whose first tenant is `example.com`, with an administrator `admin`.
    pub(crate) async fn start(config: IdentityConfig) -> Self {
        let app = Self::bare(config, Bootstrap::default()).await;
        app.add_tenant("example").await;
        app
    }

    async fn over(folder: Arc<TempDir>, master: SealingKey, config: IdentityConfig, bootstrap: Bootstrap) -> Self {
        let tenants = Tenants::start(
            folder.path(),
            StoreConfig::default(),
            master.clone(),
            identity::MIGRATIONS.to_vec(),
            Vec::new(),
        );
        let tenants = tenants.await.unwrap();
        let identity = Identity::new(
            Arc::clone(&tenants),
            config,
            bootstrap,
            Arc::new(AnyRules),
            Arc::new(kernel::settings::NoTables),
        );
        let mut edge = EdgeConfig::default();
        edge.rate_limit.enabled = false;
        edge.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        let edge = Edge {
            config: edge,
            directory: tenants.clone(),
            authenticator: identity.clone(),
            probe: tenants.clone(),
            statements: store::statements,
            build: "test",
        };
        let app = edge::app(edge, rooms(&identity));
        Self { identity, tenants, router: app.router(), folder, master }
    }

    /// Another process on the same data.
    pub(crate) async fn another(&self, config: IdentityConfig) -> Self {
        Self::over(Arc::clone(&self.folder), self.master.clone(), config, Bootstrap::default()).await
    }

    pub(crate) async fn add_tenant(&self, name: &str) -> Arc<Tenant> {
        let new = NewTenant { name: name.into(), domain: Some(format!("{name}.com")), ..NewTenant::default() };
        let identity = Arc::clone(&self.identity);
        let created = self.tenants.create(new, move |_, open| {
            Box::pin(async move { identity.create_user(open, user("admin", "administrators")).await.map(drop) })
        });
        created.await.unwrap()
    }

    pub(crate) async fn tenant(&self, name: &str) -> (Arc<Tenant>, Arc<OpenTenant>) {
        let tenant = self.tenants.by_name(name).await.unwrap().tenant.clone();
        let open = self.tenants.open(&tenant).await.unwrap();
        (tenant, open)
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, "api.example.com");
        }
        for (name, value) in headers.iter().filter(|(name, _)| *name != "peer") {
            request = request.header(*name, *value);
        }
        if let Some((_, peer)) = headers.iter().find(|(name, _)| *name == "peer") {
            request = request.extension(ConnectInfo::<SocketAddr>(format!("{peer}:1").parse().unwrap()));
        }
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        };
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Reply { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), retry_after }
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Reply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send("POST", path, &headers, Some(body)).await
    }

    pub(crate) async fn status(&self, token: &str) -> Reply {
        self.send("GET", "/auth/status", &[("authorization", &format!("Bearer {token}"))], None).await
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> Reply {
        let body = json!({"method": "password", "username": name, "password": password});
        self.post("/auth/login", None, body).await
    }

    pub(crate) async fn register(&self, name: &str) -> Reply {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        self.post("/auth/register", None, body).await
    }
}

fn rooms(identity: &Arc<Identity>) -> Rooms {
    Rooms {
        api: vec![(identity::NAME, identity::routes(Arc::clone(identity)))],
        assets: vec![(identity::NAME, identity::assets_routes(Arc::clone(identity)))],
        webhooks: vec![identity::webhooks_routes(Arc::clone(identity))],
    }
}

pub(crate) fn user(name: &str, group: &str) -> NewUser {
    NewUser {
        username: name.into(),
        password: Some(Secret::new(PASSWORD)),
        group: Some(group.into()),
        ..NewUser::default()
    }
}

/// Every byte of every file below a folder.
pub(crate) fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { all_bytes(&path) } else { std::fs::read(path).unwrap() });
    }
    bytes
}
