//! Users and groups on the command line, and users of other programs who move in.

use std::{fmt::Write, process::Stdio, time::Duration};

use insula_tests::{Backend, Program, on_all_databases, until};
use serde_json::{Value as Json, json};

on_all_databases!(
    users_are_changed_and_removed,
    groups_are_changed_and_removed,
    users_move_in_once,
    unfit_users_are_named_with_their_lines,
    a_killed_import_of_users_goes_on,
);

/// `correct horse battery`, hashed by another program.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";

async fn users_are_changed_and_removed(backend: Backend) {
    let program = Program::initialised(backend);
    program.user(&program.tenant, "uma", "users");
    let set = program.json(&[
        "user",
        "set",
        "uma",
        "--email",
        "uma@example.com",
        "--email-verified",
        "true",
        "--name",
        "Uma Doe",
        "--username",
        "uma2",
        "--group",
        "publishers",
    ]);
    assert_eq!(
        (&set["username"], &set["email"], &set["name"]),
        (&json!("uma2"), &json!("uma@example.com"), &json!("Uma Doe"))
    );
    assert!(set["email_verified_at"].is_string() && set["group"] == "publishers" && set["has_password"] == true);
    let other = program.json(&["user", "set", "UMA@example.com", "--email", "u@example.com"]);
    assert_eq!((&other["email"], &other["email_verified_at"]), (&json!("u@example.com"), &Json::Null));
    assert_eq!(program.json(&["user", "set", "uma2", "--no-email"])["email"], Json::Null);
    let pin = program.file("pin", "0417\n");
    assert_eq!(program.json(&["user", "set-pin", "uma2", "--file", &pin])["has_pin"], true);
    assert_eq!(program.fails(&["user", "set-pin", "uma2"]).0, 2, "a secret comes from somewhere");
    let short = program.file("short", "12");
    assert_eq!(program.fails(&["user", "set-pin", "uma2", "--file", &short]).0, 2);
    let card = program.file("card", "NFC-0123456789");
    assert_eq!(program.json(&["user", "set-card", "uma2", "--file", &card])["has_card"], true);
    program.user(&program.tenant, "vera", "users");
    assert_eq!(program.fails(&["user", "set-card", "vera", "--file", &card]).0, 4, "a card is one user's");
    assert_eq!(program.json(&["user", "set-card", "uma2", "--none"])["has_card"], false);
    assert_eq!(program.json(&["user", "set-pin", "uma2", "--none"])["has_pin"], false);
    assert_eq!(program.json(&["user", "reset-second-factor", "uma2"])["second_factor"], false);

    let serving = program.serve().await;
    let uma = serving.user(&program.tenant, "uma2").await;
    assert_eq!(uma.get("/auth/status").await.status, 200);
    let shown = program.json(&["user", "show", "uma2"]);
    assert!(shown["last_seen"].is_string(), "{shown}");
    let sessions = program.json(&["user", "sessions", "uma2"]);
    assert_eq!((sessions.as_array().unwrap().len(), &sessions[0]["method"]), (1, &json!("password")), "{sessions}");
    assert_eq!(program.json(&["user", "logout", "uma2"]), json!({"username": "uma2", "sessions_ended": 1}));
    until("the server knows", Duration::from_secs(6), async || uma.get("/auth/status").await.status == 401).await;
    drop(serving);

    let names = |arguments: &[&str]| {
        let list = program.json(&[&["user", "list"], arguments].concat());
        list.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--sort", "-username"]), ["vera", "uma2", "admin"]);
    assert_eq!(names(&["--group", "publishers"]), ["uma2"]);
    assert_eq!(names(&["--search", "DOE"]), ["uma2"]);
    program.json(&["user", "set", "vera", "--status", "suspended"]);
    assert_eq!(names(&["--status", "suspended"]), ["vera"]);
    assert_eq!(program.fails(&["user", "list", "--sort", "password"]).0, 2);

    assert_eq!(program.fails(&["user", "delete", "vera"]).0, 2, "nobody can be asked here");
    assert_eq!(program.json(&["user", "delete", "vera", "--yes"]), json!({"deleted": "vera", "number": 3}));
    assert_eq!(program.fails(&["user", "show", "vera"]).0, 3);
    // Whoever has the command line can make another administrator.
    program.ok(&["user", "delete", "admin", "--yes"]);
    assert_eq!(names(&[]), ["uma2"]);
    program.end();
}

async fn groups_are_changed_and_removed(backend: Backend) {
    let program = Program::initialised(backend);
    let made = program.json(&[
        "group",
        "create",
        "kiosk",
        "--power",
        "5",
        "--description",
        "At the door.",
        "--rule",
        "items:r",
        "--session-timeout-minutes",
        "10",
        "--max-concurrent-sessions",
        "1",
        "--abilities",
        "explain, users.read",
        "--settings-access",
        "read-own-only",
    ]);
    let made = &made[0];
    assert_eq!((&made["power"], &made["description"]), (&json!(5), &json!("At the door.")));
    assert_eq!((&made["session_timeout_minutes"], &made["max_concurrent_sessions"]), (&json!(10), &json!(1)));
    assert_eq!(
        (&made["abilities"], &made["settings_access"]),
        (&json!(["explain", "users.read"]), &json!("read-own-only"))
    );
    assert_eq!(program.fails(&["group", "create", "kiosk", "--power", "5"]).0, 4);
    let set = program.json(&["group", "set", "kiosk", "--session-timeout-minutes", "0", "--ability", "reload"]);
    assert_eq!((&set[0]["session_timeout_minutes"], &set[0]["max_concurrent_sessions"]), (&Json::Null, &json!(1)));
    assert_eq!(set[0]["abilities"], json!(["explain", "users.read", "reload"]));
    assert_eq!(program.json(&["group", "set", "kiosk", "--abilities", ""])[0]["abilities"], json!([]));
    let (code, told) = program.fails(&["group", "set", "kiosk", "--ability", "explian"]);
    assert!(code == 2 && told.contains("users.manage"), "{told}");
    let (code, told) = program.fails(&["group", "set", "kiosk", "--rule", "items:x"]);
    assert!(code == 2 && told.contains("items:x"), "{told}");
    program.json(&["group", "rename", "kiosk", "door"]);
    assert_eq!(program.json(&["group", "show", "door"])["rules"], json!(["items:r"]));
    assert_eq!(program.fails(&["group", "rename", "users", "people"]).0, 4);
    assert_eq!(program.fails(&["group", "delete", "anonymous"]).0, 4);
    assert_eq!(program.fails(&["group", "delete", "administrators"]).0, 4);
    program.user(&program.tenant, "uma", "door");
    let (code, told) = program.fails(&["group", "delete", "door"]);
    assert!(code == 4 && told.contains("users"), "{told}");
    program.ok(&["user", "set-group", "uma", "users"]);
    program.ok(&["group", "delete", "door"]);
    assert_eq!(program.fails(&["group", "show", "door"]).0, 3);
    assert_eq!(program.json(&["group", "list"]).as_array().unwrap().len(), 5);
    program.end();
}

async fn users_move_in_once(backend: Backend) {
    let program = Program::initialised(backend);
    let csv = format!(
        "username,email,name,group,password_hash,password\n\
         old,old@example.com,\"Old, One\",publishers,{HASH},\n\
         plain,,,,,correct horse battery\n\
         bare,,,,,\n"
    );
    let file = program.file("users.csv", &csv);
    let dry = program.json(&["user", "import", &file, "--dry-run"]);
    assert_eq!((&dry["added"], &dry["present"], &dry["refused"]), (&json!(3), &json!(0), &json!(0)), "{dry}");
    assert_eq!(program.fails(&["user", "show", "old"]).0, 3, "nothing was written");
    let report = program.json(&["user", "import", &file, "--group", "users"]);
    assert_eq!((&report["added"], &report["present"]), (&json!(3), &json!(0)), "{report}");
    let again = program.json(&["user", "import", &file]);
    assert_eq!((&again["added"], &again["present"]), (&json!(0), &json!(3)), "{again}");
    let old = program.json(&["user", "show", "old@EXAMPLE.com"]);
    assert_eq!((&old["group"], &old["name"], &old["number"]), (&json!("publishers"), &json!("Old, One"), &json!(2)));
    assert_eq!(program.json(&["user", "show", "bare"])["has_password"], false);
    let serving = program.serve().await;
    for username in ["old", "plain"] {
        assert_eq!(serving.user(&program.tenant, username).await.get("/auth/status").await.status, 200);
    }
    // The hash of the other program was renewed at the log in.
    serving.user(&program.tenant, "old").await;
    let lines = "{\"username\": \"json\", \"email\": \"json@example.com\"}\n\n{\"username\": \"OLD\"}\n";
    let file = program.file("users.jsonl", lines);
    let report = program.json(&["user", "import", &file]);
    assert_eq!((&report["added"], &report["present"]), (&json!(1), &json!(1)), "{report}");
    drop(serving);
    program.end();
}

async fn unfit_users_are_named_with_their_lines(backend: Backend) {
    let program = Program::initialised(backend);
    program.ok(&["user", "create", "there", "--email", "there@example.com"]);
    let csv = "username,email,group,password,password_hash\n\
         good,good@example.com,,,\n\
         a b,,,,\n\
         ,nobody@example.com,,,\n\
         taken,THERE@example.com,,,\n\
         twin,good@EXAMPLE.com,,,\n\
         lost,,nobodies,,\n\
         weak,,,secret,\n\
         short\n\
         both,,,correct horse battery,$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS\n\
         md5,,,,5f4dcc3b5aa765d61d8327deb882cf99\n\
         Good,,,,\n\
         fine,,,,\n";
    let file = program.file("bad.csv", csv);
    for dry in [true, false] {
        let more: &[&str] = if dry { &["--dry-run"] } else { &[] };
        let output = program.run(&[&["user", "import", &file, "--json"], more].concat());
        let report: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            (&report["added"], &report["present"], &report["refused"]),
            (&json!(2), &json!(1), &json!(9)),
            "{report}"
        );
        let lines: Vec<_> =
            report["problems"].as_array().unwrap().iter().map(|it| it["line"].as_u64().unwrap()).collect();
        let mut sorted = lines.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [3, 4, 5, 6, 7, 8, 9, 10, 11], "{report}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("line 3: username:") && said.contains("line 8: password:"), "{said}");
        assert!(!said.contains("correct horse") && !said.contains("5f4dcc3b"), "{said}");
        assert!(!report.to_string().contains("correct horse"));
    }
    assert_eq!(program.json(&["user", "list"]).as_array().unwrap().len(), 4);
    for (name, text, told) in [
        ("header.csv", "user,email\nx,y\n", "\"user\""),
        ("twice.csv", "username,username\nx,y\n", "twice"),
        ("none.csv", "email\nx@y.example\n", "no username"),
        ("quote.csv", &format!("username\n\"{}", "x".repeat(3 << 20)), "1MB"),
        ("long.jsonl", &format!("{{\"username\": \"{}\"}}", "x".repeat(3 << 20)), "1MB"),
    ] {
        let file = program.file(name, text);
        let (_, said) = program.fails(&["user", "import", &file]);
        assert!(said.contains(told), "{name}: {said}");
    }
    let file =
        program.file("odd.jsonl", "{\"username\": 7}\nnonsense\n{\"username\": \"x\", \"pass\": \"hunter2hunter2\"}\n");
    let (code, said) = program.fails(&["user", "import", &file]);
    assert!(code == 1 && said.contains("line 1:") && said.contains("line 2:") && said.contains("line 3:"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    program.end();
}

async fn a_killed_import_of_users_goes_on(backend: Backend) {
    const USERS: usize = 6_000;
    let program = Program::initialised(backend);
    let mut text = "username,email,password_hash\n".to_owned();
    for number in 1..=USERS {
        writeln!(text, "user-{number},user-{number}@example.com,{HASH}").unwrap();
    }
    let file = program.file("users.csv", &text);
    let count = || program.json(&["user", "list", "--group", "users"]).as_array().unwrap().len();
    let mut import = program.command(&["user", "import", &file]).stdout(Stdio::null()).spawn().unwrap();
    until("some users are in", Duration::from_secs(30), async || count() > 0).await;
    import.kill().unwrap();
    import.wait().unwrap();
    let partial = count();
    println!("{backend:?}: {partial} users before the end");
    assert!(partial.is_multiple_of(200), "a chunk was stored in part: {partial}");
    let report = program.json(&["user", "import", &file]);
    assert_eq!((&report["added"], &report["present"]), (&json!(USERS - partial), &json!(partial)), "{report}");
    assert_eq!(count(), USERS);
    program.end();
}
