//! What could not start never takes the place of what runs.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use insula_tests::{Backend, Client, Program, Serving};
use serde_json::json;

use crate::{FORCED, GRACEFUL, ask, forget, has_restarted, installation, restart, restarted};

async fn refused(program: &Program, client: &Client, body: &str) -> String {
    forget(program);
    let answer = client.post_text("/reload", body).await;
    assert_eq!(answer.refusal(), (500, "reload_failed"), "{}", answer.text);
    answer.body["error"].as_str().unwrap().to_owned()
}

async fn still_serves(program: &Program, client: &Client) {
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!has_restarted(program), "it has restarted");
    assert_eq!(client.query(json!({"action": "count", "table": "notes"})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_configuration_keeps_the_old_server() {
    let program = installation(Backend::Sqlite).with("INSULA_SERVER__RESTART_IDLE", "1s");
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    program.file("data/insula.toml", "[server]\nlistne = \"127.0.0.1:0\"\n[query]\nmin_reload_power = 101\n");
    for body in [FORCED, GRACEFUL] {
        let error = refused(&program, &client, body).await;
        let named = "insula.toml:2: server.listne: there is no such key; did you mean `listen`?";
        assert!(error.contains(named), "{error}");
        assert!(!error.contains(program.folder.path().to_str().unwrap()), "{error}");
    }
    program.file("data/insula.toml", "[query]\nmin_reload_power = 101\n");
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("insula.toml:2: query.min_reload_power: expected 1 to 100 and not 101"), "{error}");
    // An address that another has.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    program.file("data/insula.toml", &format!("[server]\nadmin_listen = \"{taken}\"\n"));
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains(&format!("cannot listen on {taken}")), "{error}");
    still_serves(&program, &client).await;
    // Rules that cannot be read: neither the reload nor the restart.
    program.file("data/insula.toml", "");
    let rules = format!("data/tenants/{}/rules.toml", program.tenant);
    program.file(&rules, "[[rules]]\ntable = \"nothing\"\n");
    assert!(refused(&program, &client, FORCED).await.contains("rules.toml"));
    still_serves(&program, &client).await;
    std::fs::remove_file(program.path(&rules)).unwrap();
    // Broken while it waits.
    ask(&program, &client, GRACEFUL).await;
    program.file("data/insula.toml", "[server]\nlisten = 5\n");
    tokio::time::sleep(Duration::from_secs(2)).await;
    still_serves(&program, &client).await;
    // What is good comes into force: an address that there was not before.
    drop(other);
    program.file("data/insula.toml", &format!("[server]\nadmin_listen = \"{taken}\"\n"));
    restart(&program, &serving, &client, FORCED).await;
    let metrics = Client::of(format!("http://{taken}")).get("/metrics").await;
    assert!(metrics.text.contains("insula_http_requests_in_flight"), "{}", metrics.text);
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_database_that_does_not_fit_keeps_the_old_server() {
    let program = installation(Backend::Sqlite);
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    // Another key, well-formed.
    let other = kernel::seal::SealingKey::generate();
    program.file("data/insula.toml", &format!("master_key = \"{}\"\n", other.to_text()));
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("sealed under the installation's key") && error.contains(other.id()), "{error}");
    // A control database that is not there, that cannot be reached, and that is another's.
    let elsewhere = |url: &str| program.file("data/insula.toml", &format!("[store]\ncontrol = \"{url}\"\n"));
    elsewhere("postgres://nobody@127.0.0.1:1/nothing");
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("its control database cannot be reached"), "{error}");
    let own = insula_tests::OwnPostgres::new().await;
    elsewhere(&own.url);
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("its control database: the database holds none of Insula's tables"), "{error}");
    own.end().await;
    program.file("data/insula.toml", "");
    // The key of the data folder is gone: no other is made.
    let (key, away) = (program.path("data/master.key"), program.path("data/away"));
    std::fs::rename(&key, &away).unwrap();
    assert!(refused(&program, &client, FORCED).await.contains("its program would not start"));
    assert!(!key.exists());
    std::fs::rename(&away, &key).unwrap();
    // A newer version was there.
    let control = rusqlite::Connection::open(program.path("data/control.db")).unwrap();
    let newer = "INSERT INTO _migrations (feature, number, name, checksum) VALUES ('control', 99, 'newer', 'x')";
    control.execute_batch(newer).unwrap();
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("the database has step 99 of control"), "{error}");
    // A signal that nobody answers is refused as well.
    serving.signal(rustix::process::Signal::USR2);
    still_serves(&program, &client).await;
    control.execute_batch("DELETE FROM _migrations WHERE number = 99").unwrap();
    drop(control);
    restart(&program, &serving, &client, FORCED).await;
    drop(serving);
    program.end();
}

/// The program as a file of one's own, which can be replaced.
fn with_own_file(mut program: Program) -> Program {
    let own = program.path("insula");
    std::fs::copy(&program.binary, &own).unwrap();
    program.binary = own;
    program
}

fn write_script(file: &Path, text: &str) {
    // As an upgrade does: another file takes the place.
    let next = file.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&next, file).unwrap();
}

async fn serving_and_client(program: &Program) -> (Serving, Client) {
    let serving = program.serve().await;
    let client = serving.user(&program.tenant, "ada").await;
    (serving, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_that_is_there_now_comes_up() {
    let real = Program::new(Backend::Sqlite).binary;
    let mut program = with_own_file(installation(Backend::Sqlite));
    let (serving, client) = serving_and_client(&program).await;
    write_script(&program.binary, "#!/bin/sh\nexit 1\n");
    let error = refused(&program, &client, FORCED).await;
    assert!(error.contains("its program would not start"), "{error}");
    std::fs::write(&program.binary, "no program").unwrap();
    assert!(refused(&program, &client, FORCED).await.contains("cannot"), "not a program");
    still_serves(&program, &client).await;
    // Another one takes the place, with the same arguments.
    let marks = program.path("marks");
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\nexec {} \"$@\"\n", marks.display(), real.display());
    write_script(&program.binary, &script);
    let client = restart(&program, &serving, &client, FORCED).await;
    let marks = std::fs::read_to_string(marks).unwrap();
    let lines: Vec<_> = marks.lines().collect();
    assert_eq!(lines.len(), 2, "{marks}");
    assert_eq!(lines[0], format!("{} --check", lines[1]), "{marks}");
    assert!(lines[1].starts_with("serve --listen 127.0.0.1:0 --ready-file "), "{marks}");
    // What is gone is started from memory.
    std::fs::remove_file(&program.binary).unwrap();
    restart(&program, &serving, &client, FORCED).await;
    drop(serving);
    program.binary = real;
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_program_serves_on_where_the_new_one_vanishes_at_the_last_moment() {
    let real = Program::new(Backend::Sqlite).binary;
    let mut program = with_own_file(installation(Backend::Sqlite)).with("INSULA_SERVER__RESTART_IDLE", "500ms");
    let (serving, client) = serving_and_client(&program).await;
    for _ in 0..2 {
        // It answers the check, and cannot be run a moment later.
        let script = format!("#!/bin/sh\nchmod a-x \"$0\"\nexec {} \"$@\"\n", real.display());
        write_script(&program.binary, &script);
        ask(&program, &client, FORCED).await;
        // Nobody is refused, whoever it is that answers.
        for _ in 0..20 {
            assert_eq!(serving.anonymous().get("/").await.status, 200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let client = serving.anonymous().at_host(format!("api.{}.test", program.tenant));
        still_serves(&program, &client.with_token(client_token(&serving, &program).await)).await;
    }
    let good = format!("#!/bin/sh\nexec {} \"$@\"\n", real.display());
    write_script(&program.binary, &good);
    let client = serving.user(&program.tenant, "ada").await;
    ask(&program, &client, GRACEFUL).await;
    restarted(&program).await;
    drop(serving);
    program.binary = real;
    program.end();
}

async fn client_token(serving: &Serving, program: &Program) -> String {
    serving.user(&program.tenant, "ada").await.token.unwrap()
}
