//! Mistakes in the configuration are told before anything runs, all of them, each with its place.

use insula_tests::{Backend, Program};
use serde_json::json;

const BROKEN: &str = "[server]\nlisten_on = \"127.0.0.1:80\"\nmax_body_size = \"1 apple\"\n\n[identity]\n\
    session_timeout_minutes = 0\n\n[qury]\n\n[store]\ndatabase = \"oracle://u:hidden@h/d\"\n";

#[test]
fn all_mistakes_are_told_with_their_place() {
    let program = Program::new(Backend::Sqlite).with("INSULA_LOG__FORMAT", "xml");
    program.file("insula.toml", BROKEN);
    let (code, told) = program.fails(&["config", "check"]);
    assert_eq!(code, 2, "{told}");
    for part in [
        "insula.toml:2: server.listen_on: there is no such key; did you mean `listen`?",
        "insula.toml:3: server.max_body_size: \"1 apple\" is not a size",
        "insula.toml:6: identity.session_timeout_minutes: ",
        "insula.toml:8: qury: there is no such key; did you mean `query`?",
        "environment variable INSULA_LOG__FORMAT: log.format: ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    assert!(!told.contains("hidden"), "a secret is told: {told}");
    // Nothing runs with it, and the same is there for programs.
    assert_eq!(program.fails(&["serve"]).0, 2);
    assert_eq!(program.fails(&["init", "--domain", "shop.example"]).0, 2);
    assert!(!program.path("data").exists());
    let output = program.run(&["config", "check", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["success"]), (Some(2), &json!(false)));
    let place = |key: &str| told["mistakes"].as_array().unwrap().iter().find(|m| m["key"] == key).unwrap().clone();
    assert!(place("qury")["place"].as_str().unwrap().ends_with("insula.toml:8"));
    assert_eq!(place("server.listen_on")["suggestion"], "did you mean `listen`?");
}

#[test]
fn what_is_in_force_is_shown_without_secrets() {
    let program = Program::new(Backend::Sqlite).with("INSULA_SERVER__PORT", "8123");
    let file =
        program.file("insula.toml", "[server]\nname = \"Here\"\n\n[store]\ncontrol = \"postgres://u:hidden@h/d\"\n");
    let told = program.ok(&["config", "check"]);
    assert!(told.contains("insula.toml is good"), "{told}");
    let shown = program.json(&["config", "show"]);
    assert_eq!(shown["config"]["server"]["listen"], "127.0.0.1:8123");
    assert_eq!(shown["origins"]["server.listen"], "environment variable INSULA_SERVER__PORT");
    assert!(shown["origins"]["server.name"].as_str().unwrap().ends_with("insula.toml:2"));
    let text = program.ok(&["config", "show"]);
    assert!(!shown.to_string().contains("hidden") && !text.contains("hidden"));
    assert_eq!(program.fails(&["config", "check", "--config", "missing.toml"]).0, 2);
    program.ok(&["config", "check", "--config", &file]);
}
