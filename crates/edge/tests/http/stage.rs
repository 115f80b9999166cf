//! What the tests have in common.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use edge::{
    Answer, App, Bearer, Caller, Edge, EdgeConfig, HostName, Json, MaybeCaller, OptionalJson, OwnOrigin, Path, Query,
    RateLimitConfig, RequestInfo, Rooms, Routes, Site,
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use kernel::{
    Authenticated, Authenticator, BoxFuture, Credential, Door, Error, Group, Presented, Principal, Probe, Reason,
    Result, Soon, Tenant, TenantDirectory, TenantId, TenantStatus, soon,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Tenants one (`one.example`, the first), two (`two.localhost`) and gone (`gone.example`, suspended).
#[derive(Default)]
pub(crate) struct World {
    pub(crate) empty: bool,
    pub(crate) first_suspended: bool,
    pub(crate) database_down: AtomicBool,
    pub(crate) database_hangs: AtomicBool,
    pub(crate) probes: AtomicUsize,
    pub(crate) authentications: AtomicUsize,
}

pub(crate) fn tenant(number: u128, name: &str, domain: &str, status: TenantStatus, origins: &[&str]) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: Uuid::from_u128(number),
        name: name.to_owned(),
        domain: Some(domain.to_owned()),
        status,
        cors_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        folder: "nowhere".into(),
    })
}

impl World {
    fn tenants(&self) -> Vec<Arc<Tenant>> {
        let first = if self.first_suspended { TenantStatus::Suspended } else { TenantStatus::Active };
        let all = vec![
            tenant(1, "one", "one.example", first, &["https://app.example", "http://localhost:3000"]),
            tenant(2, "two", "two.localhost", TenantStatus::Active, &["*"]),
            tenant(3, "gone", "gone.example", TenantStatus::Suspended, &[]),
            tenant(4, "closed", "closed.example", TenantStatus::Active, &[]),
        ];
        if self.empty { Vec::new() } else { all }
    }

    fn find(&self, test: impl Fn(&Tenant) -> bool) -> Result<Option<Arc<Tenant>>> {
        if self.database_down.load(Ordering::Relaxed) {
            return Err(Error::plain(Reason::DatabaseUnavailable).because("connection to /var/secret.sock refused"));
        }
        Ok(self.tenants().into_iter().find(|tenant| test(tenant)))
    }
}

impl TenantDirectory for World {
    fn by_domain<'a>(&'a self, domain: &'a str) -> Soon<'a, Result<Option<Arc<Tenant>>>> {
        soon::now(self.find(|tenant| tenant.domain.as_deref() == Some(domain)))
    }

    fn by_id(&self, id: TenantId) -> Soon<'_, Result<Option<Arc<Tenant>>>> {
        soon::now(self.find(|tenant| tenant.id == id))
    }

    fn first(&self) -> Soon<'_, Result<Option<Arc<Tenant>>>> {
        soon::now(self.find(|_| true))
    }
}

/// `good` belongs to the host's tenant, `two` and `gone` to those, the key `ins_two` too; `biscuit` and `hook` are good
/// at the doors of assets and webhooks alone. Anything else is refused.
impl Authenticator for World {
    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> Soon<'a, Result<Authenticated>> {
        soon::later(async move {
            self.authentications.fetch_add(1, Ordering::Relaxed);
            let refused = || Error::new(Reason::SessionInvalid, "the session is not in the table");
            let tenant = match (presented.door, presented.token) {
                (Door::Api, "good") | (Door::Assets, "biscuit") | (Door::Webhooks, "hook") => {
                    presented.host.tenant.clone()
                }
                (Door::Api, "ins_bad") => return Err(Error::plain(Reason::KeyInvalid)),
                (Door::Assets | Door::Webhooks, _) => return Err(refused()),
                (Door::Api, name) => self
                    .tenants()
                    .into_iter()
                    .find(|tenant| tenant.name == name.trim_start_matches("ins_"))
                    .ok_or_else(refused)?,
            };
            Ok(Authenticated { tenant, principal: Arc::new(principal()) })
        })
    }
}

fn principal() -> Principal {
    let group = Group {
        id: 1,
        name: "users".to_owned(),
        power: 10,
        basic_rules: Vec::new(),
        advanced_rules: Vec::new(),
        abilities: Vec::new(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: false,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: "read-own-only".to_owned(),
        toolkits: Arc::default(),
    };
    Principal {
        id: Uuid::from_u128(7),
        number: 7,
        username: "ada".to_owned(),
        email: None,
        name: "Ada".to_owned(),
        group: Arc::new(group),
        toolkit_overrides: Arc::default(),
        credential: Credential::Session(Uuid::from_u128(8)),
    }
}

impl Probe for World {
    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.probes.fetch_add(1, Ordering::Relaxed);
            if self.database_hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.database_down.load(Ordering::Relaxed) {
                return Err(Error::plain(Reason::DatabaseUnavailable));
            }
            Ok(())
        })
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    text: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    any: Value,
}

#[utoipa::path(post, path = "/echo", responses((status = 201)))]
async fn echo(_: Caller, Json(body): Json<Echo>) -> edge::Result {
    Ok(Answer::created(json!({"text": body.text, "any": body.any})))
}

#[utoipa::path(post, path = "/optional", security(()), responses((status = 200)))]
async fn optional(OptionalJson(body): OptionalJson<Echo>) -> edge::Result {
    Ok(Answer::ok(json!({"text": body.map(|body| body.text)})))
}

#[utoipa::path(get, path = "/who", responses((status = 200)))]
async fn who(caller: Caller, again: Caller, info: RequestInfo, HostName(host): HostName) -> edge::Result {
    assert_eq!(caller.principal().id, again.principal().id);
    Ok(Answer::ok(json!({
        "tenant": caller.tenant().name, "user": caller.principal().number, "client": info.client,
        "secure": info.secure, "agent": info.user_agent, "host": host, "id": info.id.as_str(),
    })))
}

#[utoipa::path(get, path = "/auth/status", responses((status = 200)))]
async fn status(MaybeCaller(caller): MaybeCaller, info: RequestInfo) -> Answer {
    match caller {
        Ok(_) => Answer::ok(json!({"valid": true})),
        Err(error) => {
            let message = format!("{} [request_id: {}]", error.message, info.id);
            let success = error.reason == Reason::SessionInvalid;
            Answer::with_status(401, json!({"success": success, "valid": false, "message": message}))
        }
    }
}

#[utoipa::path(get, path = "/site", security(()), responses((status = 200)))]
async fn site(Site(site): Site) -> Answer {
    Answer::ok(json!({"tenant": site.tenant.name, "explicit": site.explicit}))
}

#[utoipa::path(get, path = "/fail/{how}", security(()), responses((status = 200)))]
async fn fail(Path(how): Path<String>) -> edge::Result {
    match how.as_str() {
        "panic" => panic!("at /srv/secret"),
        "internal" => Err(Error::internal("SELECT secret FROM table").into()),
        "busy" => Err(Error::plain(Reason::Busy).retry_after(7).into()),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(700)).await;
            Ok(Answer::ok(()))
        }
        "stuck" => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok(Answer::ok(()))
        }
        "empty" => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        "raw" => Ok(Answer::raw(bytes::Bytes::from_static(br#"{"success":true,"rows":[1.10]}"#))),
        _ => Err(Error::new(Reason::FieldInvalid, "No such way to fail").at("how").into()),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
struct Page {
    page: u32,
}

#[utoipa::path(get, path = "/items/{number}", params(Page, ("number" = u32, Path)), responses((status = 200)))]
async fn item(Path(number): Path<u32>, Query(page): Query<Page>) -> Answer {
    Answer::ok(json!({"number": number, "page": page.page}))
}

#[utoipa::path(post, path = "/api/insula/init", security(()), responses((status = 200)))]
async fn init() -> Answer {
    Answer::ok(json!({"initialised": true}))
}

async fn text_rejection() -> (StatusCode, &'static str) {
    (StatusCode::BAD_REQUEST, "plain text of a library")
}

fn feature() -> Routes {
    OpenApiRouter::new()
        .routes(routes!(echo))
        .routes(routes!(optional))
        .routes(routes!(who))
        .routes(routes!(status))
        .routes(routes!(site))
        .routes(routes!(fail))
        .routes(routes!(item))
        .routes(routes!(init))
        .route("/text", axum::routing::get(text_rejection))
}

#[utoipa::path(post, path = "/session", responses((status = 200)))]
async fn session(_: OwnOrigin, Bearer(caller): Bearer) -> edge::Result<impl axum::response::IntoResponse> {
    let cookie = edge::set_cookie("biscuit", 60)?;
    Ok(([(http::header::SET_COOKIE, cookie)], Answer::ok(json!({"user": caller.principal.number}))))
}

fn assets() -> Routes {
    OpenApiRouter::new().routes(routes!(session)).route("/file", axum::routing::get(who).post(who))
}

/// A configuration without rate limits.
pub(crate) fn config() -> EdgeConfig {
    EdgeConfig { rate_limit: RateLimitConfig { enabled: false, ..Default::default() }, ..Default::default() }
}

pub(crate) fn app(world: &Arc<World>, config: EdgeConfig) -> App {
    let edge = Edge {
        config,
        directory: world.clone(),
        authenticator: world.clone(),
        probe: world.clone(),
        statements: || 7,
        build: "abc123",
    };
    let webhooks = vec![OpenApiRouter::new().route("/", axum::routing::get(who).post(who))];
    edge::app(edge, Rooms { api: vec![("stage", feature())], assets: vec![("stage", assets())], webhooks })
}

pub(crate) fn usual() -> App {
    app(&Arc::default(), config())
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"))
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id")
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks the whole envelope of a refusal and gives its reason.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        let message = json["message"].as_str().unwrap_or_default();
        assert_eq!(json["success"], false);
        assert_eq!(json["code"], self.status);
        assert_eq!(json["error"], json["message"]);
        assert_eq!(json["request_id"], self.id());
        assert!(message.ends_with(&format!(" [request_id: {}]", self.id())), "{message}");
        (self.status, self.reason())
    }
}

pub(crate) async fn send(app: &App, request: Request<Body>) -> Seen {
    let Ok(response) = app.router().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { panic!("the body broke off") };
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let seen = Seen { status: parts.status.as_u16(), headers: parts.headers, text };
    assert!(seen.id().len() == 24 && seen.id().bytes().all(|b| b.is_ascii_digit()), "{seen:?}");
    seen
}

/// A request with `METHOD target` and header lines; to `api.one.example` unless a host is given.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let mut builder = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header("host", "api.one.example");
    }
    for (name, value) in headers.iter().filter(|(name, _)| *name != "peer") {
        builder = builder.header(*name, *value);
    }
    if let Some((_, peer)) = headers.iter().find(|(name, _)| *name == "peer") {
        let Ok(address) = peer.parse() else { panic!("{peer} is no address") };
        builder = builder.extension(ConnectInfo(SocketAddr::new(address, 4711)));
    }
    match builder.body(body.into()) {
        Ok(request) => request,
        Err(error) => panic!("{line}: {error}"),
    }
}

pub(crate) async fn get(app: &App, target: &str, headers: &[(&str, &str)]) -> Seen {
    send(app, request(&format!("GET {target}"), headers, Body::empty())).await
}

pub(crate) async fn post(app: &App, target: &str, body: impl Into<Body>) -> Seen {
    let headers = [("authorization", "Bearer good"), ("content-type", "application/json")];
    send(app, request(&format!("POST {target}"), &headers, body)).await
}

pub(crate) const GOOD: (&str, &str) = ("authorization", "Bearer good");
