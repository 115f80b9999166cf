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
        ("GET /docs", Json::Null),
        ("GET /health", Json::Null),
        ("POST /api/insula/init", json!({"domain": "example.org"})),
        ("POST /api/walnut@daplie.com/init", json!({"domain": "example.org"})),
        ("POST /auth/clear-sessions", json!({"user_id": 999_999})),
        ("POST /auth/login", json!({"method": "password", "username": "nobody-{n}", "password": "not the password"})),
        ("POST /auth/logout", json!({})),
        ("POST /auth/register", json!({"username": "-", "email": "-", "password": "-"})),
        ("GET /auth/status", Json::Null),
        ("POST /query", json!({"action": "count", "table": "notes"})),
        ("GET /permissions", Json::Null),
        ("POST /reload", json!({})),
    ])
}

/// A kind of credential: a column of the table.
enum Column {
    None,
    Malformed,
    Expired,
    LoggedOut,
    /// Of another tenant, at our host.
    Foreign,
    Suspended,
    Group(&'static str),
}

impl Column {
    fn all() -> Vec<Self> {
        let mut all = vec![Self::None, Self::Malformed, Self::Expired, Self::LoggedOut, Self::Foreign, Self::Suspended];
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
        }
    }

    /// Moves all sessions of a user, which nobody has used yet, into the past.
    async fn expire(&self, username: &str) {
        let open = self.world.open(&self.world.tenant).await;
        let user =
            self.world.server.installation().features.identity.find_user(&open, username).await.unwrap().unwrap();
        let ddl = open.system.ddl();
        let long_ago: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let context = WriteContext::system();
        let written = open.system.transaction(&context, move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table("_sessions")).and_where(Expr::col(Alias::new("user_id")).eq(user.id.to_string()));
            for column in ["created_at", "last_accessed", "expires_at"] {
                update.value(Alias::new(column), Expr::from(Value::from(long_ago)));
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
            let caller = stage.caller(column).await;
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
