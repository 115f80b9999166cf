//! The data API as its callers see it, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod batches;
mod columns;
mod explaining;
mod filters;
mod joins;
mod ownership;
mod reading;
mod refusals;
mod row_rules;
mod writing;

use insula_tests::{Backend, World};
use serde_json::{Value as Json, json};

/// A world with a small stock of items in categories, all open to administrators.
async fn stock(backend: Backend) -> World {
    let world = World::new(backend).await;
    world
        .tables(
            "CREATE TABLE categories (id SERIAL, name VARCHAR(40) NOT NULL, parent BIGINT); \
             CREATE TABLE items (id SERIAL, name VARCHAR(40) NOT NULL, category_id BIGINT, price DECIMAL(10,2), \
                stock BIGINT NOT NULL DEFAULT 0, active BOOLEAN, bought DATE, seen MOMENT, extra JSON, \
                created_at MOMENT, created_by BIGINT, last_modified_at MOMENT, last_modified_by BIGINT, pinned_to BIGINT, \
                CONSTRAINT items_name UNIQUE (name))",
        )
        .await;
    let admin = world.user("root", "administrators").await;
    for name in ["tools", "toys"] {
        admin.query(json!({"action": "insert", "table": "categories", "data": {"name": name}})).await.data();
    }
    let items = [
        json!({"name": "saw", "category_id": 1, "price": "19.90", "stock": 3, "active": true, "bought": "2026-01-02"}),
        json!({"name": "Hammer", "category_id": 1, "price": 7, "stock": 0, "active": false, "bought": null}),
        json!({"name": "kite", "category_id": 2, "price": "12.50", "stock": 7, "active": true, "extra": {"wind": [3, 5]}}),
        json!({"name": "100%_fun", "category_id": null, "price": null, "stock": 1, "active": null}),
    ];
    for item in items {
        admin.query(json!({"action": "insert", "table": "items", "data": item})).await.data();
    }
    world
}

/// The values of one column of an answer's rows.
fn column(rows: &Json, name: &str) -> Vec<Json> {
    rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect()
}
