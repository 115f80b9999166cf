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

/// Keys with a value that says nothing sensible, and what is allowed in its place.
const NONSENSE: [(&str, &str, &str); 24] = [
    ("server.max_body_size", "\"0B\"", "expected 1KB to 1GB and not 0B"),
    ("server.max_header_size", "\"0B\"", "expected 1KB to 128KB"),
    ("server.max_header_size", "\"1GB\"", "expected 1KB to 128KB"),
    ("server.header_timeout", "\"0s\"", "expected 100ms to 1d"),
    ("server.write_timeout", "\"0s\"", "expected 100ms to 1d"),
    ("server.request_timeout", "\"0s\"", "expected 100ms to 1d"),
    ("server.restart_flush_timeout", "\"0s\"", "expected 100ms to 1d"),
    ("store.max_open", "0", "expected 1 to 1000000 and not 0"),
    ("store.connections", "0", "expected 1 to 10000"),
    ("store.idle", "\"0s\"", "expected 1s to 366d"),
    ("store.idle", "\"400000d\"", "expected 1s to 366d"),
    ("store.sqlite.readers", "0", "expected 1 to 1000"),
    ("store.sqlite.read_timeout_seconds", "0", "expected 1 to 86400"),
    ("query.default_limit", "0", "expected 1 to 1000000"),
    ("query.default_max_limit", "0", "expected 1 to 1000000"),
    ("query.default_max_limit", "1000001", "expected 1 to 1000000 and not 1000001"),
    ("query.max_compiled_tenants", "0", "expected 1 to 10000000"),
    ("audit.max_spool_size", "\"0B\"", "expected 1MB to"),
    ("identity.session_flush_interval", "\"0s\"", "expected 100ms to 366d"),
    ("identity.refresh_lifetime", "\"0s\"", "expected 1s to 36600d"),
    ("identity.password_memory", "\"900GB\"", "expected 64KB to 4GB"),
    ("identity.mail.timeout", "\"0s\"", "expected 100ms to 30s"),
    ("log.level", "\"inof\"", "\"inof\" is no level; did you mean \"info\"?"),
    ("log.level", "\"info,store=debgu\"", "write one of error, warn, info, debug, trace, off"),
];

#[test]
fn what_says_nothing_sensible_is_refused_with_what_is_allowed() {
    let program = Program::new(Backend::Sqlite);
    for (key, value, told) in NONSENSE {
        // As a file and not as variables, which the program of the tests sets itself.
        let (section, name) = key.rsplit_once('.').unwrap();
        program.file("nonsense.toml", &format!("[{section}]\n{name} = {value}\n"));
        let run = |arguments: &[&str]| {
            let mut command = program.command(arguments);
            let output = command.env_remove("INSULA_LOG__LEVEL").env_remove("INSULA_IDENTITY__PASSWORD_MEMORY");
            let output = output.output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let expected = format!("nonsense.toml:2: {key}: ");
        for arguments in
            [&["config", "check", "--config", "nonsense.toml"][..], &["serve", "--config", "nonsense.toml"]]
        {
            let (code, said) = run(arguments);
            assert!(code == Some(2) && said.contains(&expected) && said.contains(told), "{key} = {value}: {said}");
        }
    }
    // Zero where it means at once, or for ever.
    let zero = "[server]\nshutdown_deadline = \"0s\"\nrestart_idle = \"0s\"\nrestart_deadline = \"0s\"\n[audit]\n\
        retention = \"0s\"\n[query]\ndefault_max_limit = 1000000\n[log]\nlevel = \"INFO,store::sqlite=trace\"\n";
    program.file("zero.toml", zero);
    program.ok(&["config", "check", "--config", "zero.toml"]);
}
