//! What tokens look like to others: the public keys, both algorithms, and keys that give way to newer ones.

use std::{
    path::Path,
    process::{Command, Output},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use identity::TokenAlgorithm;
use insula_tests::{Backend, Client, World, on_all_databases};
use kernel::seal::Place;
use serde_json::{Value as Json, json};

use crate::stage::{ago, log_in, rows, set, text};

on_all_databases!(keys_give_way, both_algorithms, webhooks_keep_their_key);

async fn keys(client: &Client) -> Vec<Json> {
    let answer = client.get("/.well-known/jwks.json").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
    assert_eq!(answer.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    answer.body["keys"].as_array().unwrap().clone()
}

fn part(token: &str, index: usize) -> Json {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

async fn rotate(world: &World) -> String {
    world.server.installation().features.identity.rotate_signing_keys(&world.tenant).await.unwrap()
}

async fn keys_give_way(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let (nobody, old) = (world.at(&world.tenant), uma.token.clone().unwrap());
    let first = keys(&nobody).await;
    assert_eq!(first.len(), 1);
    let kid = text(&first[0], "kid");
    let expected =
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": "EdDSA", "x": first[0]["x"]});
    assert_eq!((&first[0], &part(&old, 0)["kid"]), (&expected, &first[0]["kid"]));
    let kid = rotate(&world).await;
    let both = keys(&nobody).await;
    assert_eq!((both.len(), &both[0]["kid"], &both[1]), (2, &json!(kid), &first[0]));
    let new = log_in(&nobody, "uma").await;
    assert_eq!(part(text(&new, "token"), 0)["kid"], json!(kid));
    // Tokens of both are good; the old one's private half is gone.
    for token in [&*old, text(&new, "token")] {
        assert_eq!(nobody.with_token(token).get("/auth/status").await.status, 200);
    }
    let open = world.open(&world.tenant).await;
    for row in rows(&world, &world.tenant, "_signing_keys", &["kid", "private", "retired_at"]).await {
        let place =
            Place { tenant: world.tenant.id, table: "_signing_keys", row: row.text(0).unwrap(), column: "private" };
        let private = open.key.open(place, row.text(1).unwrap()).unwrap();
        let signs = row.text(0).unwrap() == kid;
        assert_eq!((private.is_empty(), row.is_null(2)), (!signs, signs));
        if !signs {
            let until = row.timestamp(2).unwrap().as_second() - kernel::time::now().as_second();
            let longest = 30 * 24 * 3_600;
            assert!((longest..longest + 600).contains(&until), "{until}");
        }
    }
    // Other tenants have other keys.
    let other = world.another_tenant().await;
    let theirs = keys(&world.at(&other)).await;
    assert!(theirs.len() == 1 && theirs[0]["x"] != first[0]["x"]);
    world.end().await;
}

async fn both_algorithms(backend: Backend) {
    let world = World::configured(backend, |config| config.identity.token_algorithm = TokenAlgorithm::Es256).await;
    let uma = world.user("uma", "users").await;
    let token = uma.token.clone().unwrap();
    assert_eq!(part(&token, 0)["alg"], "ES256");
    assert_eq!(uma.get("/auth/status").await.status, 200);
    let public = keys(&uma).await;
    assert_eq!(
        (&public[0]["kty"], &public[0]["crv"], &public[0]["alg"]),
        (&json!("EC"), &json!("P-256"), &json!("ES256"))
    );
    for coordinate in ["x", "y"] {
        assert_eq!(BASE64.decode(text(&public[0], coordinate)).unwrap().len(), 32);
    }
    let (head, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let other = world.at(&world.tenant).with_token(format!("{head}.{first}{}", &signature[1..]));
    assert_eq!(other.get("/permissions").await.status, 401);
    world.end().await;
}

async fn webhooks_keep_their_key(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let made = uma.post("/auth/webhook-tokens", &json!({"name": "a", "expires_in": "100000000s"})).await.body;
    rotate(&world).await;
    let until = async || {
        let rows = rows(&world, &world.tenant, "_signing_keys", &["kid", "retired_at"]).await;
        rows.iter().find_map(|row| row.maybe_timestamp(1).unwrap()).unwrap().as_second()
            - kernel::time::now().as_second()
    };
    assert!((99_999_000..100_000_001).contains(&until().await), "{}", until().await);
    let hooks = world.anonymous().at_host(format!("webhooks.{}", world.tenant.domain.as_deref().unwrap()));
    assert_eq!(hooks.get(&format!("/?token={}", text(&made, "token"))).await.status, 200);
    // A node that has not noticed yet signs with the old key for another moment.
    set(&world, &world.tenant, "_signing_keys", &[("retired_at", ago(-3_600).into())]).await;
    let made = uma.post("/auth/webhook-tokens", &json!({"name": "b", "expires_in": "2h"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rows = rows(&world, &world.tenant, "_signing_keys", &["kid", "retired_at"]).await;
    let newest = rows.iter().find(|row| row.text(0).unwrap().ends_with(".2")).unwrap();
    assert!(newest.timestamp(1).unwrap() > ago(-7_000), "the key is kept as long as its token");
    world.end().await;
}

/// A library that knows nothing of this program verifies tokens by the public keys alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_verify_tokens() {
    let python = PyJwt::new();
    for algorithm in [TokenAlgorithm::EdDsa, TokenAlgorithm::Es256] {
        let world = World::configured(Backend::Sqlite, |config| config.identity.token_algorithm = algorithm).await;
        let uma = world.user("uma", "users").await;
        let old = uma.token.clone().unwrap();
        rotate(&world).await;
        let new = log_in(&uma, "uma").await;
        let set = uma.get("/.well-known/jwks.json").await.text;
        let issuer = world.tenant.id.to_string();
        for token in [&*old, text(&new, "token")] {
            let verified = python.verify(&set, token, &issuer);
            let said: Json = serde_json::from_slice(&verified.stdout).unwrap_or_default();
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
            assert_eq!(said, part(token, 1));
            let (head, signature) = token.rsplit_once('.').unwrap();
            let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
            assert!(!python.verify(&set, &forged, &issuer).status.success());
            assert!(!python.verify(&set, token, "another issuer").status.success());
        }
        world.end().await;
    }
}

/// Python's `PyJWT` in an environment of its own, below the target folder.
struct PyJwt {
    program: std::path::PathBuf,
}

impl PyJwt {
    const SCRIPT: &str = "import json, sys, jwt\n\
        keys = jwt.PyJWKSet.from_json(sys.argv[1])\n\
        key = keys[jwt.get_unverified_header(sys.argv[2])['kid']]\n\
        claims = jwt.decode(sys.argv[2], key, algorithms=[key.algorithm_name], audience='insula', issuer=sys.argv[3])\n\
        print(json.dumps(claims))";

    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyjwt");
        let program = folder.join("bin/python");
        let run = |program: &Path, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        if !folder.join("ready").exists() {
            run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()]);
            run(&program, &["-m", "pip", "install", "--quiet", "PyJWT[crypto]>=2.10,<3"]);
            std::fs::write(folder.join("ready"), "").unwrap();
        }
        Self { program }
    }

    fn verify(&self, keys: &str, token: &str, issuer: &str) -> Output {
        Command::new(&self.program).args(["-c", Self::SCRIPT, keys, token, issuer]).output().unwrap()
    }
}
