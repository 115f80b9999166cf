//! The installation's key changes while servers run, and whatever moment that is killed at.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use identity::NewUser;
use insula::{Config, Installation};
use insula_tests::{Backend, OwnPostgres, Program, Serving, on_all_databases};
use kernel::{ByteSize, Secret, seal::SealingKey};
use mysql_async::prelude::Queryable;
use serde_json::json;
use store::NewTenant;

on_all_databases!(a_running_server_goes_on);

const TENANTS: usize = 50;
const ROUNDS: u32 = 10;
/// How often a file is looked for.
const TICK: Duration = Duration::from_micros(200);
const PASSWORD: &str = "correct horse battery";

/// Makes tenants `many-0`, `many-1` … with a user `ada` each.
async fn many(data: &Path) {
    let mut config = Config { data: data.to_owned(), ..Config::default() };
    config.identity.password_memory = ByteSize(1 << 20);
    config.identity.password_passes = std::num::NonZeroU32::MIN;
    let installation = Installation::open(config).await.unwrap();
    for number in 0..TENANTS {
        let name = format!("many-{number}");
        let new = NewTenant { domain: Some(format!("{name}.test")), name, ..NewTenant::default() };
        let identity = installation.features.identity.clone();
        let seed = installation.tenants.create(new, move |_, open| {
            let ada = NewUser {
                username: "ada".into(),
                password: Some(Secret::new(PASSWORD)),
                group: Some("users".into()),
                ..NewUser::default()
            };
            Box::pin(async move { identity.create_user(open, ada).await.map(drop) })
        });
        seed.await.unwrap();
    }
}

async fn all_log_in(serving: &Serving) {
    for number in 0..TENANTS {
        let caller = serving.anonymous().at_host(format!("api.many-{number}.test"));
        let caller = caller.log_in("ada", PASSWORD).await;
        assert_eq!(caller.get("/permissions").await.status, 200);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_is_done_or_not() {
    let program = Program::new(Backend::Sqlite);
    many(&program.path("data")).await;
    let (key, next) = (program.path("data/master.key"), program.path("data/master.key.next"));
    let read = || fs::read_to_string(&key).unwrap();
    let rotate = || program.command(&["key", "rotate-master"]).stdout(Stdio::null()).spawn().unwrap();
    let mut one = rotate();
    let begun = Instant::now();
    while !next.exists() {
        thread::sleep(TICK);
    }
    let wrote_key = begun.elapsed();
    assert!(one.wait().unwrap().success() && mode(&key) == 0o600);
    let work = begun.elapsed().saturating_sub(wrote_key);
    let (mut killed, mut left) = (0, 0);
    for round in 0..ROUNDS {
        let before = read();
        let mut child = rotate();
        // At any moment of its life in one round, at one of its work in the next.
        let share = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        if round % 2 == 0 {
            thread::sleep((wrote_key + work).mul_f64(share));
        } else {
            while !next.exists() && child.try_wait().unwrap().is_none() {
                thread::sleep(TICK);
            }
            thread::sleep(work.mul_f64(share * 0.9));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        killed += u32::from(!status.success());
        left += u32::from(next.exists());
        println!("round {round}: {status}, next key there: {}, changed: {}", next.exists(), read() != before);
        let serving = program.serve().await;
        assert!(!next.exists(), "the start neither finished nor undid it");
        all_log_in(&serving).await;
        drop(serving);
    }
    assert!(killed > 0, "no round was killed, so that they prove nothing");
    println!("{killed} of {ROUNDS} were killed before their end, {left} left the next key behind");
    let old = fs::read(&key).unwrap();
    program.ok(&["key", "rotate-master"]);
    assert_ne!(fs::read(&key).unwrap(), old);
}

/// Every moment between two steps, one after the other: what lies in the folder is what a killed process left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_a_rotation_can_be_the_last() {
    let program = Program::initialised(Backend::Sqlite);
    let (key, next) = (program.path("data/master.key"), program.path("data/master.key.next"));
    let read = || fs::read_to_string(&key).unwrap();
    let old = read();
    // The new key was written, no more.
    let new = SealingKey::generate();
    fs::write(&next, new.to_text()).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    program.ok(&["user", "list"]);
    assert!(!next.exists() && read() == old, "what did not begin is undone");
    // All was wrapped anew, but the old key is still in its place.
    program.ok(&["key", "rotate-master"]);
    fs::rename(&key, &next).unwrap();
    fs::write(&key, &old).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    program.ok(&["user", "list"]);
    assert!(!next.exists() && read() != old, "what was done is finished");
    // The old key alone is refused with a sentence that says what to do.
    let current = read();
    fs::write(&key, &old).unwrap();
    let (code, told) = program.fails(&["user", "list"]);
    let ids = [&old, &current].map(|text| SealingKey::from_text(text).unwrap().id().to_owned());
    assert_eq!(code, 1, "{told}");
    for word in [ids[0].as_str(), &ids[1], "previous_master_key", "insula key rotate-master"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    assert!(!told.contains(old.trim()) && !told.contains(current.trim()));
    fs::write(&key, &current).unwrap();
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_changes_the_key_at_a_time() {
    let program = Program::initialised(Backend::Sqlite);
    let lock = fs::File::open(program.path("data/master.key")).unwrap();
    lock.lock().unwrap();
    let (code, told) = program.fails(&["key", "rotate-master"]);
    assert!(code == 4 && told.contains("just now"), "{code} {told}");
    // A start leaves a change alone that is under way.
    let next = program.file("data/master.key.next", &SealingKey::generate().to_text());
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    program.ok(&["user", "list"]);
    assert!(Path::new(&next).exists());
    drop(lock);
    program.end();
}

async fn a_running_server_goes_on(backend: Backend) {
    let program = Program::initialised(backend);
    let cold = format!("{}c", program.tenant);
    program.ok(&["tenant", "create", &cold, "--domain", &format!("{cold}.test")]);
    for tenant in [&program.tenant, &cold] {
        program.user(tenant, "ada", "administrators");
    }
    let serving = program.serve().await;
    let warm = serving.user(&program.tenant, "ada").await;
    for round in 0..3 {
        let rotated = program.json(&["key", "rotate-master"]);
        assert_eq!(rotated["rewrapped"], 2 + round);
        assert_eq!(rotated["key_id"].as_str().unwrap().len(), 12);
        assert_eq!(warm.get("/permissions").await.status, 200);
        // The first time it opens a tenant that it has not opened yet.
        serving.user(&cold, "ada").await;
        let fresh = format!("{cold}{round}");
        program.ok(&["tenant", "create", &fresh, "--domain", &format!("{fresh}.test")]);
        program.user(&fresh, "ada", "users");
        serving.user(&fresh, "ada").await;
    }
    drop(serving);
    program.end();
}

/// A rotation of a configured key, with a server of each kind running at the same time.
fn in_two_steps(program: &Program, databases: &[(&str, &str)]) {
    let file = |name: &str| program.path(name).to_str().unwrap().to_owned();
    let (old, new) = (file("old.key"), file("new.key"));
    fs::write(&old, SealingKey::generate().to_text()).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    let with = |arguments: &[&str], settings: &[(&str, &str)]| -> Command {
        let mut command = program.command(arguments);
        command.envs(databases.iter().copied()).envs(settings.iter().copied());
        command
    };
    let run = |arguments: &[&str], settings: &[(&str, &str)]| {
        let output = with(&[arguments, &["--json"]].concat(), settings).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let before = [("INSULA_MASTER_KEY_FILE", old.as_str())];
    let between = [("INSULA_MASTER_KEY_FILE", new.as_str()), ("INSULA_PREVIOUS_MASTER_KEY_FILE", &old)];
    let command = format!("[\"cat\", \"{new}\"]");
    let after = [("INSULA_MASTER_KEY_COMMAND", command.as_str())];
    let ok = |arguments: &[&str], settings: &[(&str, &str)]| {
        let (code, out, told) = run(arguments, settings);
        assert_eq!(code, 0, "{arguments:?}: {told}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap()
    };
    let name = &program.tenant;
    ok(&["init", "--name", name, "--domain", &format!("{name}.test")], &before);
    // Where the key is configured, the command says what to do.
    let (code, _, told) = run(&["key", "rotate-master"], &before);
    assert!(code == 2 && told.contains("--to-file"), "{code} {told}");
    let made = ok(&["key", "rotate-master", "--to-file", &new], &before);
    assert_eq!((made["rewrapped"].as_u64(), mode(Path::new(&new))), (Some(0), 0o600));
    assert_eq!(ok(&["key", "rotate-master", "--to-file", &new], &before)["key_id"], made["key_id"]);
    assert!(!program.path("data/master.key").exists());
    // The new key alone comes too early.
    let (code, _, told) = run(&["user", "list"], &[("INSULA_MASTER_KEY_FILE", &new)]);
    assert!(code == 1 && told.contains("previous_master_key"), "{code} {told}");
    // What a node makes that has both can be opened by one that has the old key alone.
    let second = format!("{name}b");
    ok(&["tenant", "create", &second, "--domain", &format!("{second}.test")], &between);
    ok(&["user", "list", "--tenant", &second], &before);
    let rotated = ok(&["key", "rotate-master"], &between);
    assert_eq!((rotated["rewrapped"].as_u64(), &rotated["key_id"]), (Some(2), &made["key_id"]));
    assert_eq!(run(&["user", "list"], &before).0, 1);
    for settings in [&between[..], &after] {
        ok(&["user", "list", "--tenant", &second], settings);
    }
    for tenant in [&second, name] {
        ok(&["tenant", "delete", tenant, "--yes"], &after);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_key_changes_in_two_steps() {
    in_two_steps(&Program::new(Backend::Sqlite), &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_key_changes_on_postgresql() {
    let postgres = OwnPostgres::new().await;
    let databases = [("INSULA_STORE__CONTROL", postgres.url.as_str()), ("INSULA_STORE__DATABASE", &postgres.url)];
    in_two_steps(&Program::new(Backend::Sqlite), &databases);
    postgres.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_key_changes_on_mariadb() {
    let url = Backend::Mariadb.url();
    // There is one list of tenants on a server; that of an interrupted run would be in the way.
    let forget = async || {
        let mut connection = mysql_async::Conn::from_url(&url).await.unwrap();
        connection.query_drop("DROP DATABASE IF EXISTS insula_control").await.unwrap();
        connection.disconnect().await.unwrap();
    };
    forget().await;
    in_two_steps(&Program::new(Backend::Sqlite), &[("INSULA_STORE__CONTROL", &url)]);
    forget().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_comes_from_a_command_or_not_at_all() {
    let program = Program::new(Backend::Sqlite);
    let key = SealingKey::generate().to_text();
    let with = |command: &str| {
        let mut init = program.command(&["init", "--name", &program.tenant, "--domain", "example.test"]);
        let output = init.env("INSULA_MASTER_KEY_COMMAND", command).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (command, word) in [
        (r#"["false"]"#, "failed with exit status: 1"),
        (r#"["echo", "no key"]"#, "does not hold a master key"),
        (r#"["yes"]"#, "more than 4096 bytes"),
        (r#"["/nonexistent"]"#, "cannot be started"),
        ("[]", "write a program and its arguments"),
    ] {
        let (code, told) = with(command);
        assert!(code == 2 && told.contains(word), "{command}: {code} {told}");
        assert!(!program.path("data/control.db").exists(), "{command} made an installation");
    }
    let (code, told) = with(&json!(["echo", key]).to_string());
    assert!(code == 0, "{told}");
    assert!(!program.path("data/master.key").exists());
    let both = program.file("both.toml", &format!("master_key = \"{key}\"\nmaster_key_command = [\"true\"]\n"));
    let (code, told) = program.fails(&["config", "check", "--config", &both]);
    assert!(code == 2 && told.contains("master_key is set too") && !told.contains(&key), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_the_clear_is_told_by_its_place() {
    let program = Program::initialised(Backend::Sqlite);
    program.user(&program.tenant, "ada", "administrators");
    let serving = program.serve().await;
    serving.user(&program.tenant, "ada").await;
    drop(serving);
    let file = program.path("data/tenants").join(&program.tenant).join("insula.db");
    let database = rusqlite::Connection::open(&file).unwrap();
    let sealed: String = database.query_row("SELECT private FROM _signing_keys", [], |row| row.get(0)).unwrap();
    let put = |value: &str| database.execute("UPDATE _signing_keys SET private = ?1", [value]).unwrap();
    put("a private key in the clear");
    let (code, told) = program.fails(&["user", "list"]);
    assert!(code == 1 && told.contains("_signing_keys.private") && !told.contains("in the clear"), "{told}");
    let serving = program.serve().await;
    let host = format!("api.{}.test", program.tenant);
    let answer = serving.anonymous().at_host(&host).get("/auth/status").await;
    assert_eq!(answer.status, 401, "nothing was opened for a caller without a token");
    let login = json!({"method": "password", "username": "ada", "password": PASSWORD});
    let refused = serving.anonymous().at_host(&host).post("/auth/login", &login).await;
    assert_eq!(refused.refusal(), (503, "secrets_unreadable"));
    put(&sealed);
    drop(serving);
    program.end();
}
