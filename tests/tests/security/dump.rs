//! What somebody finds who gets hold of the databases: nothing that lets one in.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use insula_tests::{Backend, Client, World, on_all_databases, until};
use sea_query::{Asterisk, Query};
use serde_json::{Value as Json, json};
use store::Database;

on_all_databases!(no_dump_holds_a_secret);

/// Every secret of the story, by what it is.
#[derive(Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn add(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 6, "{what}: {secret:?} is no secret that could be searched for");
        self.0.insert(format!("{what} {}", self.0.len()), secret.clone());
        secret
    }

    /// What begins a session: both tokens, and the signature of the first alone.
    fn session(&mut self, answer: &Json) -> String {
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).to_owned();
        self.add("a refresh token", text("refresh_token"));
        let token = self.add("a token", text("token"));
        self.add("a signature", token.rsplit('.').next().unwrap());
        token
    }
}

async fn post(client: &Client, path: &str, body: Json, status: u16) -> Json {
    let answer = client.post(path, &body).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text);
    answer.body
}

/// The token in the letter that was written last.
async fn letter(folder: &Path, to: &str) -> String {
    let mut found = None;
    until("the letter is written", Duration::from_secs(10), async || {
        let files = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
        let mut files = files.unwrap_or_default();
        files.sort();
        let texts = files.iter().rev().filter_map(|file| fs::read_to_string(file).ok());
        found = texts.filter(|text| text.contains(to)).find_map(|text| {
            let unfolded = text.replace("=\r\n", "").replace("=3D", "=");
            let (_, rest) = unfolded.split_once("token=")?;
            Some(rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
        });
        found.is_some()
    })
    .await;
    for file in fs::read_dir(folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    found.unwrap()
}

/// A life at a tenant in which everything happens that has a secret.
async fn live(world: &World, secrets: &mut Secrets) {
    let nobody = world.at(&world.tenant);
    let mail = world.tenant.folder.join("outbox");
    let password = secrets.add("a password", "a very particular first one");
    let register = json!({"username": "uma", "email": "uma@example.com", "password": password});
    let begun = post(&nobody, "/auth/register", register, 201).await;
    secrets.session(&begun);
    let guess = secrets.add("a guess", "a wrong but telling guess");
    post(&nobody, "/auth/login", json!({"method": "password", "username": "uma", "password": guess}), 401).await;
    let again = post(&nobody, "/auth/refresh", json!({"refresh_token": begun["refresh_token"]}), 200).await;
    secrets.session(&again);
    // A forgotten password, and a changed one.
    post(&nobody, "/auth/password/forgot", json!({"email": "uma@example.com"}), 202).await;
    let token = secrets.add("a reset token", letter(&mail, "uma@example.com").await);
    let second = secrets.add("a password", "a very particular second one");
    post(&nobody, "/auth/password/reset", json!({"token": token, "password": second}), 204).await;
    let log_in = json!({"method": "password", "username": "uma", "password": second});
    let uma = nobody.with_token(secrets.session(&post(&nobody, "/auth/login", log_in, 200).await));
    let third = secrets.add("a password", "a very particular third one");
    let change = json!({"current_password": second, "password": third});
    post(&uma, "/auth/password/change", change, 204).await;
    // Keys of every kind.
    let admin = world.user("ada", "administrators").await;
    secrets.add("the administrator's token", admin.token.clone().unwrap());
    for (client, kind) in [(&uma, "pat"), (&uma, "pk"), (&admin, "sk")] {
        let key = json!({"kind": kind, "name": "one", "scopes": ["data.read"]});
        let made = post(client, "/auth/keys", key, 201).await;
        secrets.add("a key", made["secret"].as_str().unwrap());
        let rotate = format!("/auth/keys/{}/rotate", made["key"]["id"].as_str().unwrap());
        let rotated = post(client, &rotate, json!({}), 201).await;
        secrets.add("a rotated key", rotated["secret"].as_str().unwrap());
    }
    let webhook = post(&admin, "/auth/webhook-tokens", json!({"name": "till"}), 201).await;
    secrets.add("a webhook's token", webhook["token"].as_str().unwrap());
    // A card and a PIN, an anonymous user, a second factor.
    let card = secrets.add("a card", "NFC-0123456789-abcdef");
    let pin = secrets.add("a PIN", "918273645546");
    let given = json!({"pin": pin, "login_string": card}).to_string().into_bytes();
    let json_type = [("content-type", "application/json")];
    let answer = admin.send(reqwest::Method::PATCH, "/admin/users/1", &json_type, Some(given)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    secrets.session(&post(&nobody, "/auth/anonymous", json!({}), 201).await);
    let enrolled = post(&uma, "/auth/totp/enroll", json!({"password": third}), 200).await;
    let seed = secrets.add("a seed", enrolled["secret"].as_str().unwrap());
    let seed = totp_rs::Secret::try_from_base32(&seed).unwrap().as_bytes().to_vec();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let code = totp_rs::Builder::new().with_secret(seed).build().unwrap().generate(now).to_string();
    let confirmed = post(&uma, "/auth/totp/verify", json!({"code": code}), 200).await;
    for code in confirmed["recovery_codes"].as_array().unwrap() {
        secrets.add("a recovery code", code.as_str().unwrap());
    }
}

/// All rows of all tables of a database, as text.
async fn dump(database: &Database) -> String {
    database.refresh_schema().await.unwrap();
    let schema = database.schema();
    let mut text = String::new();
    for table in schema.tables().filter(|table| !table.view) {
        let mut select = Query::select();
        select.column(Asterisk).from(table.reference());
        for row in database.read(&select).await.unwrap() {
            let _ = writeln!(text, "{} {row:?}", table.name);
        }
    }
    text
}

async fn no_dump_holds_a_secret(backend: Backend) {
    let world = World::configured(backend, |config| {
        config.identity.session_flush_interval = kernel::Span::seconds(1);
    })
    .await;
    let mut secrets = Secrets::default();
    live(&world, &mut secrets).await;
    let identity = &world.server.installation().features.identity;
    identity.flush().await;
    let key = fs::read_to_string(world.data.path().join("master.key")).unwrap();
    secrets.add("the installation's key", key.trim());
    let open = world.open(&world.tenant).await;
    let tenants = &world.server.installation().tenants;
    let dumps = [dump(&open.data).await, dump(tenants.control()).await];
    assert!(dumps[0].contains("uma@example.com") && dumps[0].contains("_api_keys"), "the search finds nothing at all");
    assert!(dumps[1].contains(&world.tenant.name));
    for (what, secret) in &secrets.0 {
        for dump in &dumps {
            let line = dump.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{what} is in the clear: {}", line.unwrap_or_default());
            let hidden = BASE64_STANDARD_NO_PAD.encode(secret);
            assert!(!dump.contains(&hidden), "{what} is there in base64");
        }
    }
    // On a disk, neither in the databases nor beside them.
    for file in files(world.data.path()).iter().filter(|file| !file.ends_with("master.key")) {
        let bytes = fs::read(file).unwrap();
        for (what, secret) in &secrets.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} is in {}", file.display());
        }
    }
    world.end().await;
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
