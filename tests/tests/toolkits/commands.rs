//! `insula toolkit`.

use insula_tests::{Backend, Program, on_all_databases};
use serde_json::json;

use crate::stage::example;

on_all_databases!(toolkits_are_checked_listed_and_called);

async fn toolkits_are_checked_listed_and_called(backend: Backend) {
    let program = Program::initialised(backend);
    program.tables(&example("lending/migrations/0001_lending.sql"));
    program.user(&program.tenant, "uma", "users");
    let folder = format!("data/tenants/{}/toolkits", program.tenant);
    program.file(&format!("{folder}/lending.toml"), &example("lending/lending.toml"));
    assert_eq!(program.ok(&["toolkit", "check"]), "All toolkits are in order.\n");
    // A file alone, wherever it is, with all its mistakes.
    let broken = program.file("broken.toml", "name = \"broken\"\nkind = 1\n[groups.a]\npermisions = []\n");
    let output = program.run(&["toolkit", "check", &broken]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("broken.toml line 2: kind: there is no such key"), "{told}");
    assert!(
        told.contains("broken.toml line 4: groups.a.permisions: there is no such key; did you mean `permissions`?"),
        "{told}"
    );
    program.file(&format!("{folder}/broken.toml"), "name = \"broken\"\nkind = 1\n");
    assert_eq!(program.run(&["toolkit", "check", "--json"]).status.code(), Some(2));
    let listed = program.run(&["toolkit", "list"]);
    assert!(String::from_utf8(listed.stderr).unwrap().contains("toolkits/broken.toml line 2"));
    assert!(String::from_utf8(listed.stdout).unwrap().contains("users:borrowers"));
    std::fs::remove_file(program.path(&format!("{folder}/broken.toml"))).unwrap();
    // Calls are those of a user, with the same refusals.
    let call = |arguments: &[&str]| program.json(&[&["toolkit", "call", "lending"], arguments].concat());
    let item = call(&["items/new", "--payload", r#"{"name":"Camera","kind":"camera"}"#]);
    assert_eq!(item["data"]["asset_tag"], "EQ-0001");
    let wish = json!({"item": item["data"]["id"], "until": "2999-01-01"}).to_string();
    call(&["borrow", "--user", "uma", "--payload", &wish]);
    assert_eq!(call(&["mine", "--method", "get", "--user", "uma"])["data"][0]["name"], "Camera");
    let fails = |arguments: &[&str]| program.fails(&[&["toolkit", "call", "lending"], arguments].concat());
    assert_eq!(fails(&["borrow", "--user", "uma", "--payload", &wish]).0, 4);
    let (code, told) = fails(&["items/new", "--user", "uma", "--payload", "{}"]);
    assert_eq!(code, 1);
    assert!(told.contains("does not have this endpoint"), "{told}");
    assert_eq!(fails(&["none"]).0, 3);
    assert_eq!(fails(&["mine", "--user", "nobody"]).0, 3);
    assert_eq!(fails(&["mine", "--payload", "["]).0, 2);
    // Places.
    program.ok(&["toolkit", "associate", "lending", "users", "staff"]);
    call(&["items/new", "--user", "uma", "--payload", r#"{"name":"Drone","kind":"camera"}"#]);
    program.ok(&["toolkit", "dissociate", "lending", "users"]);
    assert_eq!(program.fails(&["toolkit", "dissociate", "lending", "users"]).0, 3);
    assert_eq!(program.fails(&["toolkit", "associate", "lending", "users", "none"]).0, 2);
    let shown = program.json(&["user", "set", "uma", "--toolkit", "lending:staff"]);
    assert_eq!(shown["toolkit_overrides"], json!([{"toolkit": "lending", "group": "staff"}]));
    call(&["items/new", "--user", "uma", "--payload", r#"{"name":"Lamp","kind":"light"}"#]);
    assert_eq!(program.json(&["user", "set", "uma", "--no-toolkits"])["toolkit_overrides"], json!([]));
    assert_eq!(program.fails(&["user", "set", "uma", "--toolkit", "lending"]).0, 2);
    program.end();
}
