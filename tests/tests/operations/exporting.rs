//! A tenant is carried away as a whole, without secrets.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use insula_tests::{Backend, Outside, Program, on_all_databases};
use serde_json::Value as Json;

use crate::{adopted, tenant};

on_all_databases!(
    what_is_carried_away_comes_in_elsewhere,
    an_adopted_database_is_carried_away_with_its_users,
    a_tenant_changes_its_domain
);

const TABLES: &str = "CREATE TABLE pets (id SERIAL, name VARCHAR(40), price DECIMAL(10,2), tree JSON, raw BYTES, seen MOMENT); \
    CREATE TABLE notes (body VARCHAR(200)); CREATE VIEW names AS SELECT name FROM pets";

/// All files below a folder, by their paths in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            found.extend(files(&path));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lines(file: &Path) -> Vec<Json> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn object(file: &Path) -> Json {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

async fn what_is_carried_away_comes_in_elsewhere(backend: Backend) {
    let program = Program::initialised(backend);
    program.user(&program.tenant, "ada", "users");
    program.tables(TABLES);
    let rows = (1..=2_500).map(|number| {
        format!(
            r#"{{"id":{number},"name":"pet \"{number}\"\n","price":{number}.25,"tree":{{"n":[{number}]}},"raw":"AAEC/w==","seen":"2026-02-28T23:59:59.123456Z"}}"#
        )
    });
    let file = program.file("pets.jsonl", &rows.collect::<Vec<_>>().join("\n"));
    program.ok(&["import", "pets", &file]);
    let file = program.file("notes.jsonl", "{\"body\":\"one\"}\n{\"body\":null}\n{\"body\":\"one\"}\n");
    program.ok(&["import", "notes", &file]);
    let folder = program.path("data/tenants").join(&program.tenant);
    fs::write(folder.join("rules.toml"), "# no rules\n").unwrap();
    fs::write(folder.join("identity.toml"), "# may hold secrets\n").unwrap();
    // A session, a signing key and its hash are there to be left out.
    let serving = program.serve().await;
    serving.user(&program.tenant, "ada").await;
    drop(serving);

    let to = program.path("carried");
    let told = program.json(&["tenant", "export", &program.tenant, "--to", to.to_str().unwrap()]);
    assert_eq!(
        (told["tables"].as_u64(), told["rows"].as_u64(), told["users"].as_u64()),
        (Some(2), Some(2_503), Some(2))
    );
    let all = files(&to);
    let names: Vec<_> = all.iter().map(|path| path.strip_prefix(&to).unwrap().to_str().unwrap()).collect();
    let expected = [
        "files/migrations/0001_tables.sql",
        "files/rules.toml",
        "groups.jsonl",
        "linked_accounts.jsonl",
        "profiles.jsonl",
        "tables/notes.jsonl",
        "tables/pets.jsonl",
        "tables.json",
        "tenant.json",
        "users.jsonl",
    ];
    assert_eq!(names, expected);
    for file in &all {
        let text = fs::read_to_string(file).unwrap();
        for secret in ["argon2", "sealed:", "password", "PRIVATE", "token_hash", "login_string", "pin_code"] {
            assert!(!text.contains(secret), "{} holds {secret}", file.display());
        }
    }
    let tenant = object(&to.join("tenant.json"));
    assert_eq!((tenant["name"].as_str().unwrap(), tenant["status"].as_str().unwrap()), (&*program.tenant, "active"));
    assert_eq!(tenant["domain"], format!("{}.test", program.tenant));
    let users = lines(&to.join("users.jsonl"));
    assert_eq!(users.iter().map(|user| user["username"].as_str().unwrap()).collect::<Vec<_>>(), ["admin", "ada"]);
    let groups = lines(&to.join("groups.jsonl"));
    assert!(groups.iter().any(|group| group["id"] == users[1]["group_id"] && group["name"] == "users"));
    let tables = object(&to.join("tables.json"));
    let views: Vec<_> = tables.as_array().unwrap().iter().filter(|table| table["view"] == true).collect();
    assert!(views.len() == 1 && views[0]["name"] == "names" && views[0]["file"].is_null(), "{tables}");

    // The same rows in another tenant give the same files.
    let other = format!("{}o", program.tenant);
    program.ok(&["tenant", "create", &other]);
    let migrations = program.path("data/tenants").join(&other).join("migrations");
    fs::create_dir_all(&migrations).unwrap();
    fs::copy(to.join("files/migrations/0001_tables.sql"), migrations.join("0001_tables.sql")).unwrap();
    program.ok(&["migrate", "--tenant", &other]);
    for table in tables.as_array().unwrap().iter().filter(|table| table["view"] == false) {
        let file = to.join(table["file"].as_str().unwrap());
        let told =
            program.json(&["import", table["name"].as_str().unwrap(), file.to_str().unwrap(), "--tenant", &other]);
        assert_eq!(told["rows"], table["rows"]);
    }
    let again = program.path("again");
    program.ok(&["tenant", "export", &other, "--to", again.to_str().unwrap()]);
    for file in ["tables.json", "tables/pets.jsonl", "tables/notes.jsonl", "files/migrations/0001_tables.sql"] {
        assert!(fs::read(to.join(file)).unwrap() == fs::read(again.join(file)).unwrap(), "{file} differs");
    }

    // A folder that is there is left as it is; hashes are there for those who ask for them.
    let (code, said) = program.fails(&["tenant", "export", &other, "--to", to.to_str().unwrap()]);
    assert!(code == 2 && said.contains("is there already"), "{said}");
    let hashes = program.path("hashes");
    let export = ["tenant", "export", &program.tenant, "--to", hashes.to_str().unwrap(), "--with-password-hashes"];
    program.ok(&export);
    assert!(lines(&hashes.join("users.jsonl"))[1]["password"].as_str().unwrap().starts_with("$argon2id$"));
    assert_eq!(program.fails(&["tenant", "export", "nobody", "--to", "nowhere"]).0, 3);
    let left: Vec<_> = fs::read_dir(program.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".insula-export")), "{left:?}");
    program.end();
}

async fn an_adopted_database_is_carried_away_with_its_users(backend: Backend) {
    let outside = Outside::new(backend).await;
    let table = "CREATE TABLE \"odd name\" (id SERIAL, note VARCHAR(40)); INSERT INTO \"odd name\" (note) VALUES ('a')";
    let table = backend.spelled(table);
    outside.run(&if backend == Backend::Mariadb { table.replace('"', "`") } else { table }).await;
    let beside = Outside::new(Backend::Sqlite).await;
    let system = if backend == Backend::Sqlite { beside.url() } else { backend.url() };
    let program = adopted(&outside, &["--system-database", &system]);
    let name = tenant(&outside);
    program.user(&name, "uma", "users");
    let to = program.path("carried");
    program.ok(&["tenant", "export", &name, "--to", to.to_str().unwrap()]);
    assert_eq!(lines(&to.join("tables/odd%20name.jsonl")), [serde_json::json!({"id": 1, "note": "a"})]);
    assert_eq!(lines(&to.join("users.jsonl"))[0]["username"], "uma");
    program.end();
    beside.end().await;
    outside.end().await;
}

async fn a_tenant_changes_its_domain(backend: Backend) {
    let program = Program::initialised(backend);
    let (name, other) = (&program.tenant, format!("{}o", program.tenant));
    program.user(name, "ada", "users");
    program.ok(&["tenant", "create", &other, "--domain", &format!("{other}.test")]);
    let serving = program.serve().await;
    serving.user(name, "ada").await;
    let set = |domain: &[&str]| program.run(&[&["tenant", "set", name], domain].concat());
    assert_eq!(set(&["--domain", &format!("{other}.test")]).status.code(), Some(4));
    assert_eq!(set(&["--domain", "not a domain"]).status.code(), Some(2));
    assert_eq!(set(&[]).status.code(), Some(2));
    let shown = program.json(&["tenant", "set", name, "--domain", &format!("New-{name}.TEST.")]);
    assert_eq!(shown["domain"], format!("new-{name}.test"));
    let status = async |host: String| serving.anonymous().at_host(host).get("/auth/status").await.status;
    insula_tests::until("the new domain answers", std::time::Duration::from_secs(5), async || {
        status(format!("api.new-{name}.test")).await == 401 && status(format!("api.{name}.test")).await == 421
    })
    .await;
    assert_eq!(program.json(&["tenant", "set", name, "--no-domain"])["domain"], Json::Null);
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_rows_are_carried_away_in_smaller_pages() {
    let program = Program::initialised(Backend::Sqlite);
    program.tables(
        "CREATE TABLE pictures (id SERIAL, body TEXT);
        INSERT INTO pictures WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)
            SELECT i, hex(zeroblob(500000)) FROM n",
    );
    let file = program.path("pictures.jsonl");
    program.ok(&["export", "pictures", "--output", file.to_str().unwrap()]);
    let ids: Vec<_> = lines(&file).iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=70).collect::<Vec<_>>());
    program.end();
}
