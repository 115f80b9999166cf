//! What the stories of this suite share.

use insula_tests::{Backend, Client, World};
use kernel::{Tenant, columns::SystemColumn};
use serde_json::json;

/// A server that adds system columns.
pub(crate) async fn world(backend: Backend) -> World {
    World::configured(backend, |config| config.system_columns.enabled = true).await
}

/// A name as the database quotes it.
pub(crate) fn quoted(backend: Backend, name: &str) -> String {
    if backend == Backend::Mariadb { format!("`{name}`") } else { format!("\"{name}\"") }
}

/// The system columns that a table has.
pub(crate) async fn columns(world: &World, tenant: &Tenant, table: &str) -> Vec<&'static str> {
    let open = world.open(tenant).await;
    open.data.refresh_schema().await.unwrap();
    let schema = open.data.schema();
    let table = schema.table(table).unwrap_or_else(|| panic!("there is no table {table}"));
    SystemColumn::ALL.iter().map(|column| column.name()).filter(|name| table.column(name).is_some()).collect()
}

pub(crate) const ALL: [&str; 5] = ["created_at", "created_by", "last_modified_at", "last_modified_by", "pinned_to"];

/// Has the server look after a tenant.
pub(crate) async fn reload(admin: &Client) {
    let answer = admin.post("/reload", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
