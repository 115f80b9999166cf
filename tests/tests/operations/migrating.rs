//! A tenant's own tables, by numbered files.

use std::time::Duration;

use insula_tests::{Backend, Program, on_all_databases, until};
use serde_json::{Value as Json, json};

on_all_databases!(
    files_are_applied_once_and_in_order,
    a_changed_or_broken_file_is_refused,
    a_running_server_sees_new_tables
);

fn write(program: &Program, name: &str, sql: &str) {
    let sql = program.backend.spelled(sql);
    program.file(&format!("data/tenants/{}/migrations/{name}.sql", program.tenant), &sql);
}

/// The files that a run applied.
fn applied(program: &Program) -> Vec<Json> {
    let scripts = program.json(&["migrate"])[0]["scripts"].as_array().unwrap().clone();
    scripts.iter().filter(|script| script["new"] == true).map(|script| script["name"].clone()).collect()
}

async fn files_are_applied_once_and_in_order(backend: Backend) {
    let program = Program::initialised(backend);
    write(&program, "0002_fill", "INSERT INTO pets (name) VALUES ('rex')");
    write(&program, "0001_pets", "CREATE TABLE pets (id SERIAL, name VARCHAR(20))");
    // Each database takes the file of its own name.
    for (name, said) in [("sqlite", "Sqlite"), ("postgres", "Postgres"), ("mariadb", "Mariadb")] {
        write(&program, &format!("0003_where.{name}"), &format!("INSERT INTO pets (name) VALUES ('{said}')"));
    }
    assert_eq!(applied(&program), ["pets", "fill", "where"]);
    assert_eq!(applied(&program), Vec::<Json>::new());
    write(&program, "0004_more", "INSERT INTO pets (name) VALUES ('kitty')");
    assert_eq!(applied(&program), ["more"]);
    assert_eq!(program.ok(&["export", "pets"]), format!("id,name\n1,rex\n2,{backend:?}\n3,kitty\n"));
    program.end();
}

async fn a_changed_or_broken_file_is_refused(backend: Backend) {
    let program = Program::initialised(backend);
    write(&program, "0001_pets", "CREATE TABLE pets (id SERIAL, name VARCHAR(20))");
    write(&program, "0002_wrong", "INSERT INTO pets (name) VALUES ('rex'); INSERT INTO pots (name) VALUES ('x')");
    let (code, told) = program.fails(&["migrate"]);
    assert!(code == 1 && told.contains("0002_wrong"), "{told}");
    let rows = program.ok(&["export", "pets"]);
    assert_eq!(rows, "id,name\n", "half of a file was applied");
    write(&program, "0002_wrong", "INSERT INTO pets (name) VALUES ('rex')");
    assert_eq!(applied(&program), ["wrong"], "the file can be mended");
    write(&program, "0001_pets", "CREATE TABLE pets (id SERIAL, name VARCHAR(99))");
    let (code, told) = program.fails(&["migrate"]);
    assert!(code == 1 && told.contains("0001_pets"), "{told}");
    program.end();
}

async fn a_running_server_sees_new_tables(backend: Backend) {
    let program = Program::initialised(backend);
    program.user(&program.tenant, "ada", "administrators");
    let serving = program.serve().await;
    let ada = serving.user(&program.tenant, "ada").await;
    let count = json!({"action": "count", "table": "pets"});
    assert_eq!(ada.query(count.clone()).await.refusal(), (400, "unknown_table"));
    write(&program, "0001_pets", "CREATE TABLE pets (id SERIAL, name VARCHAR(20))");
    program.ok(&["migrate"]);
    until("the table is known", Duration::from_secs(10), async || ada.query(count.clone()).await.status == 200).await;
    write(&program, "0002_colour", "ALTER TABLE pets ADD COLUMN colour VARCHAR(20)");
    program.ok(&["migrate"]);
    let insert = json!({"action": "insert", "table": "pets", "data": {"name": "rex", "colour": "red"}});
    until("the column is known", Duration::from_secs(10), async || {
        let answer = ada.query(insert.clone()).await;
        answer.status == 200 && answer.body.get("warning").is_none()
    })
    .await;
    let answer = ada.query(json!({"action": "select", "table": "pets", "where": {"colour": "red"}})).await;
    assert_eq!(answer.data()[0]["name"], "rex");
    drop(serving);
    program.end();
}
