//! Commands explain themselves and tell by their exit code how it went.

use insula_tests::{Backend, Program};

#[test]
fn every_command_explains_itself() {
    let program = Program::new(Backend::Sqlite);
    let mut seen = 0;
    look(&program, &[], &mut seen);
    assert!(seen >= 25, "only {seen} commands were found");
    for none in [&[][..], &["tenant"], &["user"]] {
        let (code, told) = program.fails(none);
        assert!(code == 2 && told.contains("Usage: insula"), "{none:?}: {told}");
    }
    assert!(program.ok(&["--version"]).starts_with("insula "));
}

/// Asks a command and all below it for help.
fn look(program: &Program, command: &[&str], seen: &mut usize) {
    *seen += 1;
    let help = program.ok(&[command, &["--help"]].concat());
    let usage = format!("Usage: {}", [&["insula"], command].concat().join(" "));
    assert!(help.contains(&usage), "{command:?}: {help}");
    let Some((_, commands)) = help.split_once("Commands:\n") else {
        assert!(help.contains("Example"), "{command:?} shows no example");
        return;
    };
    for line in commands.lines().take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        assert!(line.split_whitespace().count() > 2, "{command:?} {name} is not described");
        if name != "help" {
            look(program, &[command, &[name]].concat(), seen);
        }
    }
}

#[test]
fn exit_codes_tell_how_it_went() {
    let program = Program::new(Backend::Sqlite);
    let (code, told) = program.fails(&["tenant", "create", "shop", "--colour", "red"]);
    assert!(code == 2 && told.contains("--colour"), "{told}");
    let (code, told) = program.fails(&["migrate"]);
    assert!(code == 3 && told.contains("insula init"), "{told}");
    program.ok(&["init", "--domain", "shop.example"]);
    for (code, command) in [
        (4, &["init", "--domain", "other.example"][..]),
        (4, &["tenant", "create", "shop-example"]),
        (2, &["tenant", "create", "Shop Example"]),
        (2, &["tenant", "create", "crm", "--domain", "no domain"]),
        (2, &["tenant", "create", "crm", "--database", "oracle://u:hidden@h/d"]),
        (2, &["tenant", "create", "crm", "--database", "sqlite:///no/such/file.db"]),
        (2, &["tenant", "create", "crm", "--system-database", "sqlite:///x.db"]),
        (2, &["tenant", "delete", "shop-example"]),
        (3, &["tenant", "delete", "crm", "--yes"]),
        (3, &["user", "set-group", "nobody", "users"]),
        (2, &["user", "set-group", "admin", "no-such-group"]),
        (3, &["import", "nothing", "insula.csv"]),
        (3, &["export", "_users"]),
        (1, &["serve", "--listen", "192.0.2.1:1"]),
    ] {
        let (got, told) = program.fails(command);
        assert_eq!(got, code, "{command:?}: {told}");
        assert!(told.starts_with("error: ") && !told.contains("hidden"), "{command:?}: {told}");
        let (got, told) = program.fails(&[command, &["--json"]].concat());
        let as_json = serde_json::from_str::<serde_json::Value>(told.lines().last().unwrap());
        assert!(got == code && (as_json.is_ok() || told.contains("Usage:")), "{command:?}: {told}");
    }
}
