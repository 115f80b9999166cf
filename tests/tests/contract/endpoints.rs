//! The endpoint table, with no token, a bad one and a good one.

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

on_all_databases!(only_the_open_ones_answer_without_a_token, a_token_comes_in_one_header_alone);

/// Method, path, a body that is good, and whether it answers without a token.
fn table() -> [(Method, &'static str, Json, bool); 15] {
    let login = json!({"method": "password", "username": "ada", "password": "correct horse battery"});
    [
        (Method::GET, "/", Json::Null, true),
        (Method::GET, "/health", Json::Null, true),
        (Method::POST, "/auth/login", login, true),
        (Method::GET, "/auth/status", Json::Null, false),
        (Method::POST, "/auth/clear-sessions", json!({"user_id": 99}), false),
        (Method::POST, "/query", json!({"action": "count", "table": "notes"}), false),
        (Method::GET, "/permissions", Json::Null, false),
        (Method::POST, "/preferences", json!({"action": "get", "client": "app"}), false),
        (Method::GET, "/tk/app/desk/notes", Json::Null, false),
        (Method::POST, "/tk/app/desk/notes", json!({}), false),
        (Method::GET, "/tk/lib/shelf/notes", Json::Null, false),
        (Method::POST, "/tk/lib/shelf/notes", json!({}), false),
        (Method::POST, "/reload", json!({}), false),
        (Method::POST, "/reload", Json::Null, false),
        (Method::POST, "/auth/logout", json!({}), false),
    ]
}

fn toolkit(name: &str, kind: &str) -> String {
    format!(
        r#"name = "{name}"
type = "{kind}"
tables = ["notes"]

[endpoints.0]
path = "notes"
methods = ["GET", "POST"]
type = "internal"
pseudo_querys = ["notes"]

[pseudo_querys.notes]
action = "select"
table = "notes"

[db_fallback_permissions.100]
basic_rules = ["notes:r"]
endpoint_permissions = ["*"]
"#
    )
}

async fn ask(client: &Client, method: &Method, path: &str, body: &Json) -> Answer {
    let body = (!body.is_null()).then(|| body.to_string().into_bytes());
    client.send(method.clone(), path, &[("content-type", "application/json")], body).await
}

async fn only_the_open_ones_answer_without_a_token(backend: Backend) {
    let world = World::new(backend).await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    for (name, kind) in [("desk", "application"), ("shelf", "library")] {
        let folder = world.tenant.folder.join("toolkits");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.toml")), toolkit(name, kind)).unwrap();
    }
    let good = world.user("ada", "administrators").await;
    let nobody = world.anonymous();
    for (method, path, body, open) in table() {
        let none = ask(&nobody, &method, path, &body).await;
        let bad = ask(&nobody.with_token("no.good.token"), &method, path, &body).await;
        let fine = ask(&good, &method, path, &body).await;
        assert_eq!((fine.status, &fine.body["success"]), (200, &json!(true)), "{path}: {}", fine.text);
        let expected = if open { 200 } else { 401 };
        assert_eq!((none.status, bad.status), (expected, expected), "{path}");
        if !open && path != "/auth/status" {
            assert_eq!((none.refusal().1, bad.refusal().1), ("no_token", "session_invalid"), "{path}");
            assert!(none.body["error"].as_str().unwrap().starts_with("No authorization token provided [request_id: "));
            assert!(bad.body["error"].as_str().unwrap().starts_with("Session expired or invalid [request_id: "));
            assert_eq!(none.headers["www-authenticate"], "Bearer");
        }
    }
    // Paths that do not exist are no secret from those who may come in, and from nobody else.
    assert_eq!(nobody.get("/tk/app/x/y").await.refusal(), (401, "no_token"));
    assert_eq!(world.user("uma", "users").await.get("/tk/app/x/y").await.refusal(), (404, "toolkit_unknown"));
    world.end().await;
}

async fn a_token_comes_in_one_header_alone(backend: Backend) {
    let world = World::new(backend).await;
    let token = world.user("ada", "administrators").await.token.unwrap();
    let nobody = world.at(&world.tenant);
    for spelled in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER  {token}")] {
        let answer = nobody.send(Method::GET, "/permissions", &[("authorization", &spelled)], None).await;
        assert_eq!(answer.status, 200, "{spelled}");
    }
    assert_eq!(nobody.send(Method::GET, "/permissions", &[("runnable-token", &token)], None).await.status, 200);
    for header in
        [("cookie", format!("token={token}")), ("x-token", token.clone()), ("authorization", format!("Basic {token}"))]
    {
        let answer = nobody.send(Method::GET, "/permissions", &[(header.0, &header.1)], None).await;
        assert_eq!(answer.refusal(), (401, "no_token"), "{}", header.0);
    }
    for query in ["token", "access_token", "authorization"] {
        assert_eq!(nobody.get(&format!("/permissions?{query}={token}")).await.refusal(), (401, "no_token"), "{query}");
    }
    let both = [("authorization", format!("Bearer {token}")), ("authorization", format!("Bearer {token}"))];
    let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(nobody.send(Method::GET, "/permissions", &both, None).await.refusal(), (401, "session_invalid"));
    world.end().await;
}
