//! Solid walls: no tenant sees, reaches or disturbs another.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod beginning;
mod isolation;
mod racing;
mod reaching;
mod standing;
mod thousand;

use std::sync::Arc;

use insula_tests::{Backend, Client, World};
use kernel::Tenant;
use serde_json::json;

/// Two tenants on one server with tables of the same name, and an administrator `ada` in each.
struct Neighbours {
    world: World,
    /// The second tenant; the first is that of the world.
    other: Arc<Tenant>,
    /// The first tenant's administrator.
    ours: Client,
    /// The second tenant's administrator.
    theirs: Client,
}

/// What only the first tenant may see, and what only the second.
const OUR_SECRET: &str = "the-secret-of-the-first";
const THEIR_SECRET: &str = "the-secret-of-the-second";

impl Neighbours {
    async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let other = world.another_tenant().await;
        let tables = "CREATE TABLE secrets (id SERIAL, secret VARCHAR(40), pinned_to BIGINT)";
        world.tables(tables).await;
        world.tables_of(&other, tables).await;
        world.tables_of(&other, "CREATE TABLE only_theirs (id SERIAL, secret VARCHAR(40))").await;
        let ours = world.user("ada", "administrators").await;
        let theirs = world.user_of(&other, "ada", "administrators").await;
        for (client, table, secret) in
            [(&ours, "secrets", OUR_SECRET), (&theirs, "secrets", THEIR_SECRET), (&theirs, "only_theirs", THEIR_SECRET)]
        {
            client.query(json!({"action": "insert", "table": table, "data": {"secret": secret}})).await.data();
        }
        Self { world, other, ours, theirs }
    }
}
