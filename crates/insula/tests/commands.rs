//! The built program as people and scripts use it.

#![expect(clippy::unwrap_used, reason = "a test that fails has failed")]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

struct Insula {
    folder: tempfile::TempDir,
}

impl Insula {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// An installation with the tenant `shop-example` and the administrator `ada`.
    fn initialised() -> Self {
        let insula = Self::new();
        insula.ok(&["init", "--domain", "shop.example", "--admin", "ada"]);
        insula
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_insula"));
        command.args(arguments).arg("--data").arg(self.folder.path().join("data")).current_dir(&self.folder);
        command.env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The exit code and what was said on standard error.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn migrate(&self, sql: &str) {
        let migrations = self.path("data/tenants/shop-example/migrations");
        fs::create_dir_all(&migrations).unwrap();
        fs::write(migrations.join("0001_items.sql"), sql).unwrap();
        assert_eq!(self.json(&["migrate"])[0]["scripts"][0]["new"], true);
    }
}

#[test]
fn an_installation_is_made_once_and_keeps_its_secrets() {
    let insula = Insula::new();
    let made = insula.json(&["init", "--domain", "Shop.Example", "--admin", "ada"]);
    assert_eq!((made["tenant"].as_str(), made["domain"].as_str()), (Some("shop-example"), Some("shop.example")));
    assert_eq!(made["password"].as_str().unwrap().len(), 20);
    let (code, told) = insula.fails(&["init", "--domain", "other.example"]);
    assert_eq!(code, 4, "{told}");
    let key = insula.path("data/master.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(insula.path("data")).unwrap().permissions().mode() & 0o777, 0o700);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = insula.fails(&["tenant", "list"]);
    assert!(code == 2 && told.contains("chmod 600"), "{told}");
    fs::remove_file(&key).unwrap();
    let (code, told) = insula.fails(&["tenant", "list"]);
    assert!(code == 2 && told.contains("master.key"), "{told}");
    assert!(!key.exists());
}

#[test]
fn tenants_are_made_changed_and_removed() {
    let insula = Insula::initialised();
    insula.ok(&["tenant", "create", "crm", "--domain", "crm.example", "--cors-origin", "https://crm.example"]);
    assert_eq!(insula.fails(&["tenant", "create", "crm"]).0, 4);
    assert_eq!(insula.fails(&["tenant", "create", "No!"]).0, 2);
    assert_eq!(insula.json(&["tenant", "suspend", "crm"])["status"], "suspended");
    assert_eq!(insula.json(&["tenant", "resume", "crm"])["status"], "active");
    insula.ok(&["tenant", "set", "crm", "--no-cors"]);
    assert_eq!(insula.json(&["tenant", "show", "crm"])["cors_origins"], serde_json::json!([]));
    assert_eq!(insula.json(&["tenant", "list"]).as_array().unwrap().len(), 2);
    let first = insula.json(&["tenant", "list"]).as_array().unwrap().iter().find(|one| one["number"] == 1).cloned();
    let first = first.unwrap()["name"].as_str().unwrap().to_owned();
    let (code, told) = insula.fails(&["tenant", "delete", &first, "--yes"]);
    assert!(code == 4 && told.contains("delete the others first"), "{told}");
    for reserved in ["control", "crm-system"] {
        let (code, told) = insula.fails(&["tenant", "create", reserved]);
        assert!(code == 2 && told.contains("Insula keeps its own there"), "{told}");
    }
    let (code, told) = insula.fails(&["tenant", "delete", "crm"]);
    assert!(code == 2 && told.contains("--yes"), "{told}");
    insula.ok(&["tenant", "delete", "crm", "--yes"]);
    assert_eq!(insula.fails(&["tenant", "show", "crm"]).0, 3);
    insula.ok(&["tenant", "delete", &first, "--yes"]);
}

#[test]
fn users_and_groups_are_made_and_changed() {
    let insula = Insula::initialised();
    let file = insula.path("password");
    fs::write(&file, "correct horse battery\n").unwrap();
    let uma = ["user", "create", "uma", "--group", "users", "--password-file", file.to_str().unwrap()];
    assert_eq!(insula.json(&uma)["password"], Value::Null);
    assert_eq!(insula.fails(&uma).0, 4);
    assert_eq!(insula.json(&["user", "set-group", "UMA", "moderators"])["power"], 70);
    assert_eq!(insula.json(&["user", "suspend", "uma"])["status"], "suspended");
    assert_eq!(insula.json(&["user", "resume", "uma"])["status"], "active");
    assert!(insula.json(&["user", "set-password", "uma"])["password"].is_string());
    assert_eq!(insula.fails(&["user", "suspend", "nobody"]).0, 3);
    assert_eq!(insula.json(&["user", "list"]).as_array().unwrap().len(), 2);

    let set = |rules: &[&str]| insula.json(&[&["group", "set", "editors"], rules].concat())[0].clone();
    assert_eq!(insula.fails(&["group", "set", "editors"]).0, 2, "a new group needs a power");
    set(&["--power", "50", "--rule", "items:r", "--rule", "notes:rwo", "--column-rule", "items.price:block"]);
    let group = set(&["--rule", "items:rw", "--ability", "explain", "--max-limit", "7", "--batch", "true"]);
    assert_eq!(group["rules"], serde_json::json!(["notes:rwo", "items:rw"]));
    assert_eq!((group["max_limit"].as_u64(), group["batch"].as_bool()), (Some(7), Some(true)));
    assert_eq!(set(&["--replace", "--rule", "*:r"])["column_rules"], serde_json::json!([]));
    assert_eq!(insula.fails(&["group", "set", "editors", "--rule", "items:rx"]).0, 2);
    assert_eq!(insula.fails(&["group", "remove", "moderators"]).0, 4);
    insula.ok(&["group", "remove", "editors"]);
}

#[test]
fn rows_go_in_and_out() {
    let insula = Insula::initialised();
    insula.migrate("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(8,2))");
    let file = insula.path("items.csv");
    let text = "id,name,price\n1,,1.50\n2,\"\",2.00\n3,\"a, \"\"b\"\"\",\n";
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(insula.json(&["import", "items", path])["rows"], 3);
    assert_eq!(insula.ok(&["export", "items"]), text);
    let lines = "{\"id\":1,\"name\":null,\"price\":1.50}\n";
    assert!(insula.ok(&["export", "items", "--format", "jsonl"]).starts_with(lines));
    assert_eq!(insula.fails(&["import", "nothing", path]).0, 3);
    assert_eq!(insula.fails(&["import", "items", path]).0, 1, "the keys are there already");
    insula.ok(&["export", "items", "--output", insula.path("out.csv").to_str().unwrap()]);
    assert_eq!(fs::read_to_string(insula.path("out.csv")).unwrap(), text);
}

/// Kills an import in its middle; what is missing then, and nothing else, is imported afterwards.
#[test]
fn a_killed_import_loses_and_doubles_nothing() {
    const ROWS: usize = 60_000;
    let insula = Insula::initialised();
    insula.migrate("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)");
    let file = insula.path("items.jsonl");
    let mut out = std::io::BufWriter::new(fs::File::create(&file).unwrap());
    for row in 0..ROWS {
        writeln!(out, "{{\"name\":\"item {row}\"}}").unwrap();
    }
    drop(out);
    let arguments = ["import", "items", file.to_str().unwrap(), "--resume", "--json"];
    let count = || insula.ok(&["export", "items", "--format", "jsonl"]).lines().count();
    let mut partial = 0;
    for wait in [150, 250, 400, 600, 900] {
        let mut import = insula.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        import.kill().unwrap();
        import.wait().unwrap();
        partial = count();
        if partial > 0 {
            break;
        }
    }
    assert!((1..ROWS).contains(&partial) && partial.is_multiple_of(500), "{partial}");
    let report: Value = serde_json::from_str(&insula.ok(&arguments)).unwrap();
    assert_eq!((report["rows"].as_u64(), report["resumed_after"].as_u64()), (Some(ROWS as u64), Some(partial as u64)));
    assert_eq!(count(), ROWS);
}

#[test]
fn the_configuration_is_checked_and_shown() {
    let insula = Insula::new();
    fs::write(insula.path("insula.toml"), "[server]\nname = \"Here\"\nlisten_on = 1\n").unwrap();
    let (code, told) = insula.fails(&["config", "check"]);
    assert!(code == 2 && told.contains("insula.toml:3") && told.contains("did you mean `listen`?"), "{told}");
    assert_eq!(insula.fails(&["serve"]).0, 2);
    fs::write(insula.path("insula.toml"), "master_key = \"no key\"\n").unwrap();
    assert_eq!(insula.fails(&["config", "check"]).0, 2);
    fs::write(insula.path("insula.toml"), "[server]\nname = \"Here\"\n").unwrap();
    insula.ok(&["config", "check"]);
    let shown = insula.json(&["config", "show"]);
    assert_eq!(shown["config"]["server"]["name"], "Here");
    assert!(shown["origins"]["server.name"].as_str().unwrap().ends_with("insula.toml:2"));
    assert_eq!(shown["config"]["store"]["database"], "***");
}

#[test]
fn usage_is_told() {
    let insula = Insula::new();
    assert_eq!(insula.fails(&["no-such-command"]).0, 2);
    let (code, told) = insula.fails(&["user", "list"]);
    assert!(code == 3 && told.contains("insula init"), "{told}");
    let (code, told) = insula.fails(&["tenant", "show", "x", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, told["reason"].as_str()), (3, Some("not_found")));
    let document: Value = serde_json::from_str(&insula.ok(&["openapi"])).unwrap();
    assert!(document["paths"]["/query"]["post"].is_object() && document["paths"]["/auth/login"]["post"].is_object());
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(file: &Path) -> Value {
    let begun = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file) {
            return serde_json::from_str(&text).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{} was not written", file.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_server_tells_when_it_is_ready_and_ends_on_a_signal() {
    let insula = Insula::new();
    let ready = insula.path("ready.json");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--ready-file", ready.to_str().unwrap()];
    let mut serving = Serving(insula.command(&serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let told = wait_for(&ready);
    assert!(told["url"].as_str().unwrap().starts_with("http://127.0.0.1:") && told["tenant"].is_null(), "{told}");
    let token = insula.path("data/setup-token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);

    // The command line works beside the server.
    insula.ok(&["init", "--domain", "shop.example"]);
    assert!(!token.exists());

    let ended = Command::new("kill").arg(serving.0.id().to_string()).status().unwrap();
    assert!(ended.success());
    assert!(serving.0.wait().unwrap().success());
    let mut out = String::new();
    std::io::Read::read_to_string(serving.0.stdout.as_mut().unwrap(), &mut out).unwrap();
    assert!(out.contains("insula init --domain") && out.contains("Setup token"), "{out}");
}
