//! The weakness classes of OWASP's API Security Top 10 (2023), each with where it is tried.
//!
//! | Class | Tried in |
//! | --- | --- |
//! | API1 broken object level authorization | `tenancy/isolation`, `query/ownership`, `identity/keys`, here: other users' objects |
//! | API2 broken authentication | `identity/tokens`, `identity/refresh`, `contract/forgeries`, here: what tells users apart |
//! | API3 broken object property level authorization | `query/columns`, here: fields that are not for the caller |
//! | API4 unrestricted resource consumption | `contract/limits`, `contract/bodies`, here: large values |
//! | API5 broken function level authorization | `security/matrix`, `identity/key_scopes`, `identity/admin_users` |
//! | API6 unrestricted access to sensitive business flows | `identity/captcha`, `contract/limits` |
//! | API7 server side request forgery | `identity/links`, `crates/provider`: no address comes from a request |
//! | API8 security misconfiguration | here: headers and errors |
//! | API9 improper inventory management | `security/matrix`: every route is in the document and in the table |
//! | API10 unsafe consumption of APIs | `crates/provider`: providers that lie |

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

on_all_databases!(
    no_one_gives_himself_rights,
    nothing_tells_who_is_there,
    objects_of_other_users_do_not_exist,
    what_is_too_large_is_refused,
    errors_and_headers_give_nothing_away,
);

const PASSWORD: &str = "correct horse battery";

async fn send(client: &Client, method: Method, path: &str, body: &Json) -> Answer {
    client.send(method, path, &[("content-type", "application/json")], Some(body.to_string().into_bytes())).await
}

async fn no_one_gives_himself_rights(backend: Backend) {
    let world = World::new(backend).await;
    let nobody = world.at(&world.tenant);
    let privileged = [
        ("group", json!("administrators")),
        ("role", json!("administrators")),
        ("power", json!(100)),
        ("status", json!("active")),
        ("abilities", json!(["users.manage"])),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("number", json!(1)),
        ("id", json!(1)),
        ("tenant", json!("other")),
    ];
    for (name, value) in &privileged {
        let mut body = json!({"username": "eve", "email": "eve@example.com", "password": PASSWORD});
        body[*name] = value.clone();
        let answer = nobody.post("/auth/register", &body).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_unknown"), *name), "{}", answer.text);
    }
    let uma = world.user("uma", "users").await;
    for (name, value) in &privileged {
        let answer = send(&uma, Method::PATCH, "/auth/me", &json!({ *name: value })).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_unknown"), *name), "{}", answer.text);
        let profile = json!({"profile": { *name: value }});
        assert_eq!(send(&uma, Method::PATCH, "/auth/me", &profile).await.status, 400, "profile.{name}");
    }
    let key = |scope: &str| json!({"kind": "pat", "name": "k", "scopes": [scope]});
    for scope in ["users.manage", "tenants.manage", "explain"] {
        assert_eq!(uma.post("/auth/keys", &key(scope)).await.refusal(), (403, "ability_missing"), "{scope}");
    }
    assert_eq!(uma.post("/auth/keys", &key("everything")).await.status, 400);
    let server = json!({"kind": "sk", "name": "k", "scopes": ["data.read"], "group": "administrators"});
    assert_eq!(uma.post("/auth/keys", &server).await.refusal(), (403, "power_too_low"));
    let me = uma.get("/auth/me").await;
    assert_eq!((me.body["user"]["role"].as_str(), me.body["user"]["power"].as_i64()), (Some("users"), Some(10)));
    world.end().await;
}

async fn nothing_tells_who_is_there(backend: Backend) {
    let world = World::new(backend).await;
    let nobody = world.at(&world.tenant);
    let register = json!({"username": "uma", "email": "uma@example.com", "password": PASSWORD});
    assert_eq!(nobody.post("/auth/register", &register).await.status, 201);
    let pairs = [
        (
            "/auth/login",
            json!({"method": "password", "username": "uma", "password": "not the password"}),
            json!({"method": "password", "username": "nobody", "password": "not the password"}),
        ),
        (
            "/auth/login",
            json!({"method": "password", "email": "uma@example.com", "password": "not the password"}),
            json!({"method": "password", "email": "no@example.com", "password": "not the password"}),
        ),
        ("/auth/password/forgot", json!({"email": "uma@example.com"}), json!({"email": "no@example.com"})),
        ("/auth/email/resend", json!({"email": "uma@example.com"}), json!({"email": "no@example.com"})),
    ];
    for (path, known, unknown) in pairs {
        let (known, unknown) = (nobody.post(path, &known).await, nobody.post(path, &unknown).await);
        assert_eq!(known.whole(), unknown.whole(), "{path}");
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&known), names(&unknown), "{path}");
    }
    world.end().await;
}

async fn objects_of_other_users_do_not_exist(backend: Backend) {
    let world = World::new(backend).await;
    let (uma, eve) = (world.user("uma", "users").await, world.user("eve", "users").await);
    let key = json!({"kind": "pat", "name": "k", "scopes": ["data.read"]});
    let key = uma.post("/auth/keys", &key).await.body["key"]["id"].as_str().unwrap().to_owned();
    let session = uma.get("/auth/sessions").await.body["sessions"][0]["id"].as_str().unwrap().to_owned();
    let webhook = uma.post("/auth/webhook-tokens", &json!({"name": "w"})).await.body["id"].as_str().unwrap().to_owned();
    for (method, path) in [
        (Method::GET, format!("/auth/keys/{key}")),
        (Method::PATCH, format!("/auth/keys/{key}")),
        (Method::DELETE, format!("/auth/keys/{key}")),
        (Method::POST, format!("/auth/keys/{key}/rotate")),
        (Method::DELETE, format!("/auth/sessions/{session}")),
        (Method::DELETE, format!("/auth/webhook-tokens/{webhook}")),
    ] {
        let body = (method != Method::GET && method != Method::DELETE).then(|| b"{}".to_vec());
        let answer = eve.send(method.clone(), &path, &[("content-type", "application/json")], body).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{method} {path}: {}", answer.text);
    }
    for path in ["/admin/users", "/admin/users/1", "/admin/groups", "/admin/groups/users", "/admin/tenants"] {
        let answer = eve.get(path).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
    assert_eq!(uma.get("/auth/me").await.status, 200);
    world.end().await;
}

async fn what_is_too_large_is_refused(backend: Backend) {
    let world = World::new(backend).await;
    let (nobody, uma) = (world.at(&world.tenant), world.user("uma", "administrators").await);
    let long = "x".repeat(500_000);
    let many: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
    let register =
        |name: &str, email: &str, password: &str| json!({"username": name, "email": email, "password": password});
    for (path, body) in [
        ("/auth/register", register(&long, "a@example.com", PASSWORD)),
        ("/auth/register", register("eve", &format!("{long}@example.com"), PASSWORD)),
        ("/auth/register", register("eve", "a@example.com", &long)),
        ("/auth/login", json!({"method": "password", "username": "uma", "password": long})),
        ("/auth/login", json!({"method": "password", "username": long, "password": PASSWORD})),
        ("/auth/refresh", json!({"refresh_token": long})),
        ("/auth/password/reset", json!({"token": long, "password": PASSWORD})),
        ("/auth/email/verify", json!({"token": long})),
        ("/auth/totp/verify", json!({"ticket": long, "code": "123456"})),
        ("/auth/keys", json!({"kind": "pat", "name": long, "scopes": ["data.read"]})),
        ("/auth/keys", json!({"kind": "pat", "name": "k", "scopes": many})),
        ("/auth/keys", json!({"kind": "pat", "name": "k", "scopes": ["data.read"], "addresses": many})),
        ("/auth/webhook-tokens", json!({"name": long})),
        ("/admin/users", json!({"username": "eve", "name": long})),
        ("/admin/groups", json!({"name": "g", "power": 5, "basic_rules": many})),
    ] {
        let caller = if path.starts_with("/admin") || path.contains("keys") || path.contains("webhook") {
            &uma
        } else {
            &nobody
        };
        let answer = caller.post(path, &body).await;
        assert!((400..500).contains(&answer.status) && answer.status != 404, "{path}: {}", answer.text);
        assert!(answer.text.len() < 2_000, "{path} repeats what it was sent");
    }
    for query in ["limit=1000000000", "limit=-1", "limit=x", "sort=password", "sort=username;drop", "cursor=%00"] {
        let answer = uma.get(&format!("/admin/users?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    world.end().await;
}

async fn errors_and_headers_give_nothing_away(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "administrators").await;
    let strange =
        ["'", "\"", "1; DROP TABLE _users", "%00", "../../etc/passwd", "{{7*7}}", "\u{202e}", "$(id)", "-1", "0x10"];
    for text in strange {
        let spelled = text.bytes().fold(String::new(), |spelled, byte| format!("{spelled}%{byte:02X}"));
        for path in [
            format!("/admin/users/{spelled}"),
            format!("/admin/users?q={spelled}"),
            format!("/admin/groups/{spelled}"),
            format!("/auth/keys/{spelled}"),
            format!("/auth/link/{spelled}"),
        ] {
            let answer = uma.get(&path).await;
            assert!(answer.status < 500, "{path}: {}", answer.text);
            for leak in ["SELECT", "sqlite", "postgres", "mysql", "panicked", ".rs:", "/home", "/tmp"] {
                assert!(!answer.text.contains(leak), "{path} tells {leak}: {}", answer.text);
            }
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers["cache-control"], "no-store");
            assert!(!answer.headers.contains_key("server") && !answer.headers.contains_key("set-cookie"), "{path}");
        }
    }
    world.end().await;
}
