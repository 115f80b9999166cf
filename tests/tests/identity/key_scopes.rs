//! Every route with every scope alone: each scope opens its routes and no others.
//!
//! A route of the OpenAPI document that is not in the table fails the test: whoever adds one says here what opens it.

use std::collections::HashMap;

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use kernel::ability;
use reqwest::Method;
use serde_json::{Value as Json, json};

on_all_databases!(each_scope_opens_only_its_routes);

/// What opens a route to an API key.
#[derive(Debug, Clone, Copy)]
enum Opens {
    /// Nothing: it answers without a credential.
    Everybody,
    /// Nothing: it is on another host than keys may come to.
    OtherHost,
    /// Every key there is.
    AnyKey,
    /// No key: it is for people who have logged in.
    Session,
    /// A key with one of these scopes.
    Scopes(&'static [&'static str]),
}

use Opens::{AnyKey, Everybody, OtherHost, Scopes, Session};

type Row = (&'static str, &'static str, &'static str, &'static str, Opens);

/// An object that does not exist.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// Method and path as in the document, what the path's parameters become, the body, and what opens it.
const ROUTES: &[Row] = &[
    ("get", "/", "", "", Everybody),
    ("get", "/health", "", "", Everybody),
    ("get", "/docs", "", "", Everybody),
    ("post", "/api/insula/init", "", r#"{"domain":"example.com"}"#, Everybody),
    ("post", "/api/walnut@daplie.com/init", "", r#"{"domain":"example.com"}"#, Everybody),
    ("post", "/auth/login", "", r#"{"method":"password","username":"ada","password":"x"}"#, Everybody),
    ("post", "/auth/register", "", r#"{"username":"x"}"#, Everybody),
    ("post", "/auth/refresh", "", r#"{"refresh_token":"x"}"#, Everybody),
    ("post", "/auth/anonymous", "", "", Everybody),
    ("post", "/auth/exchange/{provider}", "nobody", r#"{"token":"x"}"#, Everybody),
    ("get", "/auth/link/{provider}/callback", "nobody", "", Everybody),
    ("post", "/auth/link/{provider}/complete", "nobody", r#"{"code":"x","proof":"x"}"#, Everybody),
    ("post", "/auth/email/verify", "", r#"{"token":"x"}"#, Everybody),
    ("post", "/auth/password/forgot", "", r#"{"email":"nobody@example.com"}"#, Everybody),
    ("post", "/auth/password/reset", "", r#"{"token":"x","password":"correct horse battery"}"#, Everybody),
    ("get", "/.well-known/jwks.json", "", "", Everybody),
    ("get", "/session", "", "", OtherHost),
    ("post", "/session", "", "", OtherHost),
    ("delete", "/session", "", "", OtherHost),
    ("get", "/auth/status", "", "", Session),
    ("post", "/auth/logout", "", "{}", Session),
    ("post", "/auth/clear-sessions", "", r#"{"user_id":7}"#, Session),
    ("post", "/auth/upgrade", "", r#"{"username":"-","email":"-","password":"-"}"#, Session),
    ("get", "/auth/sessions", "", "", Scopes(&["account.read"])),
    ("delete", "/auth/sessions/{id}", NOBODY, "", Session),
    ("get", "/auth/me", "", "", Scopes(&["account.read"])),
    ("patch", "/auth/me", "", r#"{"name":"Ada"}"#, Scopes(&["account.write"])),
    ("delete", "/auth/me", "", r#"{"password":"x"}"#, Session),
    ("post", "/auth/password/change", "", r#"{"current_password":"x","password":"correct horse battery"}"#, Session),
    ("post", "/auth/email/change", "", r#"{"email":"a@example.com","password":"x"}"#, Session),
    ("post", "/auth/email/resend", "", r#"{"email":"nobody@example.com"}"#, Everybody),
    ("get", "/auth/totp", "", "", Scopes(&["account.read"])),
    ("post", "/auth/totp/enroll", "", r#"{"password":"x"}"#, Session),
    ("post", "/auth/totp/verify", "", r#"{"code":"000000"}"#, Session),
    ("post", "/auth/totp/disable", "", r#"{"password":"x","code":"000000"}"#, Session),
    ("post", "/auth/totp/recovery-codes", "", r#"{"password":"x","code":"000000"}"#, Session),
    ("get", "/auth/link", "", "", Scopes(&["account.read"])),
    ("get", "/auth/link/{provider}", "nobody", "", Everybody),
    ("delete", "/auth/link/{provider}", "nobody", "", Session),
    ("get", "/auth/webhook-tokens", "", "", Session),
    ("post", "/auth/webhook-tokens", "", r#"{"name":"x"}"#, Session),
    ("delete", "/auth/webhook-tokens/{id}", NOBODY, "", Session),
    ("get", "/admin/users", "", "", Scopes(&["users.read"])),
    ("post", "/admin/users", "", r#"{"username":"-"}"#, Scopes(&["users.manage"])),
    ("get", "/admin/users/{id}", NOBODY, "", Scopes(&["users.read"])),
    ("patch", "/admin/users/{id}", NOBODY, r#"{"name":"x"}"#, Scopes(&["users.manage"])),
    ("delete", "/admin/users/{id}", NOBODY, "", Scopes(&["users.manage"])),
    ("get", "/admin/groups", "", "", Scopes(&["groups.read"])),
    ("post", "/admin/groups", "", r#"{"name":"-","power":5}"#, Scopes(&["groups.manage"])),
    ("get", "/admin/groups/{id}", "nothing", "", Scopes(&["groups.read"])),
    ("patch", "/admin/groups/{id}", "nothing", r#"{"power":5}"#, Scopes(&["groups.manage"])),
    ("delete", "/admin/groups/{id}", "nothing", "", Scopes(&["groups.manage"])),
    ("get", "/admin/settings", "", "", Scopes(&["settings.manage"])),
    ("put", "/admin/settings/{setting}", "nothing", r#"{"value":1}"#, Scopes(&["settings.manage"])),
    ("delete", "/admin/settings/{setting}", "nothing", "", Scopes(&["settings.manage"])),
    ("get", "/admin/audit", "", "", Scopes(&["audit.read"])),
    ("post", "/preferences", "", r#"{"action":"get","client":"app"}"#, Scopes(&["account.read"])),
    ("post", "/preferences", "", r#"{"action":"set","client":"app","data":{}}"#, Scopes(&["account.write"])),
    ("post", "/preferences", "", r#"{"action":"reset","client":"app"}"#, Scopes(&["account.write"])),
    ("get", "/admin/tenants", "", "", Scopes(&["tenants.manage"])),
    ("post", "/admin/tenants", "", r#"{"name":"-"}"#, Scopes(&["tenants.manage"])),
    ("get", "/admin/tenants/{name}", "nothing", "", Scopes(&["tenants.manage"])),
    ("get", "/admin/tenants/{name}/export", "nothing", "", Scopes(&["tenants.manage"])),
    ("patch", "/admin/tenants/{name}", "nothing", r#"{"status":"active"}"#, Scopes(&["tenants.manage"])),
    ("delete", "/admin/tenants/{name}", "nothing", r#"{"confirm":"x"}"#, Scopes(&["tenants.manage"])),
    ("get", "/auth/keys", "", "", Scopes(&["keys.manage"])),
    ("get", "/auth/keys", "?all=true", "", Scopes(&["keys.admin"])),
    ("post", "/auth/keys", "", r#"{"kind":"pat","name":"k","scopes":["keys.manage"]}"#, Scopes(&["keys.manage"])),
    ("get", "/auth/keys/self", "", "", AnyKey),
    ("get", "/auth/keys/{id}", "nothing", "", Scopes(&["keys.manage", "keys.admin"])),
    ("patch", "/auth/keys/{id}", "nothing", "{}", Scopes(&["keys.manage"])),
    ("delete", "/auth/keys/{id}", "nothing", "", Scopes(&["keys.manage", "keys.admin"])),
    ("post", "/auth/keys/{id}/rotate", "nothing", "{}", Scopes(&["keys.manage"])),
    ("post", "/query", "", r#"{"action":"select","table":"notes"}"#, Scopes(&["data.read"])),
    ("post", "/query", "", r#"{"action":"count","table":"notes"}"#, Scopes(&["data.read"])),
    ("post", "/query", "", r#"{"action":"insert","table":"notes","data":{"text":"n"}}"#, Scopes(&["data.insert"])),
    (
        "post",
        "/query",
        "",
        r#"{"action":"update","table":"notes","data":{"text":"n"},"where":{"id":1}}"#,
        Scopes(&["data.update"]),
    ),
    ("post", "/query", "", r#"{"action":"delete","table":"notes","where":{"id":1}}"#, Scopes(&["data.delete"])),
    ("get", "/permissions", "", "", Scopes(&["data.read"])),
    ("post", "/reload", "", "{}", Scopes(&["reload"])),
    ("get", "/admin/toolkits", "", "", Scopes(&["groups.read"])),
    (
        "put",
        "/admin/toolkits/{toolkit}/associations/{group}",
        "nothing",
        r#"{"toolkit_group":"x"}"#,
        Scopes(&["groups.manage"]),
    ),
    ("delete", "/admin/toolkits/{toolkit}/associations/{group}", "nothing", "", Scopes(&["groups.manage"])),
    ("get", "/tk/app/{toolkit}/{path}", "nothing", "", Scopes(&["toolkits.call"])),
    ("post", "/tk/app/{toolkit}/{path}", "nothing", "{}", Scopes(&["toolkits.call"])),
    ("get", "/tk/lib/{toolkit}/{path}", "nothing", "", Scopes(&["toolkits.call"])),
    ("post", "/tk/lib/{toolkit}/{path}", "nothing", "{}", Scopes(&["toolkits.call"])),
];

async fn each_scope_opens_only_its_routes(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE notes (id SERIAL, text VARCHAR(40))").await;
    let ada = world.user("ada", "administrators").await;
    let mut keys = HashMap::new();
    for ability in ability::ALL {
        let body = json!({"kind": "pat", "name": ability.name, "scopes": [ability.name]});
        let made = ada.post("/auth/keys", &body).await;
        keys.insert(ability.name, ada.with_token(made.body["secret"].as_str().unwrap()));
    }
    let document = ada.get("/openapi.json").await.body;
    let (mut unknown, mut mistakes) = (Vec::new(), Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            // On another host, where no key comes in.
            if operation["servers"] != Json::Null {
                continue;
            }
            let rows: Vec<_> = ROUTES.iter().filter(|row| row.0 == method && row.1 == path).collect();
            if rows.is_empty() {
                unknown.push(format!("{method} {path}"));
            }
            let open = operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one == &json!({})));
            for row in rows {
                assert!(!matches!(row.4, Everybody) || open, "{method} {path}: the document says otherwise");
                mistakes.extend(check(row, &keys).await);
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new(), "say in ROUTES what opens these routes to an API key");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    world.end().await;
}

/// Asks a route with each key; tells what was answered otherwise than the table has it.
async fn check(row: &Row, keys: &HashMap<&'static str, Client>) -> Vec<String> {
    let (method, path, filled, body, opens) = *row;
    let path = match path.split_once('{') {
        Some((before, after)) => format!("{before}{filled}{}", after.split_once('}').unwrap().1),
        None => format!("{path}{filled}"),
    };
    let mut mistakes = Vec::new();
    for (scope, client) in keys {
        let answer = ask(client, method, &path, body).await;
        if !is_as_told(&answer, scope, opens) {
            mistakes.push(format!("{method} {path} {body} with {scope}, {opens:?}: {}", answer.text));
        }
    }
    mistakes
}

fn is_as_told(answer: &Answer, scope: &str, opens: Opens) -> bool {
    let (status, reason) = answer.refusal();
    match opens {
        Everybody => status < 500 && !matches!(reason, "scope_missing" | "session_required"),
        OtherHost => reason == "route_not_found",
        Session => reason == "session_required",
        Scopes(scopes) if !scopes.contains(&scope) => {
            let text = answer.body["error"].as_str().unwrap_or_default();
            reason == "scope_missing" && scopes.iter().any(|scope| text.contains(scope))
        }
        AnyKey | Scopes(_) => status < 500 && status != 401 && status != 403,
    }
}

async fn ask(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    let body = (!body.is_empty()).then(|| body.as_bytes().to_vec());
    client.send(method, path, &[("content-type", "application/json")], body).await
}

/// The table has no row for a route that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_no_row_too_many() {
    let world = World::new(Backend::Sqlite).await;
    let document = world.anonymous().get("/openapi.json").await.body;
    let gone: Vec<_> = ROUTES.iter().filter(|row| document["paths"][row.1][row.0] == Json::Null).collect();
    assert!(gone.is_empty(), "{gone:?}");
    world.end().await;
}
