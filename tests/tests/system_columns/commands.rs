//! `insula migrate` and `insula import`.

use insula_tests::{Backend, Program, on_all_databases};
use serde_json::json;

on_all_databases!(a_migration_ends_with_the_columns);

async fn a_migration_ends_with_the_columns(backend: Backend) {
    let program = Program::initialised(backend).with("INSULA_SYSTEM_COLUMNS__ENABLED", "true");
    let folder = program.path("data/tenants").join(&program.tenant).join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    let sql = backend.spelled("CREATE TABLE items (id SERIAL, name TEXT, pinned_to BIGINT)");
    std::fs::write(folder.join("0001_items.sql"), sql).unwrap();
    let migrated = program.json(&["migrate"]);
    let columns = json!({"items": ["created_at", "created_by", "last_modified_at", "last_modified_by"]});
    assert_eq!(migrated[0]["system_columns"], columns);
    assert_eq!(program.json(&["migrate"])[0]["system_columns"], json!({}));
    // Imported rows are made now, too.
    let file = program.file("items.csv", "name\na\nb\n");
    program.ok(&["import", "items", &file]);
    let exported = program.ok(&["export", "items", "--format", "jsonl"]);
    assert_eq!(exported.matches("\"created_at\":\"").count(), 2, "{exported}");
    program.end();
}
