//! Neither the files nor the table hold a secret, or a value of a row.

use std::{fs, os::unix::fs::PermissionsExt};

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::{entries, insert, installation};

on_all_databases!(no_secret_is_written_down);

async fn no_secret_is_written_down(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let nobody = serving.anonymous().at_host(format!("api.{}.test", program.tenant));
    let mut secrets =
        vec!["a telling guess".to_owned(), "a telling value".to_owned(), "correct horse battery".to_owned()];
    let guess = json!({"method": "password", "username": "uma", "password": "a telling guess"});
    assert_eq!(nobody.post("/auth/login", &guess).await.status, 401);
    // A password in the field of the name.
    let slip = json!({"method": "password", "username": "a telling guess", "password": "uma"});
    assert_eq!(nobody.post("/auth/login", &slip).await.status, 401);
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    secrets.extend([ada.token.clone().unwrap(), uma.token.clone().unwrap()]);
    assert_eq!(insert(&uma, "a telling value").await.status, 200);
    let wrong = json!({"action": "update", "table": "items", "data": {"id": "a telling value"}, "where": {"id": 1}});
    assert_eq!(uma.query(wrong).await.status, 400);
    let unknown = json!({"action": "insert", "table": "a telling value", "data": {"name": "x"}});
    assert_eq!(uma.query(unknown).await.status, 400);
    let key = ada.post("/auth/keys", &json!({"kind": "sk", "name": "till", "scopes": ["data.read"]})).await;
    secrets.push(key.body["secret"].as_str().unwrap().to_owned());
    let change = json!({"current_password": "correct horse battery", "password": "another horse battery"});
    assert_eq!(uma.post("/auth/password/change", &change).await.status, 204);
    secrets.push("another horse battery".to_owned());
    serving.kill();
    let folder = program.path("data/audit");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let spool: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(spool.contains("change-password") && spool.contains("unknown_table"), "{spool}");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert!(files.iter().all(|file| mode(file) == 0o600));
    let serving = program.serve().await;
    let table = serde_json::to_string(&entries(&serving.anonymous().with_token(ada.token.unwrap()), "").await).unwrap();
    assert!(table.contains("change-password") && table.contains("unknown_table"));
    for secret in &secrets {
        assert!(!spool.contains(secret.as_str()), "{secret} waits in the clear");
        assert!(!table.contains(secret.as_str()), "{secret} is stored in the clear");
    }
    drop(serving);
    program.end();
}
