//! What lies on the disk: nothing that could be used to come in.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use insula_tests::{Backend, Client, World, until};
use serde_json::json;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_file() {
    let world = World::new(Backend::Sqlite).await;
    let nobody: Client = world.at(&world.tenant);
    let password = "a very particular secret";
    let register = json!({"username": "uma", "email": "uma@example.com", "password": password});
    let token = nobody.post("/auth/register", &register).await.body["token"].as_str().unwrap().to_owned();
    let wrong = json!({"method": "password", "username": "uma", "password": "a wrong but telling guess"});
    assert_eq!(nobody.post("/auth/login", &wrong).await.status, 401);
    let uma = nobody.with_token(&token);
    assert_eq!(uma.get("/auth/status").await.status, 200);
    let key = fs::read_to_string(world.data.path().join("master.key")).unwrap();
    let raw_key = BASE64_STANDARD_NO_PAD.decode(key.trim()).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    let secrets: [(&str, &[u8]); 6] = [
        ("the password", password.as_bytes()),
        ("a wrong guess", b"a wrong but telling guess"),
        ("the token", token.as_bytes()),
        ("its signature", signature.as_bytes()),
        ("the master key", key.trim().as_bytes()),
        ("the master key, raw", &raw_key),
    ];
    let World { server, data, .. } = world;
    server.installation().features.identity.flush().await;
    server.stop().await.unwrap();
    let is_log = |file: &PathBuf| file.to_string_lossy().ends_with("-wal");
    until("all is in the databases themselves", Duration::from_secs(10), async || {
        !files(data.path()).iter().any(is_log)
    })
    .await;
    let files = files(data.path());
    assert!(
        files.iter().any(|file| file.ends_with("insula.db")) && files.iter().any(|file| file.ends_with("control.db"))
    );
    let mut found_user = false;
    for file in files.iter().filter(|file| !file.ends_with("master.key")) {
        let bytes = fs::read(file).unwrap();
        found_user |= contains(&bytes, b"uma@example.com");
        for (name, secret) in secrets {
            assert!(!contains(&bytes, secret), "{name} is in {}", file.display());
        }
    }
    assert!(found_user, "the search finds nothing at all");
    // The key that signs tokens is sealed, and the password is hashed as it should be.
    let tenant = files.iter().find(|file| file.ends_with("insula.db")).unwrap();
    let database = rusqlite::Connection::open(tenant).unwrap();
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert!(text("SELECT password FROM _users").starts_with("$argon2id$"));
    assert!(text("SELECT token_hash FROM _sessions").len() == 64);
    assert!(text("SELECT private FROM _signing_keys").starts_with("sealed:"));
}
