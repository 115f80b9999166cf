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
    let (world, second, data) = nodes(&postgres).await;
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
