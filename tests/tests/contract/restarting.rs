//! Sessions outlive the process that made them.

use insula::{Options, Server};
use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::json;

on_all_databases!(a_restart_ends_no_session);

async fn a_restart_ends_no_session(backend: Backend) {
    let world = World::new(backend).await;
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let before = uma.get("/auth/status").await;
    assert_eq!(otto.post("/auth/logout", &json!({})).await.status, 200);
    let World { server, tenant, data, .. } = world;
    let config = server.installation().config.clone();
    server.stop().await.unwrap();

    let server = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let at = Client::of(server.url()).at_host(format!("api.{}", tenant.domain.as_deref().unwrap()));
    let uma = at.with_token(uma.token.unwrap());
    let after = uma.get("/auth/status").await;
    assert_eq!((after.status, &after.body["user"]), (200, &before.body["user"]), "{}", after.text);
    assert_eq!(after.body["session"]["created_at"], before.body["session"]["created_at"]);
    assert_eq!(at.with_token(otto.token.unwrap()).get("/permissions").await.refusal(), (401, "session_invalid"));
    // New tokens and old ones are good side by side.
    let again = at.log_in("otto", "correct horse battery").await;
    assert_eq!((again.get("/permissions").await.status, uma.get("/permissions").await.status), (200, 200));
    let tenants = std::sync::Arc::clone(&server.installation().tenants);
    server.stop().await.unwrap();
    let record = tenants.by_name(&tenant.name).await.unwrap();
    tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    drop(data);
}
