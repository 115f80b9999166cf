//! Moving the keys of another back end in: every class of them, from files and live tables, and never one lost.

use std::{fmt::Write, os::unix::fs::PermissionsExt, process::Stdio, time::Duration};

use insula_tests::{Answer, Backend, Client, Outside, Program, Serving, on_all_databases, until};
use serde_json::{Value as Json, json};

on_all_databases!(
    a_file_of_every_class,
    json_lines_without_ids,
    a_table_beside_the_tenants_own,
    a_table_of_another_database,
    what_the_operator_says,
    a_killed_import_loses_nothing,
    a_killed_import_beside_the_tenants_own_is_whole,
);

const RAW: &str = "acme_live_q7Xv2mNpL9sKd4RtYw8ZbA1c";
const OTHER_RAW: &str = "zJ4hQ8tR2vN6yB0wK5xP9mC3";

/// A key of each class, with its class and its owner as the old back end has it. The secret of an outside service is put
/// together here, so that no scanner takes it for one.
fn fixtures() -> Vec<(String, &'static str, &'static str)> {
    let stripe = format!("sk_{}_4eC39HqLyjWDarjtT1zdp7dc", "live");
    let ours = "ins_sk_000";
    [
        (RAW, "raw", "uma"),
        (OTHER_RAW, "raw", "otto@example.com"),
        ("letmein-2019", "weak", "uma"),
        ("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "weak", "3"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "hash", "uma"),
        ("5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", "hash", "otto"),
        ("U2FsdGVkX1+vupppZksvRf5pq5g5XjFRlipRkwB0K1Y=", "cipher", "uma"),
        ("000102030405060708090a0b0c0d0e0f:3ad77bb40d7a3660a89ecaf32466ef97", "cipher", "otto"),
        (stripe.as_str(), "third_party", "nobody-here"),
        (ours, "own", "uma"),
        ("hJ7dK2mQ9xW4vB8nT5rY1zL6", "raw", "nobody-here"),
    ]
    .map(|(text, class, owner)| (text.to_owned(), class, owner))
    .into()
}

/// What the report says of [`fixtures`].
fn expected(applied: bool) -> Json {
    json!({
        "applied": applied, "rows": 11, "kept": 2, "rotation_due": 6, "sealed": 1, "known": 0, "own": 1, "unowned": 1,
        "classes": {"raw": 3, "weak": 2, "hash": 2, "cipher": 2, "third_party": 1, "own": 1},
    })
}

fn holds(report: &Json, expected: &Json) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&report[field], value, "{field} in {report}");
    }
}

/// A program with the owners of the fixtures: `admin` is user 1, `uma` 2 and `otto` 3.
fn program(backend: Backend) -> Program {
    let program = Program::initialised(backend);
    program.user(&program.tenant, "uma", "users");
    let password = program.file("secret", "correct horse battery");
    let otto = ["user", "create", "otto", "--group", "users", "--email", "otto@example.com"];
    program.ok(&[&otto[..], &["--password-file", &password]].concat());
    program
}

fn caller(program: &Program, serving: &Serving, key: &str) -> Client {
    serving.anonymous().at_host(format!("api.{}.test", program.tenant)).with_token(key)
}

async fn myself(program: &Program, serving: &Serving, key: &str) -> Answer {
    caller(program, serving, key).get("/auth/keys/self").await
}

/// What is true of the fixtures once they are in.
async fn are_in(program: &Program, never_lay_there: bool) {
    let serving = program.serve().await;
    let kept = myself(program, &serving, RAW).await;
    let said = (&kept.body["kind"], &kept.body["user_id"], &kept.body["scopes"], &kept.body["group"]);
    assert_eq!(said, (&json!("pat"), &json!(2), &json!(["data.read"]), &json!("users")), "{}", kept.text);
    assert_eq!(myself(program, &serving, OTHER_RAW).await.body["user_id"], 3);
    for (text, class, _) in fixtures() {
        let answer = myself(program, &serving, &text).await;
        let refused = (answer.status, answer.body["reason"].as_str().unwrap_or_default());
        match class {
            "raw" if text == RAW || text == OTHER_RAW => assert_eq!(answer.status, 200),
            "weak" | "hash" | "cipher" if text.len() >= 20 => assert_eq!(refused, (401, "key_revoked"), "{text}"),
            "own" => assert_eq!(refused, (401, "key_invalid")),
            _ => assert_eq!(refused, (401, "session_invalid"), "{text}"),
        }
    }
    // Its owner puts a new key in its place, with what the old one may.
    let uma = serving.user(&program.tenant, "uma").await;
    let keys = uma.get("/auth/keys").await.body["keys"].clone();
    let keys = keys.as_array().unwrap();
    let state = |state: &str| keys.iter().filter(|key| key["state"] == state).collect::<Vec<_>>();
    assert_eq!((state("live").len(), state("rotation_due").len()), (1, 3), "{keys:?}");
    assert!(state("live")[0]["expires_at"].is_string());
    for (old, refused_afterwards) in [(state("rotation_due")[0], true), (state("live")[0], false)] {
        let path = format!("/auth/keys/{}/rotate", old["id"].as_str().unwrap());
        let new = uma.post(&path, &json!({})).await;
        assert_eq!((new.status, &new.body["key"]["rotated_from"]), (201, &old["id"]), "{}", new.text);
        let secret = new.body["secret"].as_str().unwrap();
        assert_eq!(myself(program, &serving, secret).await.body["scopes"], json!(["data.read"]));
        assert_eq!(uma.post(&path, &json!({})).await.refusal(), (409, "conflict"));
        let state = &uma.get(&format!("/auth/keys/{}", old["id"].as_str().unwrap())).await.body["key"]["state"];
        assert_eq!(state == "revoked", refused_afterwards);
    }
    assert_eq!(myself(program, &serving, RAW).await.status, 200, "the old key lives on for the overlap");
    // Without a tenant of their own they are good at their tenant's host alone.
    assert_eq!(program.json(&["key", "list", "--user", "otto"]).as_array().unwrap().len(), 4);
    drop(serving);
    // The secret of the outside service lies sealed, and can be taken out.
    let secrets = program.json(&["key", "secret", "list"]);
    assert_eq!(secrets[0]["provider"], "stripe");
    let id = secrets[0]["id"].as_str().unwrap();
    let stripe = fixtures().into_iter().find(|(_, class, _)| *class == "third_party").unwrap().0;
    assert_eq!(program.ok(&["key", "secret", "reveal", id]).trim(), stripe);
    if never_lay_there && program.backend == Backend::Sqlite {
        let folder = program.path("data/tenants").join(&program.tenant);
        let mut bytes = std::fs::read(folder.join("insula.db")).unwrap();
        bytes.extend(std::fs::read(folder.join("insula.db-wal")).unwrap_or_default());
        for (text, class, _) in fixtures().iter().filter(|(text, class, _)| *class != "own" && text.len() >= 20) {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{class}: {text}");
        }
    }
    program.ok(&["key", "secret", "remove", id]);
    assert_eq!(program.fails(&["key", "secret", "reveal", id]).0, 3);
}

fn csv() -> String {
    let mut text = "id,owner,api_key\n".to_owned();
    for (number, (key, _, owner)) in fixtures().iter().enumerate() {
        writeln!(text, "{number},{owner},\"{key}\"").unwrap();
    }
    text + "99,uma,\n100,uma,   \n"
}

async fn a_file_of_every_class(backend: Backend) {
    let program = program(backend);
    let file = program.file("keys.csv", &csv());
    let import = [
        "key",
        "import",
        &file,
        "--column",
        "api_key",
        "--id-column",
        "id",
        "--owner-column",
        "owner",
        "--scope",
        "data.read",
        "--scope",
        "users.manage",
    ];
    // Nothing is written unless that is asked for.
    let dry = program.json(&import);
    holds(&dry, &expected(false));
    assert_eq!(program.json(&["key", "list"]), json!([]));
    assert_eq!(program.json(&["key", "secret", "list"]), json!([]));
    let due: Vec<_> = dry["named"].as_array().unwrap().iter().map(|it| it["from"].as_str().unwrap()).collect();
    assert!(due.contains(&"keys.csv#4") && due.contains(&"keys.csv#10"), "{dry}");
    let text = program.ok(&import);
    assert!(text.contains("--apply") && !text.contains(RAW), "{text}");
    let apply = [&import[..], &["--apply"]].concat();
    holds(&program.json(&apply), &expected(true));
    // Again does no harm, and finds what it knows.
    for again in [&import[..], &apply] {
        holds(&program.json(again), &json!({"kept": 0, "rotation_due": 0, "sealed": 0, "known": 9, "unowned": 1}));
    }
    are_in(&program, true).await;
    program.end();
}

async fn json_lines_without_ids(backend: Backend) {
    let program = program(backend);
    let mut text = String::new();
    for (key, _, owner) in fixtures() {
        writeln!(text, "{}", json!({"owner": owner, "key": {"k": 1}, "api_key": key, "label": "from before"})).unwrap();
    }
    let file = program.file("keys.jsonl", &(text + "\n{\"api_key\":null}\n{}\n"));
    let import = [
        "key",
        "import",
        &file,
        "--column",
        "api_key",
        "--owner-column",
        "owner",
        "--name-column",
        "label",
        "--scope",
        "data.read",
        "--apply",
    ];
    holds(&program.json(&import), &expected(true));
    holds(&program.json(&import), &json!({"known": 9, "kept": 0, "rotation_due": 0, "sealed": 0}));
    assert!(program.json(&["key", "list"]).as_array().unwrap().iter().all(|key| key["name"] == "from before"));
    are_in(&program, true).await;
    let broken = program.file("broken.jsonl", &format!("{{\"api_key\":\"{RAW}\"\n"));
    let (code, said) = program.fails(&["key", "import", &broken, "--column", "api_key"]);
    assert!(code == 2 && said.contains("line 1") && !said.contains(RAW), "{said}");
    program.end();
}

/// The statements that make an old table with the fixtures.
fn table() -> String {
    let mut sql =
        "CREATE TABLE legacy_keys (id BIGINT PRIMARY KEY, owner VARCHAR(40), api_key VARCHAR(200))".to_owned();
    for (number, (key, _, owner)) in fixtures().iter().enumerate() {
        write!(sql, "; INSERT INTO legacy_keys VALUES ({number}, '{owner}', '{key}')").unwrap();
    }
    sql + "; INSERT INTO legacy_keys VALUES (99, 'uma', NULL); INSERT INTO legacy_keys VALUES (100, 'uma', '')"
}

const FROM_TABLE: [&str; 8] =
    ["key", "import", "--table", "legacy_keys", "--column", "api_key", "--owner-column", "owner"];

async fn a_table_beside_the_tenants_own(backend: Backend) {
    let program = program(backend);
    program.tables(&table());
    let import = [&FROM_TABLE[..], &["--scope", "data.read"]].concat();
    let left = async || {
        let serving = program.serve().await;
        let admin = serving.user(&program.tenant, "ada").await;
        let select = json!({"action": "select", "table": "legacy_keys", "columns": ["id", "api_key"], "limit": 100});
        let rows = admin.query(select).await.data().clone();
        rows.as_array().unwrap().iter().filter(|row| row["api_key"].as_str().is_some_and(|key| !key.is_empty())).count()
    };
    program.user(&program.tenant, "ada", "administrators");
    holds(&program.json(&import), &expected(false));
    assert_eq!(left().await, 11);
    let keep = program.json(&[&import[..], &["--apply", "--keep-source"]].concat());
    holds(&keep, &expected(true));
    assert_eq!((&keep["blanked"], left().await), (&json!(0), 11));
    let apply = [&import[..], &["--apply"]].concat();
    // What was written before is blanked now.
    holds(&program.json(&apply), &json!({"known": 9, "kept": 0, "blanked": 9, "not_blanked": null, "rows": 11}));
    assert_eq!(left().await, 2, "Insula's own key and that of nobody stay");
    holds(&program.json(&apply), &json!({"rows": 2, "known": 0, "blanked": 0, "own": 1, "unowned": 1}));
    are_in(&program, false).await;
    // Whoever had no owner gets one.
    let rest = program.json(&[&apply[..], &["--user", "uma"]].concat());
    holds(&rest, &json!({"kept": 1, "blanked": 1, "unowned": 0}));
    for (arguments, code, said) in [
        (&["--table", "nothing", "--column", "api_key"][..], 3, "nothing"),
        (&["--table", "legacy_keys", "--column", "nothing"], 3, "nothing"),
        (&["--table", "legacy_keys", "--column", "api_key", "--id-column", "owner"], 2, "owner"),
        (&["--table", "_users", "--column", "password"], 3, "_users"),
        (&["--column", "api_key"], 2, "FILE"),
        (&["--table", "legacy_keys", "--column", "api_key", "--kind", "pk"], 2, "publishable"),
        (&["--table", "legacy_keys", "--column", "api_key", "--scope", "everything"], 2, "everything"),
    ] {
        let (got, told) = program.fails(&[&["key", "import"], arguments].concat());
        assert!(got == code && told.contains(said), "{arguments:?}: {got} {told}");
    }
    program.end();
}

async fn a_table_of_another_database(backend: Backend) {
    let program = program(backend);
    let outside = Outside::new(backend).await;
    outside.run(&table()).await;
    let left = async || outside.number("SELECT count(*) FROM legacy_keys WHERE api_key <> ''").await;
    let url = program.file("url", &outside.url());
    std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o600)).unwrap();
    let import = [&FROM_TABLE[..], &["--scope", "data.read", "--from-file", &url]].concat();
    holds(&program.json(&import), &expected(false));
    assert_eq!(left().await, 11);
    let applied = program.json(&[&import[..], &["--apply"]].concat());
    holds(&applied, &expected(true));
    assert_eq!((&applied["blanked"], left().await), (&json!(9), 2));
    let source = applied["source"].as_str().unwrap();
    assert!(source.ends_with("/legacy_keys") && !source.contains('@') && !source.contains('?'), "{source}");
    // The same with the URL as an argument; there is nothing left to do.
    let url = outside.url();
    let again = [&FROM_TABLE[..], &["--scope", "data.read", "--apply", "--from", &url]].concat();
    holds(&program.json(&again), &json!({"rows": 2, "kept": 0, "blanked": 0}));
    are_in(&program, true).await;
    // Where nothing may be changed the keys are moved in all the same, and that they lie there still is told.
    outside
        .run(
            "CREATE TABLE more (api_key VARCHAR(60) PRIMARY KEY); INSERT INTO more VALUES ('mN5bV8cX2zL7kJ4hG9fD3sA6')",
        )
        .await;
    let more = [
        "key",
        "import",
        "--table",
        "more",
        "--column",
        "api_key",
        "--user",
        "uma",
        "--scope",
        "data.read",
        "--apply",
        "--from",
        &outside.url(),
    ];
    let report = program.json(&more);
    holds(&report, &json!({"kept": 1, "blanked": 0}));
    assert!(report["not_blanked"].as_str().unwrap().contains("primary key"), "{report}");
    holds(&program.json(&more), &json!({"kept": 0, "known": 1}));
    if backend == Backend::Mariadb {
        let name = &outside.name;
        outside
            .run(&format!(
                "CREATE USER '{name}' IDENTIFIED BY 'p'; GRANT SELECT ON {name}.* TO '{name}'; \
            INSERT INTO legacy_keys VALUES (200, 'uma', 'kD4gH7jL2zX9cV5bN8mQ3wE6')"
            ))
            .await;
        let rest = outside.url().rsplit_once('@').unwrap().1.to_owned();
        let reading = format!("mysql://{name}:p@{rest}");
        let report =
            program.json(&[&FROM_TABLE[..], &["--scope", "data.read", "--apply", "--from", &reading]].concat());
        holds(&report, &json!({"kept": 1, "blanked": 0}));
        assert!(report["not_blanked"].as_str().unwrap().contains("refuses"), "{report}");
        outside.run(&format!("DROP USER '{name}'")).await;
    }
    outside.end().await;
    program.end();
}

/// Looks deceive: a hash may be a key, and a key may be a hash.
async fn what_the_operator_says(backend: Backend) {
    let program = program(backend);
    let hex = "9f86d081884c7d659a2feaa0c55ad015";
    let file = program.file("keys.csv", &format!("api_key\n{hex}\nletmein\n{RAW}\n"));
    let import = |class: &str| {
        let import = ["key", "import", &file, "--column", "api_key", "--user", "uma", "--scope", "data.read"];
        program.json(&[&import[..], &["--class", class]].concat())
    };
    holds(&import("auto"), &json!({"classes": {"hash": 1, "weak": 1, "raw": 1}, "kept": 1, "rotation_due": 2}));
    holds(&import("raw"), &json!({"classes": {"weak": 1, "raw": 2}, "kept": 2, "rotation_due": 1}));
    holds(&import("hash"), &json!({"classes": {"hash": 3}, "kept": 0, "rotation_due": 3}));
    holds(&import("cipher"), &json!({"classes": {"cipher": 3}, "kept": 0, "rotation_due": 3}));
    holds(&import("third-party"), &json!({"classes": {"third_party": 3}, "kept": 0, "sealed": 3}));
    // Where one row is enciphered, another of its length that happens to look like a key is as well.
    let cipher = "AAECAwQFBgcICQoLDA0ODzrXe7QNejZgqJ7K8yRm75c=";
    let lookalike = "AAECAwQFBgcICQoLDA0ODzrXe7QNejZgqJ7K8yRm75c4";
    let file = program.file("column.csv", &format!("api_key\n{lookalike}\n{cipher}\n"));
    let report =
        program.json(&["key", "import", &file, "--column", "api_key", "--user", "uma", "--scope", "data.read"]);
    holds(&report, &json!({"classes": {"cipher": 2}}));
    // Without a scope that its owner has, nothing can be kept.
    let file = program.file("one.csv", &format!("api_key\n{RAW}\n"));
    for scope in [&[][..], &["--scope", "users.manage"]] {
        let import = ["key", "import", &file, "--column", "api_key", "--user", "uma"];
        holds(&program.json(&[&import[..], scope].concat()), &json!({"kept": 0, "rotation_due": 1}));
    }
    // Server keys of a group.
    let import = [
        "key",
        "import",
        &file,
        "--column",
        "api_key",
        "--user",
        "admin",
        "--scope",
        "data.read",
        "--kind",
        "sk",
        "--group",
        "users",
        "--apply",
    ];
    holds(&program.json(&import), &json!({"kept": 1}));
    let serving = program.serve().await;
    let own = myself(&program, &serving, RAW).await;
    assert_eq!(
        (&own.body["kind"], &own.body["group"], &own.body["user_id"]),
        (&json!("sk"), &json!("users"), &json!(null))
    );
    drop(serving);
    program.end();
}

/// How many keys a killed import is about.
const MANY: usize = 2_000;

fn many(number: usize) -> String {
    format!("old_{number:05}xQ7vM2nP9sK4dR8tY3wZ6bA1cF5g")
}

/// The statements that make an old table of many keys of `uma`.
fn table_of_many() -> String {
    let mut sql =
        "CREATE TABLE legacy_keys (id BIGINT PRIMARY KEY, owner VARCHAR(40), api_key VARCHAR(200))".to_owned();
    for number in 0..MANY {
        sql.push_str(if number % 500 == 0 { "; INSERT INTO legacy_keys VALUES " } else { ", " });
        write!(sql, "({number}, 'uma', '{}')", many(number)).unwrap();
    }
    sql
}

/// Begins an import and kills it once it has blanked some keys. Tells how many are here and how many are left there.
async fn kill(program: &Program, import: &[&str], mut left: impl AsyncFnMut() -> usize) -> (usize, usize) {
    let before = left().await;
    let mut running = program.command(import).stdout(Stdio::null()).spawn().unwrap();
    until("some keys are moved", Duration::from_mins(1), async || left().await < before).await;
    running.kill().unwrap();
    running.wait().unwrap();
    let (here, there) = (program.json(&["key", "list"]).as_array().unwrap().len(), left().await);
    assert!(there > 0 && here < MANY, "the import was too quick to be killed: {here} and {there}");
    (here, there)
}

/// All keys are here, once, and good.
async fn all_are_in(program: &Program) {
    assert_eq!(program.json(&["key", "list"]).as_array().unwrap().len(), MANY);
    let serving = program.serve().await;
    for number in (0..MANY).step_by(97) {
        assert_eq!(myself(program, &serving, &many(number)).await.status, 200, "{number}");
    }
}

async fn a_killed_import_loses_nothing(backend: Backend) {
    let program = program(backend);
    let outside = Outside::new(backend).await;
    outside.run(&table_of_many()).await;
    let url = outside.url();
    let left = async || outside.number("SELECT count(*) FROM legacy_keys WHERE api_key IS NOT NULL").await as usize;
    let import = [&FROM_TABLE[..], &["--scope", "data.read", "--apply", "--from", &url]].concat();
    let mut there = MANY;
    for _ in 0..2 {
        let (here, left) = kill(&program, &import, left).await;
        assert!(here + left >= MANY && left < there, "{here} are here and {left} are there");
        there = left;
    }
    assert_eq!(program.json(&import)["rows"], json!(there));
    assert_eq!(left().await, 0);
    all_are_in(&program).await;
    outside.end().await;
    program.end();
}

async fn a_killed_import_beside_the_tenants_own_is_whole(backend: Backend) {
    let program = program(backend);
    program.tables(&table_of_many());
    let left = async || {
        let rows = program.ok(&["export", "legacy_keys"]);
        rows.lines().filter(|line| line.contains("old_")).count()
    };
    let import = [&FROM_TABLE[..], &["--scope", "data.read", "--apply"]].concat();
    let (here, there) = kill(&program, &import, left).await;
    assert_eq!(here + there, MANY, "{here} are here and {there} are there");
    assert_eq!(program.json(&import)["rows"], json!(there));
    assert_eq!(left().await, 0);
    all_are_in(&program).await;
    program.end();
}
