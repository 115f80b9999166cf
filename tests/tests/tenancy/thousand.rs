//! A thousand tenants in one process, of which a hundred may be open.

use std::{
    collections::HashSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use identity::NewUser;
use insula::{Options, Server};
use insula_tests::{Backend, Client, World, until};
use kernel::{Secret, Tenant};
use serde_json::json;
use tokio::task::JoinSet;

const TENANTS: usize = 1_000;
const OPEN: u64 = 100;
/// Tenants that are worked on at once.
const AT_ONCE: usize = 16;
const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tenants_answer_with_their_own_data() {
    let world = World::configured(Backend::Sqlite, |config| {
        config.store.max_open = OPEN;
        config.identity.password_memory = kernel::ByteSize(64 << 10);
    })
    .await;
    let world = Arc::new(world);
    let (mut tenants, begun) = (vec![Arc::clone(&world.tenant)], Instant::now());
    while tenants.len() < TENANTS {
        tenants.push(world.another_tenant().await);
    }
    println!("a tenant was made in {:?}", begun.elapsed() / (TENANTS as u32 - 1));
    let begun = Instant::now();
    each(&tenants, {
        let world = Arc::clone(&world);
        move |tenant| furnish(Arc::clone(&world), tenant)
    })
    .await;
    println!("a tenant got a table, a user and a row in {:?}", begun.elapsed() / TENANTS as u32);
    let begun = Instant::now();
    let url = world.server.url().to_owned();
    each(&tenants, move |tenant| own_data(Client::of(&url), tenant)).await;
    println!("a closed tenant opened, logged a user in and answered in {:?}", begun.elapsed() / TENANTS as u32);
    let store = Arc::clone(&world.server.installation().tenants);
    // What is closed lets go of its files a little later, while others are used.
    until("idle tenants are closed", Duration::from_secs(20), async || {
        store.open(&tenants[0]).await.unwrap();
        store.open_count() <= OPEN && open_files(world.data.path()) < 2 * OPEN as usize
    })
    .await;

    let config = world.server.installation().config.clone();
    let Ok(World { server, data, .. }) = Arc::try_unwrap(world) else { panic!("somebody still uses the world") };
    let begun = Instant::now();
    server.stop().await.unwrap();
    println!("it stopped in {:?}", begun.elapsed());
    drop(store);
    let begun = Instant::now();
    let server = Server::start(Options { config, ..Options::default() }).await.unwrap();
    println!("a server with {TENANTS} tenants started in {:?}", begun.elapsed());
    let store = Arc::clone(&server.installation().tenants);
    assert_eq!(store.open_count(), 0, "starting has opened tenants");
    own_data(Client::of(server.url()), Arc::clone(&tenants[TENANTS / 2])).await;
    server.stop().await.unwrap();
    drop(data);
}

/// Does something with every tenant, a few at a time.
async fn each<F: Future<Output = ()> + Send + 'static>(tenants: &[Arc<Tenant>], work: impl Fn(Arc<Tenant>) -> F) {
    let mut running = JoinSet::new();
    for tenant in tenants {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(work(Arc::clone(tenant)));
    }
    running.join_all().await;
}

/// A table, a user, and a row that names the tenant.
async fn furnish(world: Arc<World>, tenant: Arc<Tenant>) {
    let name = &tenant.name;
    let table = format!("CREATE TABLE site (name TEXT NOT NULL); INSERT INTO site VALUES ('{name}')");
    world.tables_of(&tenant, &table).await;
    let new = NewUser {
        username: "ada".into(),
        password: Some(Secret::new(PASSWORD)),
        group: Some("administrators".into()),
        ..NewUser::default()
    };
    let open = world.open(&tenant).await;
    world.server.installation().features.identity.create_user(&open, new).await.unwrap();
}

async fn own_data(client: Client, tenant: Arc<Tenant>) {
    let caller = client.at_host(format!("api.{}", tenant.domain.as_deref().unwrap())).log_in("ada", PASSWORD).await;
    let answer = caller.query(json!({"action": "select", "table": "site"})).await;
    assert_eq!(answer.data(), &json!([{"name": tenant.name}]));
}

/// Tenants of which this process has a file open; none where the system does not tell.
fn open_files(data: &Path) -> usize {
    let tenants = data.join("tenants");
    let Ok(files) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let of_tenant = targets.filter_map(|file| Some(file.strip_prefix(&tenants).ok()?.iter().next()?.to_owned()));
    of_tenant.collect::<HashSet<_>>().len()
}
