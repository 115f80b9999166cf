//! Tokens that this server did not make, or did not make like that.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use insula_tests::{Backend, World};
use serde_json::{Value as Json, json};

struct Parts {
    header: Json,
    claims: Json,
    signature: String,
}

impl Parts {
    fn of(token: &str) -> Self {
        let parts: Vec<_> = token.split('.').collect();
        let json = |part: &str| serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
        Self { header: json(parts[0]), claims: json(parts[1]), signature: parts[2].to_owned() }
    }
}

fn joined(header: &Json, claims: &Json, signature: &str) -> String {
    let part = |json: &Json| BASE64.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// The same with another value for a field.
fn with(json: &Json, name: &str, value: Json) -> Json {
    let mut json = json.clone();
    json[name] = value;
    json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_token_is_good() {
    let world = World::new(Backend::Sqlite).await;
    let (uma, admin) = (world.user("uma", "users").await, world.user("ada", "administrators").await);
    let token = uma.token.clone().unwrap();
    let good = Parts::of(&token);
    let theirs = Parts::of(admin.token.as_deref().unwrap());
    assert_eq!(good.header["alg"], "EdDSA");
    let (header, claims, signature) = (&good.header, &good.claims, good.signature.as_str());
    let mut forged = vec![
        ("cut short", token[..token.len() - 2].to_owned()),
        ("another's claims", joined(header, &theirs.claims, signature)),
        ("another's signature", joined(header, claims, &theirs.signature)),
        ("no kid", joined(&json!({"alg": "EdDSA", "typ": "JWT"}), claims, signature)),
        ("an unknown kid", joined(&with(header, "kid", json!("../../etc/passwd")), claims, signature)),
        (
            "a key of its own",
            joined(&with(header, "jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"})), claims, signature),
        ),
        ("too many parts", format!("{token}.x")),
        ("no parts", "x".repeat(200)),
        ("empty parts", "..".to_owned()),
    ];
    for algorithm in ["none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS256", "ES256", "PS256"] {
        let header = with(header, "alg", json!(algorithm));
        forged.push((algorithm, joined(&header, claims, "")));
        forged.push((algorithm, joined(&header, claims, signature)));
        forged.push((algorithm, joined(&header, &theirs.claims, &BASE64.encode([0; 32]))));
    }
    for (name, value) in [
        ("exp", json!(4_102_444_800_u64)),
        ("sub", theirs.claims["sub"].clone()),
        ("sid", theirs.claims["sid"].clone()),
        ("pwr", json!(100)),
        ("grp", json!("administrators")),
        ("aud", json!("other")),
        ("iss", json!("00000000-0000-0000-0000-000000000000")),
        ("tid", json!("not an id")),
    ] {
        forged.push((name, joined(header, &with(claims, name, value), signature)));
    }
    for (what, forged) in forged {
        let answer = world.at(&world.tenant).with_token(&forged).get("/permissions").await;
        assert_eq!(answer.refusal(), (401, "session_invalid"), "{what}: {}", answer.text);
    }
    assert_eq!(uma.get("/permissions").await.status, 200, "the real one is as good as before");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_another_installation_is_foreign() {
    let (world, elsewhere) = (World::new(Backend::Sqlite).await, World::new(Backend::Sqlite).await);
    let foreign = elsewhere.user("uma", "administrators").await.token.unwrap();
    let here = world.user("uma", "administrators").await;
    let at_host = world.at(&world.tenant).with_token(&foreign).get("/permissions").await;
    assert_eq!(at_host.refusal(), (403, "tenant_mismatch"));
    let direct = world.anonymous().with_token(&foreign).get("/permissions").await;
    assert_eq!(direct.refusal(), (401, "session_invalid"));
    let claims = Parts::of(&foreign).claims.to_string();
    assert!(!claims.contains('@') && !claims.contains("uma"), "a token tells whom it is of: {claims}");
    assert_eq!(here.get("/permissions").await.status, 200);
    world.end().await;
    elsewhere.end().await;
}
