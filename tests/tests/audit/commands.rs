//! What is done on the command line, and `insula audit`.

use insula_tests::{Backend, on_all_databases};
use serde_json::{Value as Json, json};

use crate::{entries, insert, installation};

on_all_databases!(commands_are_written_down, the_log_is_read_on_the_command_line);

async fn commands_are_written_down(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let ada = serving.user(&program.tenant, "ada").await;
    program.ok(&["user", "set-group", "uma", "moderators"]);
    assert_ne!(program.run(&["group", "create", "editors", "--power", "101"]).status.code(), Some(0));
    let file = program.file("items.csv", "name\nlamp\nchair\n");
    program.ok(&["import", "items", &file]);
    let told: Vec<_> = entries(&ada, "").await;
    let of =
        |action: &str| told.iter().find(|entry| entry["action"] == action).unwrap_or_else(|| panic!("no {action}"));
    let changed = of("user-change");
    assert_eq!((&changed["method"], &changed["path"]), (&json!("CLI"), &json!("insula user set-group")));
    assert_eq!(
        (&changed["user_id"], &changed["status"], &changed["client_ip"]),
        (&Json::Null, &Json::Null, &Json::Null)
    );
    assert!(changed["details"]["system_user"].is_i64() && changed["duration_ms"].is_f64());
    let import = of("import");
    assert_eq!((&import["table"], &import["rows_affected"]), (&json!("items"), &json!(2)));
    assert_eq!(of("init")["details"]["of"], json!(format!("{}.test", program.tenant)));
    assert_eq!(of("migrate")["outcome"], "ok");
    drop(serving);
    program.end();
}

async fn the_log_is_read_on_the_command_line(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let uma = serving.user(&program.tenant, "uma").await;
    for number in 0..7 {
        assert_eq!(insert(&uma, &number.to_string()).await.status, 200);
    }
    // The file that a living process writes is its own; a process that has ended leaves it to others.
    serving.kill();
    let all = program.json(&["audit", "--action", "insert", "--table", "items"]);
    assert_eq!(all.as_array().unwrap().len(), 7);
    let last = program.json(&["audit", "--action", "insert", "--limit", "2"]);
    assert_eq!(last.as_array().unwrap()[..], all.as_array().unwrap()[5..], "the newest, the newest last");
    let table = program.ok(&["audit", "--user", "3", "--outcome", "ok"]);
    assert!(table.starts_with("TIME") && table.contains("items (1)") && table.contains("login"), "{table}");
    assert_eq!(program.json(&["audit", "--client", "192.0.2.1"]), json!([]));
    let (code, said) = program.fails(&["audit", "--since", "yesterday"]);
    assert_eq!(code, 2, "{said}");
    program.end();
}
