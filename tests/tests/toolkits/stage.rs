//! What the stories share: a tenant with toolkits, and services behind them.

use std::{net::SocketAddr, path::PathBuf};

use axum::Router;
use insula_tests::{Backend, World};
use tokio::net::TcpListener;

/// A file of the examples.
pub(crate) fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/toolkits").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes the file of a toolkit of the first tenant. It is in force before its first request, or after a reload.
pub(crate) fn toolkit(world: &World, name: &str, text: &str) {
    let folder = world.tenant.folder.join("toolkits");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

/// A world with a table of items, `toolkits/kit.toml`, and users of a few groups.
pub(crate) async fn kit(backend: Backend, text: &str) -> World {
    let world = World::new(backend).await;
    world.tables(TABLES).await;
    toolkit(&world, "kit", text);
    world
}

pub(crate) const TABLES: &str = "CREATE TABLE items (id SERIAL, name VARCHAR(40) NOT NULL UNIQUE, status VARCHAR(10), \
     price DECIMAL(10,2), extra JSON, created_by BIGINT, pinned_to BIGINT); \
     CREATE TABLE log (id SERIAL, what VARCHAR(200), who BIGINT)";

/// The head of a kit in which everybody of a power of 10 or more may call everything.
pub(crate) const OPEN: &str = "name = \"kit\"\ntables = [\"items\", \"log\"]\n\
     [db_fallback_permissions.10]\nendpoint_permissions = [\"*\"]\n";

/// A service on a free port of this machine.
pub(crate) async fn service(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}
