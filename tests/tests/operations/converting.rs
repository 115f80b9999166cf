//! SeckelAPI's files are converted there and back on the command line.

use std::{fs, os::unix::fs::PermissionsExt};

use insula_tests::{Backend, Program};

const SECURITY: &str = "# Ours.\nsession_timeout_minutes = 30 # half an hour\nunknown = \"s3cret\"\n\n[limits]\n\
    enable_rate_limiting = false\n\n[permissions.10]\nbasic_rules = [\"items:r\"]\n# end\n";
const TOOLKIT: &str = "name = \"shop\"\ntables = [\"items\"]\nodd = 1\n";

fn seckelapi(program: &Program) -> String {
    let folder = program.path("seckelapi");
    fs::create_dir_all(folder.join("toolkits")).unwrap();
    fs::write(folder.join("security.toml"), SECURITY).unwrap();
    fs::write(folder.join("toolkits/shop.toml"), TOOLKIT).unwrap();
    folder.display().to_string()
}

#[test]
fn files_are_converted_there_and_back() {
    let program = Program::new(Backend::Sqlite);
    let from = seckelapi(&program);
    let path = |name: &str| program.path(name).display().to_string();
    let (site, back) = (path("site"), path("back"));
    let import = ["config", "import", "--from", "seckelapi", &from, "--to", &site];
    let told = program.json(&import);
    assert_eq!(told["commands"][0], "insula group set users --rule items:r --replace");
    assert!(!told.to_string().contains("s3cret"), "{told}");
    let insula = program.path("site/insula.toml");
    assert_eq!(fs::metadata(&insula).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing is replaced unless that is asked for.
    let (code, said) = program.fails(&import);
    assert!(code == 2 && said.contains("--force"), "{code} {said}");
    program.ok(&[&import[..], &["--force"]].concat());

    let config = insula.display().to_string();
    let shown = program.json(&["config", "show", "--config", &config]);
    assert_eq!(shown["config"]["identity"]["session_timeout_minutes"], 30);
    assert_eq!(shown["config"]["server"]["rate_limit"]["enabled"], false);
    program.ok(&["config", "export", "--to", "seckelapi", &back, "--config", &config, "--strict"]);
    assert_eq!(fs::read_to_string(program.path("back/security.toml")).unwrap(), SECURITY);
    assert_eq!(fs::read_to_string(program.path("back/toolkits/shop.toml")).unwrap(), TOOLKIT);
}

#[test]
fn strict_writes_nothing_that_would_be_lost() {
    let program = Program::new(Backend::Sqlite);
    let from = seckelapi(&program);
    fs::write(
        program.path("seckelapi/more.toml"),
        "config_preference = \"local\"\nmin_clear_sessions_power = \"all\"\n",
    )
    .unwrap();
    let site = program.path("site").display().to_string();
    let (code, said) = program.fails(&["config", "import", "--from", "seckelapi", &from, "--to", &site, "--strict"]);
    assert!(code == 2 && said.contains("nothing was written"), "{code} {said}");
    assert!(!program.path("site").exists());
    // Where a tenant's toolkits are wanted, there must be the tenant.
    let (code, said) = program.fails(&["config", "import", "--from", "seckelapi", &from, "--tenant", "shop"]);
    assert!(code == 3 && said.contains("shop"), "{code} {said}");
    fs::write(program.path("seckelapi/more.toml"), "a = \n").unwrap();
    let (code, said) = program.fails(&["config", "import", "--from", "seckelapi", &from, "--to", &site]);
    assert!(code == 2 && said.contains("more.toml:1"), "{code} {said}");
}

#[test]
fn the_files_of_tenants_are_checked() {
    let program = Program::new(Backend::Sqlite);
    for (tenant, rules) in [("good", ""), ("bad", "[[rules]]\ntabel = \"a\"\n")] {
        let folder = program.path("data/tenants").join(tenant);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rules.toml"), rules).unwrap();
    }
    program.ok(&["config", "check"]);
    program.ok(&["config", "check", "--tenant", "good"]);
    assert_eq!(program.fails(&["config", "check", "--tenant", "nobody"]).0, 3);
    for asked in [&["--tenant", "bad"][..], &["--all-tenants"]] {
        let (code, said) = program.fails(&[&["config", "check"], asked].concat());
        assert!(
            code == 2 && said.contains("bad/rules.toml:2: rules[0].tabel: there is no such key; did you mean `table`?"),
            "{said}"
        );
    }
    let output = program.run(&["config", "check", "--all-tenants", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mistake =
        told["mistakes"].as_array().unwrap().iter().find(|mistake| mistake["key"] == "rules[0].tabel").unwrap();
    assert_eq!((output.status.code(), &mistake["line"], &mistake["column"]), (Some(2), &2.into(), &1.into()));
}
