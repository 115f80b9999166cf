//! Every route with every kind of credential: one table of answers, to be reviewed as a whole.
//!
//! The routes come from the OpenAPI document, and a route without an entry in [`BODIES`] fails the test, so that nobody
//! adds one without saying who may use it.

use std::collections::BTreeMap;

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use kernel::{Tenant, WriteContext, time::Timestamp};
use reqwest::Method;
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};
use store::Value;

on_all_databases!(every_route_with_every_credential);

const GROUPS: [&str; 5] = ["anonymous", "users", "publishers", "moderators", "administrators"];
/// An object that does not exist, where a path asks for one.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// A good body for each route that takes one; null for those that take none. What is good asks for objects that do not
/// exist or for secrets that are wrong, so that no cell of the table changes what the next one meets. `{n}` is another
/// number in each cell.
fn bodies() -> BTreeMap<&'static str, Json> {
    BTreeMap::from([
        ("GET /", Json::Null),
        ("GET /.well-known/jwks.json", Json::Null),
        ("GET /docs", Json::Null),
        ("GET /health", Json::Null),
        ("POST /api/insula/init", json!({"domain": "example.org"})),
        ("POST /api/walnut@daplie.com/init", json!({"domain": "example.org"})),
        // Users of the tenant.
        ("GET /admin/users", Json::Null),
        ("POST /admin/users", json!({"username": "-"})),
        ("GET /admin/users/{id}", Json::Null),
        ("PATCH /admin/users/{id}", json!({"name": "Somebody"})),
        ("DELETE /admin/users/{id}", Json::Null),
        ("GET /admin/groups", Json::Null),
        ("POST /admin/groups", json!({"name": "-", "power": 5})),
        ("GET /admin/groups/{id}", Json::Null),
        ("PATCH /admin/groups/{id}", json!({"power": 5})),
        ("DELETE /admin/groups/{id}", Json::Null),
        ("GET /admin/settings", Json::Null),
        ("PUT /admin/settings/{setting}", json!({"value": 1})),
        ("DELETE /admin/settings/{setting}", Json::Null),
        ("GET /admin/audit", Json::Null),
        ("GET /admin/tenants", Json::Null),
        ("POST /admin/tenants", json!({"name": "-"})),
        ("GET /admin/tenants/{name}", Json::Null),
        ("GET /admin/tenants/{name}/export", Json::Null),
        ("PATCH /admin/tenants/{name}", json!({"status": "active"})),
        ("DELETE /admin/tenants/{name}", json!({"confirm": NOBODY})),
        ("GET /admin/toolkits", Json::Null),
        ("PUT /admin/toolkits/{toolkit}/associations/{group}", json!({"toolkit_group": "nobody"})),
        ("DELETE /admin/toolkits/{toolkit}/associations/{group}", Json::Null),
        // Coming in.
        ("POST /auth/login", json!({"method": "password", "username": "nobody-{n}", "password": "not the password"})),
        ("POST /auth/register", json!({"username": "-", "email": "-", "password": "-"})),
        ("POST /auth/anonymous", Json::Null),
        ("POST /auth/upgrade", json!({"username": "-", "email": "-", "password": "-"})),
        ("POST /auth/refresh", json!({"refresh_token": "inr_no"})),
        ("POST /auth/exchange/{provider}", json!({"token": "no"})),
        ("GET /auth/link", Json::Null),
        ("GET /auth/link/{provider}", Json::Null),
        ("GET /auth/link/{provider}/callback", Json::Null),
        ("POST /auth/link/{provider}/complete", json!({"code": "no", "proof": "no"})),
        ("DELETE /auth/link/{provider}", Json::Null),
        // The own session and account.
        ("GET /auth/status", Json::Null),
        ("POST /auth/logout", json!({})),
        ("POST /auth/clear-sessions", json!({"user_id": 999_999})),
        ("GET /auth/sessions", Json::Null),
        ("DELETE /auth/sessions/{id}", Json::Null),
        ("GET /auth/me", Json::Null),
        ("PATCH /auth/me", json!({"name": "Somebody"})),
        ("DELETE /auth/me", json!({"password": "not the password"})),
        ("POST /auth/password/forgot", json!({"email": "nobody-{n}@example.com"})),
        ("POST /auth/password/reset", json!({"token": "no", "password": "correct horse battery"})),
        (
            "POST /auth/password/change",
            json!({"current_password": "not the password", "password": "correct horse battery"}),
        ),
        ("POST /auth/email/verify", json!({"token": "no"})),
        ("POST /auth/email/resend", json!({"email": "nobody-{n}@example.com"})),
        ("POST /auth/email/change", json!({"email": "nobody-{n}@example.com", "password": "not the password"})),
        ("GET /auth/totp", Json::Null),
        ("POST /auth/totp/enroll", json!({"password": "not the password"})),
        ("POST /auth/totp/verify", json!({"code": "000000"})),
        ("POST /auth/totp/disable", json!({"password": "not the password", "code": "000000"})),
        ("POST /auth/totp/recovery-codes", json!({"password": "not the password", "code": "000000"})),
        // API keys and webhooks.
        ("GET /auth/keys", Json::Null),
        ("POST /auth/keys", json!({"kind": "pat", "name": "one", "scopes": ["data.read"]})),
        ("GET /auth/keys/self", Json::Null),
        ("GET /auth/keys/{id}", Json::Null),
        ("PATCH /auth/keys/{id}", json!({"name": "another"})),
        ("DELETE /auth/keys/{id}", Json::Null),
        ("POST /auth/keys/{id}/rotate", Json::Null),
        ("GET /auth/webhook-tokens", Json::Null),
        ("POST /auth/webhook-tokens", json!({"name": "one"})),
        ("DELETE /auth/webhook-tokens/{id}", Json::Null),
        // On the host for assets.
        ("GET /session", Json::Null),
        ("POST /session", Json::Null),
        ("DELETE /session", Json::Null),
        // The data API.
        ("POST /query", json!({"action": "count", "table": "notes"})),
        ("GET /permissions", Json::Null),
        ("POST /reload", json!({})),
        ("POST /preferences", json!({"action": "get", "client": "app"})),
        // Toolkits.
        ("GET /tk/app/{toolkit}/{path}", Json::Null),
        ("POST /tk/app/{toolkit}/{path}", json!({})),
        ("GET /tk/lib/{toolkit}/{path}", Json::Null),
        ("POST /tk/lib/{toolkit}/{path}", json!({})),
    ])
}

/// When a session began, was used and ends.
const MOMENTS: &[&str] = &["created_at", "renewed_at", "last_accessed", "expires_at", "refresh_until"];

/// A kind of credential: a column of the table.
enum Column {
    None,
    Malformed,
    Expired,
    LoggedOut,
    /// Of another tenant, at our host.
    Foreign,
    Suspended,
    /// An API key of an administrator without the scope: with that of inserting rows alone.
    Narrow,
    /// An API key that was revoked.
    Revoked,
    /// An API key that has ended.
    Ended,
    Group(&'static str),
}

impl Column {
    fn all() -> Vec<Self> {
        let mut all = vec![
            Self::None,
            Self::Malformed,
            Self::Expired,
            Self::LoggedOut,
            Self::Foreign,
            Self::Suspended,
            Self::Narrow,
            Self::Revoked,
            Self::Ended,
        ];
        all.extend(GROUPS.map(Self::Group));
        all
    }

    fn name(&self) -> &'static str {
        match self {
            Self::None => "no credential",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::LoggedOut => "logged out",
            Self::Foreign => "other tenant's",
            Self::Suspended => "suspended user",
            Self::Narrow => "key of another scope",
            Self::Revoked => "revoked key",
            Self::Ended => "expired key",
            Self::Group(name) => name,
        }
    }
}

struct Stage {
    world: World,
    other: std::sync::Arc<Tenant>,
    users: usize,
}

impl Stage {
    /// A caller with a credential that nobody has used yet.
    async fn caller(&mut self, column: &Column) -> Client {
        self.users += 1;
        let (world, name) = (&self.world, format!("user-{}", self.users));
        let nobody = world.at(&world.tenant);
        match column {
            Column::None => nobody,
            Column::Malformed => nobody.with_token("no.good.token"),
            Column::Group(group) => world.user(&name, group).await,
            Column::Foreign => {
                let theirs = world.user_of(&self.other, &name, "administrators").await;
                nobody.with_token(theirs.token.unwrap())
            }
            Column::Expired => {
                let caller = world.user(&name, "administrators").await;
                self.expire(&name).await;
                caller
            }
            Column::LoggedOut => {
                let caller = world.user(&name, "administrators").await;
                assert_eq!(caller.post("/auth/logout", &json!({})).await.status, 200);
                caller
            }
            Column::Suspended => {
                let caller = world.user(&name, "administrators").await;
                let open = world.open(&world.tenant).await;
                let identity = &world.server.installation().features.identity;
                let user = identity.find_user(&open, &name).await.unwrap().unwrap();
                identity.set_status(&open, user.id, identity::UserStatus::Suspended).await.unwrap();
                caller
            }
            Column::Narrow => self.key(&name).await.0,
            Column::Revoked => {
                let (caller, owner, id) = self.key(&name).await;
                assert_eq!(owner.send(Method::DELETE, &format!("/auth/keys/{id}"), &[], None).await.status, 204);
                caller
            }
            Column::Ended => {
                let (caller, _, id) = self.key(&name).await;
                self.date_back("_api_keys", "id", id, &["created_at", "expires_at"]).await;
                caller
            }
        }
    }

    /// A personal key of a new administrator that may insert rows and nothing else: who has it, the owner, its id.
    async fn key(&self, name: &str) -> (Client, Client, String) {
        let owner = self.world.user(name, "administrators").await;
        let key = json!({"kind": "pat", "name": "one", "scopes": ["data.insert"]});
        let made = owner.post("/auth/keys", &key).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let caller = owner.with_token(made.body["secret"].as_str().unwrap());
        (caller, owner, made.body["key"]["id"].as_str().unwrap().to_owned())
    }

    /// Moves all sessions of a user, which nobody has used yet, into the past.
    async fn expire(&self, username: &str) {
        let open = self.world.open(&self.world.tenant).await;
        let user =
            self.world.server.installation().features.identity.find_user(&open, username).await.unwrap().unwrap();
        self.date_back("_sessions", "user_id", user.id.to_string(), MOMENTS).await;
    }

    /// Sets moments of a row to one that is long gone.
    async fn date_back(&self, table: &'static str, key: &'static str, row: String, columns: &'static [&'static str]) {
        let open = self.world.open(&self.world.tenant).await;
        let ddl = open.system.ddl();
        let long_ago: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let context = WriteContext::system();
        let written = open.system.transaction(&context, move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table(table)).and_where(Expr::col(Alias::new(key)).eq(row.as_str()));
            for column in columns {
                update.value(Alias::new(*column), Expr::from(Value::from(long_ago)));
            }
            Box::pin(async move { transaction.execute(&update).await })
        });
        assert_eq!(written.await.unwrap(), 1);
    }
}

/// Method, path with its parameters filled, and name of each route.
fn routes(document: &Json) -> Vec<(Method, String, String)> {
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
            let filled: Vec<_> =
                path.split('/').map(|piece| if piece.starts_with('{') { NOBODY } else { piece }).collect();
            routes.push((method.clone(), filled.join("/"), format!("{method} {path}")));
        }
    }
    routes.sort_by(|a, b| (a.1.as_str(), a.0.as_str()).cmp(&(b.1.as_str(), b.0.as_str())));
    routes
}

async fn ask(caller: &Client, method: &Method, path: &str, body: &str) -> Answer {
    let body = (body != "null").then(|| body.as_bytes().to_vec());
    caller.send(method.clone(), path, &[("content-type", "application/json")], body).await
}

async fn every_route_with_every_credential(backend: Backend) {
    let world = World::configured(backend, |config| {
        config.identity.max_concurrent_sessions = 10_000.try_into().unwrap();
    })
    .await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    let other = world.another_tenant().await;
    let document = world.anonymous().get("/openapi.json").await.body;
    let mut stage = Stage { world, other, users: 0 };
    let (columns, mut bodies) = (Column::all(), bodies());
    let mut lines = Vec::new();
    for (method, path, name) in routes(&document) {
        let body = bodies.remove(name.as_str());
        let body = body.unwrap_or_else(|| panic!("{name} is new: give it a body in this file and review its answers"));
        lines.push(name.clone());
        let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
        for column in &columns {
            let mut caller = stage.caller(column).await;
            if path == "/session" {
                caller = caller.at_host(format!("assets.{}", stage.world.tenant.domain.as_deref().unwrap()));
            }
            let body = body.to_string().replace("{n}", &stage.users.to_string());
            let answer = ask(&caller, &method, &path, &body).await;
            assert!(answer.status < 500, "{name} as {}: {}", column.name(), answer.text);
            let (status, reason) = answer.refusal();
            let outcome = format!("{status} {reason}").trim_end().to_owned();
            match answers.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, who)) => who.push(column.name()),
                None => answers.push((outcome, vec![column.name()])),
            }
        }
        for (outcome, who) in answers {
            let who = if who.len() == columns.len() { "everyone".to_owned() } else { who.join(", ") };
            lines.push(format!("    {outcome:<27} {who}"));
        }
    }
    assert!(bodies.is_empty(), "routes that are gone: {bodies:?}");
    insta::assert_snapshot!("matrix", lines.join("\n"));
    stage.world.end().await;
}
