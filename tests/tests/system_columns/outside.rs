//! Adopted databases: nothing is changed unless that is asked for.

use insula_tests::{Backend, Outside, Program, on_all_databases};

on_all_databases!(an_adopted_database_is_changed_only_where_that_is_asked_for, insulas_tables_may_be_elsewhere);

const TABLES: &str = "CREATE TABLE customers (id SERIAL, name VARCHAR(20)); CREATE VIEW names AS SELECT name FROM customers; \
    INSERT INTO customers (id, name) VALUES (1, 'old')";

async fn an_adopted_database_is_changed_only_where_that_is_asked_for(backend: Backend) {
    let outside = Outside::new(backend).await;
    outside.run(&backend.spelled(TABLES)).await;
    let program = Program::initialised(backend);
    program.ok(&["tenant", "create", "crm", "--database", &outside.url()]);
    program.ok(&["migrate", "--tenant", "crm"]);
    program.user("crm", "uma", "users");
    let lacking = "SELECT count(*) FROM customers WHERE name = 'old'";
    assert_eq!(outside.number(lacking).await, 1);
    let columns = |program: &Program| program.json(&["migrate", "--tenant", "crm"])[0]["system_columns"].clone();
    assert_eq!(columns(&program), serde_json::json!({}));
    program.file("data/tenants/crm/columns.toml", "enabled = true");
    // Opening the tenant adds them, with nothing left to do for the command.
    program.ok(&["migrate", "--tenant", "crm"]);
    let none =
        "SELECT count(*) FROM customers WHERE created_at IS NULL AND pinned_to IS NULL AND last_modified_by IS NULL";
    assert_eq!(outside.number(none).await, 1);
    outside.run("INSERT INTO customers (id, name) VALUES (2, 'new')").await;
    assert_eq!(
        outside.number("SELECT count(*) FROM customers WHERE created_at IS NOT NULL").await,
        1,
        "whoever inserts"
    );
    program.end();
    outside.end().await;
}

async fn insulas_tables_may_be_elsewhere(backend: Backend) {
    let (outside, system) = (Outside::new(backend).await, Outside::new(backend).await);
    outside.run(&backend.spelled(TABLES)).await;
    let program = Program::initialised(backend).with("INSULA_SYSTEM_COLUMNS__ENABLED", "true");
    let url = if backend == Backend::Sqlite { system.url() } else { backend.url() };
    let create = ["tenant", "create", "crm", "--database", &outside.url(), "--system-database", &url];
    program.ok(&create);
    program.ok(&["migrate", "--tenant", "crm"]);
    let none =
        "SELECT count(*) FROM customers WHERE created_at IS NULL AND pinned_to IS NULL AND last_modified_by IS NULL";
    assert_eq!(outside.number(none).await, 1);
    // There is no table of users to refer to.
    outside.run("UPDATE customers SET pinned_to = 4711").await;
    program.end();
    outside.end().await;
    system.end().await;
}
