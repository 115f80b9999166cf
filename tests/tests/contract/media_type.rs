//! Every answer is JSON in the one envelope, whatever happened.

use insula_tests::{Answer, Backend, World, on_all_databases};
use kernel::ByteSize;
use reqwest::Method;
use serde_json::json;

on_all_databases!(
    every_status_is_json_in_the_envelope,
    what_went_well_is_json_too,
    what_the_database_says_is_not_repeated
);

/// An answer to a request that could not be carried out.
fn check(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.refusal(), (status, reason), "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json", "{status}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{status}");
    let body = &answer.body;
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(status)));
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let text = body["error"].as_str().unwrap();
    assert!(text.ends_with(&format!(" [request_id: {id}]")), "{text}");
    assert_eq!((&body["message"], &body["request_id"]), (&json!(text), &json!(id)));
}

async fn every_status_is_json_in_the_envelope(backend: Backend) {
    let world = World::configured(backend, |config| config.server.max_body_size = ByteSize(4096)).await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    let nobody = world.anonymous();
    let (user, admin) = (world.user("uma", "users").await, world.user("ada", "administrators").await);
    let json = [("content-type", "application/json")];
    check(&admin.post_text("/query", "{").await, 400, "malformed_json");
    check(&nobody.get("/permissions").await, 401, "no_token");
    check(&nobody.with_token("x").get("/permissions").await, 401, "session_invalid");
    check(&user.query(json!({"action": "count", "table": "notes"})).await, 403, "table_denied");
    check(&admin.get("/nothing/here").await, 404, "route_not_found");
    for (method, path, allowed) in [
        (Method::GET, "/query", "POST"),
        (Method::DELETE, "/permissions", "GET,HEAD"),
        (Method::PUT, "/", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/auth/login", "POST"),
    ] {
        let answer = admin.send(method, path, &json, None).await;
        check(&answer, 405, "method_not_allowed");
        assert_eq!(answer.headers["allow"], allowed, "{path}");
    }
    let body = json!({"username": "uma", "email": "x@example.com", "password": "correct horse battery"});
    check(&nobody.post("/auth/register", &body).await, 409, "username_taken");
    check(&admin.post("/query", &json!({"action": "x".repeat(5000)})).await, 413, "body_too_large");
    check(&nobody.at_host("api.nobody.test").get("/").await, 421, "host_unknown");
    let unfit = json!({"username": "otto", "email": "x@example.com", "password": "short"});
    check(&nobody.post("/auth/register", &unfit).await, 422, "password_unfit");
    let long = "x".repeat(20 << 10);
    check(&admin.send(Method::GET, "/", &[("x-long", &long)], None).await, 431, "headers_too_large");
    world.rules("[[rules]]\ntable = \"nothing\"\n");
    check(&admin.post("/reload", &json!({})).await, 500, "reload_failed");
    world.end().await;
}

async fn what_went_well_is_json_too(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    for path in ["/", "/health", "/permissions", "/auth/status", "/openapi.json"] {
        for spelled in [path.to_owned(), format!("{path}/")] {
            let answer = admin.get(&spelled).await;
            assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
            assert!(path == "/openapi.json" || answer.body["success"] == true, "{}", answer.text);
            let head = admin.send(Method::HEAD, &spelled, &[], None).await;
            assert_eq!((head.status, head.text.as_str()), (200, ""), "HEAD {spelled}");
            assert_eq!(head.headers["content-type"], "application/json");
        }
    }
    let home = world.anonymous().get("/").await;
    assert_eq!((&home.body["spec"], &home.body["spec_version"]), (&json!("JsonDerulo"), &json!("2.0")));
    let health = world.anonymous().get("/health").await;
    assert_eq!((&health.body["status"], &health.body["database"]), (&json!("ok"), &json!("connected")));
    world.end().await;
}

/// A table is dropped under a running server.
/// A trigger of SQLite says what nobody shall hear.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_says_is_not_repeated() {
    let world = World::new(Backend::Sqlite).await;
    world.tables("CREATE TABLE notes (id SERIAL, note TEXT)").await;
    let admin = world.user("ada", "administrators").await;
    let count = json!({"action": "count", "table": "notes"});
    assert_eq!(admin.query(count.clone()).await.data(), 0);
    let file = world.tenant.folder.join("insula.db");
    let outside = rusqlite::Connection::open(&file).unwrap();
    outside.execute_batch("DROP TABLE notes").unwrap();
    let answer = admin.query(count).await;
    assert!([400, 500].contains(&answer.status), "{}", answer.text);
    check(&answer, answer.status, answer.refusal().1);
    let told = answer.text.to_ascii_lowercase();
    for secret in ["select", "sqlite", "no such table", ".rs", "/tmp"] {
        assert!(!told.contains(secret), "{}", answer.text);
    }
    world.end().await;
}
