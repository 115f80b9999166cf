//! Two servers on one PostgreSQL: what ends on one ends on the other within five seconds.

use std::time::{Duration, Instant};

use insula::{Config, Options, Server};
use insula_tests::{Backend, Client, OwnPostgres, World, until};
use kernel::{Secret, TenantStatus, seal::SealingKey};
use serde_json::json;

const BITES: Duration = Duration::from_secs(5);

/// A world whose list of tenants is on PostgreSQL too, and a second server on the same.
async fn nodes(postgres: &OwnPostgres) -> (World, Server, tempfile::TempDir) {
    let (key, url) = (Secret::new(SealingKey::generate().to_text()), Secret::new(&postgres.url));
    let shared = move |config: &mut Config| {
        (config.store.control, config.store.database) = (url.clone(), url);
        config.master_key = Some(key);
    };
    let world = World::configured(Backend::Postgres, shared).await;
    let data = tempfile::tempdir().unwrap();
    let config = Config { data: data.path().to_owned(), ..world.server.installation().config.clone() };
    let second = Server::start(Options { config, ..Options::default() }).await.unwrap();
    (world, second, data)
}

/// The same caller at another server.
fn at(server: &Server, world: &World, client: &Client) -> Client {
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    Client::of(server.url()).at_host(host).with_token(client.token.clone().unwrap())
}

/// Waits until a caller is refused, and says how long that took.
async fn bites(caller: &Client, refusal: (u16, &str)) {
    let begun = Instant::now();
    until("it bites on the other node", BITES, async || caller.get("/permissions").await.refusal() == refusal).await;
    println!("{refusal:?} on the other node after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_on_one_node_ends_on_the_other() {
    let postgres = OwnPostgres::new().await;
    let (world, second, data) = Box::pin(nodes(&postgres)).await;
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let admin = world.user("ada", "administrators").await;
    let [uma2, otto2, admin2] = [&uma, &otto, &admin].map(|client| at(&second, &world, client));
    // A session of one node is good on the other at once.
    for caller in [&uma2, &otto2, &admin2] {
        assert_eq!(caller.get("/permissions").await.status, 200);
    }
    // Logged out here, cleared there, suspended as a user here: each bites where it happened at once.
    assert_eq!(uma.post("/auth/logout", &json!({})).await.status, 200);
    assert_eq!(uma.get("/permissions").await.status, 401);
    assert_eq!(admin2.post("/auth/clear-sessions", &json!({"user_id": 2})).await.body["sessions_cleared"], 1);
    assert_eq!(otto2.get("/permissions").await.status, 401);
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let ada = identity.find_user(&open, "ada").await.unwrap().unwrap();
    identity.set_status(&open, ada.id, identity::UserStatus::Suspended).await.unwrap();
    assert_eq!(admin.get("/permissions").await.status, 401);
    let ended = (401, "session_invalid");
    tokio::join!(bites(&uma2, ended), bites(&otto, ended), bites(&admin2, ended));
    // A tenant that is suspended.
    let otto = world.at(&world.tenant).log_in("otto", "correct horse battery").await;
    let otto2 = at(&second, &world, &otto);
    assert_eq!(otto2.get("/permissions").await.status, 200);
    world.server.installation().tenants.set_status(&world.tenant, TenantStatus::Suspended).await.unwrap();
    assert_eq!(otto.get("/permissions").await.refusal(), (403, "tenant_suspended"));
    bites(&otto2, (403, "tenant_suspended")).await;
    second.stop().await.unwrap();
    drop(data);
    world.end().await;
    postgres.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_renewed_on_either_node() {
    let postgres = OwnPostgres::new().await;
    let (world, second, data) = Box::pin(nodes(&postgres)).await;
    world.user("uma", "users").await;
    let here = world.at(&world.tenant);
    let there = Client::of(second.url()).at_host(format!("api.{}", world.tenant.domain.as_deref().unwrap()));
    let login = json!({"method": "password", "username": "uma", "password": "correct horse battery"});
    let first = here.post("/auth/login", &login).await.body;
    let token = |pair: &serde_json::Value, name: &str| pair[name].as_str().unwrap().to_owned();
    let refresh = |pair: &serde_json::Value| json!({"refresh_token": pair["refresh_token"]});
    let status = async |node: &Client, pair: &serde_json::Value| {
        node.with_token(token(pair, "token")).get("/permissions").await.status
    };
    assert_eq!((status(&here, &first).await, status(&there, &first).await), (200, 200));
    // Renewed there: the new token is good here at once, though this node believes what it has read before.
    let renewed = there.post("/auth/refresh", &refresh(&first)).await.body;
    assert_eq!((status(&here, &renewed).await, status(&there, &renewed).await), (200, 200));
    // Both at once: one renewal, and both get it.
    let body = refresh(&renewed);
    let (one, two) = tokio::join!(here.post("/auth/refresh", &body), there.post("/auth/refresh", &body));
    assert_eq!((one.status, two.status), (200, 200), "{} {}", one.text, two.text);
    assert_eq!(one.body["refresh_token"], two.body["refresh_token"]);
    for pair in [&one.body, &two.body] {
        assert_eq!((status(&here, pair).await, status(&there, pair).await), (200, 200));
    }
    // Used a second time here, which ends it, there within five seconds.
    let last = here.with_token(token(&one.body, "token"));
    assert_eq!(here.post("/auth/refresh", &refresh(&first)).await.refusal(), (401, "refresh_invalid"));
    assert_eq!(last.get("/permissions").await.status, 401);
    bites(&there.with_token(token(&one.body, "token")), (401, "session_invalid")).await;
    assert_eq!(there.post("/auth/refresh", &refresh(&one.body)).await.refusal(), (401, "refresh_invalid"));
    second.stop().await.unwrap();
    drop(data);
    world.end().await;
    postgres.end().await;
}
