//! `insula settings`.

use insula_tests::{Backend, Program, on_all_databases};
use serde_json::json;

on_all_databases!(the_command_line_lists_keeps_and_forgets);

async fn the_command_line_lists_keeps_and_forgets(backend: Backend) {
    let program = Program::initialised(backend);
    let entry = |name: &str| {
        let all = program.json(&["settings", "list"]);
        all.as_array().unwrap().iter().find(|entry| entry["setting"] == name).unwrap().clone()
    };
    assert_eq!(entry("session_timeout_minutes")["source"], "default");
    assert_eq!(entry("enable_rate_limiting")["source"], "file", "a variable of the environment says it");
    let set = ["settings", "set", "session_timeout_minutes", "15", "--description", "Short."];
    let kept = program.json(&set);
    assert_eq!((&kept[0]["value"], &kept[0]["description"]), (&json!(15), &json!("Short.")));
    program.ok(&["settings", "set", "whitelisted_pin_ips", "[\"192.0.2.0/24\"]", "--tenant", &program.tenant]);
    assert_eq!(entry("whitelisted_pin_ips")["value"], json!(["192.0.2.0/24"]));
    let text = program.ok(&["settings", "list"]);
    assert!(text.contains("session_timeout_minutes") && text.contains("Short."), "{text}");
    let serving = program.serve().await;
    program.user(&program.tenant, "uma", "users");
    let uma = serving.anonymous().log_in("uma", "correct horse battery").await;
    assert_eq!(uma.get("/auth/status").await.body["session"]["timeout_minutes"], 15);
    drop(serving);
    assert_eq!(program.json(&["settings", "unset", "session_timeout_minutes"])["removed"], "session_timeout_minutes");
    assert_eq!(program.fails(&["settings", "unset", "session_timeout_minutes"]).0, 3);
    assert_eq!(program.fails(&["settings", "set", "session_timeout_minutes", "0"]).0, 2);
    assert_eq!(program.fails(&["settings", "set", "config_preference", "local"]).0, 3);
    assert_eq!(program.fails(&["settings", "list", "--tenant", "nobody"]).0, 3);
    // A file may say who wins.
    let toml = "config_preference = \"local\"\n[identity]\nsession_timeout_minutes = 20\n";
    program.file("data/insula.toml", toml);
    program.ok(&["settings", "set", "session_timeout_minutes", "15"]);
    let entry = entry("session_timeout_minutes");
    assert_eq!((&entry["value"], &entry["source"], &entry["table"]), (&json!(20), &json!("file"), &json!("15")));
    program.end();
}
