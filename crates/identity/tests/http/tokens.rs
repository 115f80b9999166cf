//! Tokens that are not what they claim to be.

use crate::support::{App, PASSWORD, cheap};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kernel::{Tenant, seal::Place};
use sea_query::{Alias, Query};
use serde_json::{Value, json};
use store::OpenTenant;

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

struct Keys {
    kid: String,
    public: String,
    private: EncodingKey,
    pkcs8: Vec<u8>,
}

/// What an attacker who has everything would have.
async fn keys(tenant: &Tenant, open: &OpenTenant) -> Keys {
    let mut select = Query::select();
    select.columns(["kid", "public", "private"].map(Alias::new)).from(open.system.ddl().table("_signing_keys"));
    let rows = open.system.read(&select).await.unwrap();
    assert_eq!(rows.len(), 1);
    let (kid, sealed) = (rows[0].text(0).unwrap(), rows[0].text(2).unwrap());
    let place = Place { tenant: tenant.id, table: "_signing_keys", row: kid, column: "private" };
    let pkcs8 = open.key.open(place, sealed).unwrap();
    let private = EncodingKey::from_ed_der(&pkcs8);
    Keys { kid: kid.to_owned(), public: rows[0].text(1).unwrap().to_owned(), private, pkcs8 }
}

fn signed(keys: &Keys, claims: &Value) -> String {
    let header = Header { kid: Some(keys.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &keys.private).unwrap()
}

#[tokio::test]
async fn a_token_says_what_it_must_and_no_more() {
    let app = App::start(cheap()).await;
    let reply = app.register("jane").await;
    let token = reply.token();
    let (tenant, open) = app.tenant("example").await;
    let header = part(&token, 0);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("JWT")));
    assert_eq!(header["kid"], keys(&tenant, &open).await.kid);
    let claims = part(&token, 1);
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["iss", "aud", "sub", "tid", "sid", "gen", "grp", "pwr", "iat", "nbf", "exp", "jti"]);
    assert_eq!((&claims["iss"], &claims["tid"]), (&json!(tenant.id), &json!(tenant.id)));
    assert_eq!((&claims["sub"], &claims["aud"]), (&reply.body["user"]["uuid"], &json!("insula")));
    assert_eq!((&claims["grp"], &claims["pwr"]), (&json!("users"), &json!(10)));
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 30 * 24 * 60 * 60);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let app = App::start(cheap()).await;
    let token = app.login("admin", PASSWORD).await.token();
    let (tenant, open) = app.tenant("example").await;
    let keys = keys(&tenant, &open).await;
    let claims = part(&token, 1);
    let pieces: Vec<_> = token.split('.').collect();
    let with = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    assert_eq!(app.status(&token).await.status, 200);

    let hs = |secret: &[u8]| {
        let header = Header { kid: Some(keys.kid.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let none = json!({"alg": "none", "typ": "JWT", "kid": keys.kid});
    let lower = json!({"alg": "eddsa", "typ": "JWT", "kid": keys.kid});
    let raised = format!("{}.{}.{}", pieces[0], encoded(&with("pwr", json!(255))), pieces[2]);
    let mut flipped = pieces[2].to_owned();
    flipped.replace_range(0..1, if flipped.starts_with('A') { "B" } else { "A" });
    let no_kid = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &keys.private).unwrap();
    let kid = |kid: String| signed(&Keys { kid, ..copy(&keys) }, &claims);
    let own = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let own_public = BASE64.encode(aws_lc_rs::signature::KeyPair::public_key(&own).as_ref());
    let header = |extra: (&str, Value)| {
        let mut header = json!({"alg": "EdDSA", "typ": "JWT", "kid": keys.kid});
        header[extra.0] = extra.1;
        header
    };
    // Signed by a key that the token brings along, and that nobody has asked for.
    let by_own = |header: &Value| {
        let head = format!("{}.{}", encoded(header), pieces[1]);
        format!("{head}.{}", BASE64.encode(own.sign(head.as_bytes()).as_ref()))
    };
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": own_public, "kid": keys.kid});
    let theirs = EncodingKey::from_ed_der(keys.pkcs8.as_slice());
    let with_header = |header: &Value| {
        let head = format!("{}.{}", encoded(header), pieces[1]);
        let signature = jsonwebtoken::crypto::sign(head.as_bytes(), &theirs, Algorithm::EdDSA).unwrap();
        format!("{head}.{signature}")
    };
    let es256 = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let es256 = EncodingKey::from_ec_der(es256.unwrap().to_pkcs8v1().unwrap().as_ref());
    let es256 =
        jsonwebtoken::encode(&Header { kid: Some(keys.kid.clone()), ..Header::new(Algorithm::ES256) }, &claims, &es256);
    assert_eq!(app.status(&with_header(&header(("typ", json!("JWT"))))).await.status, 200, "signed as it should be");
    let past = claims["iat"].as_i64().unwrap() - 3_600;
    let later = claims["iat"].as_i64().unwrap() + 3_600;
    for (what, forged) in [
        ("none", format!("{}.{}.", encoded(&none), pieces[1])),
        ("none with the signature", format!("{}.{}.{}", encoded(&none), pieces[1], pieces[2])),
        ("another spelling", format!("{}.{}.{}", encoded(&lower), pieces[1], pieces[2])),
        ("HS256 with the public key as text", hs(keys.public.as_bytes())),
        ("HS256 with the public key", hs(&BASE64.decode(&keys.public).unwrap())),
        ("changed claims", raised),
        ("changed signature", format!("{}.{}.{flipped}", pieces[0], pieces[1])),
        ("cut signature", format!("{}.{}.", pieces[0], pieces[1])),
        ("no key id", no_kid),
        ("an unknown key id", signed(&Keys { kid: "x".into(), ..copy(&keys) }, &claims)),
        ("expired", signed(&keys, &with("exp", json!(past)))),
        ("not yet", signed(&keys, &with("nbf", json!(later)))),
        ("another audience", signed(&keys, &with("aud", json!("other")))),
        ("another issuer", signed(&keys, &with("iss", json!(uuid::Uuid::nil())))),
        ("another user", signed(&keys, &with("sub", json!(uuid::Uuid::nil())))),
        ("another session", signed(&keys, &with("sid", json!(uuid::Uuid::nil())))),
        ("a generation to come", signed(&keys, &with("gen", json!(1)))),
        ("a generation before", signed(&keys, &with("gen", json!(-1)))),
        ("a key that it brings along", by_own(&header(("jwk", jwk)))),
        ("a key at an address", by_own(&header(("jku", json!("https://evil.example/keys"))))),
        ("a certificate", by_own(&header(("x5c", json!([own_public]))))),
        ("a critical extension", with_header(&header(("crit", json!(["b64"]))))),
        ("ES256 under the id of an Ed25519 key", es256.unwrap()),
        ("the other algorithm's name", with_header(&header(("alg", json!("ES256"))))),
        ("a key id that is a path", kid("../../../dev/null".into())),
        ("a key id below the tenant", kid(format!("{}.1/../2", tenant.id))),
        ("a key id that is SQL", kid(format!("{}.1' OR '1'='1", tenant.id))),
        ("a key id with a leading zero", kid(format!("{}.01", tenant.id))),
        ("a key to come", kid(format!("{}.2", tenant.id))),
        ("for assets", signed(&keys, &with("aud", json!("assets")))),
        ("for webhooks", signed(&keys, &with("aud", json!("webhooks")))),
        ("for several", signed(&keys, &with("aud", json!(["insula", "other"])))),
        ("oversized", signed(&keys, &with("grp", json!("a".repeat(5_000))))),
        ("garbage", "abc".to_owned()),
        ("dots", "a.b.c".to_owned()),
        ("an own UUID", uuid::Uuid::new_v4().to_string()),
    ] {
        let reply = app.status(&forged).await;
        assert_eq!((reply.status, &reply.body["valid"]), (401, &json!(false)), "{what}: {}", reply.body);
    }
    assert_eq!(app.status(&token).await.status, 200, "the real one is as good as before");
}

fn copy(keys: &Keys) -> Keys {
    Keys {
        kid: keys.kid.clone(),
        public: keys.public.clone(),
        private: keys.private.clone(),
        pkcs8: keys.pkcs8.clone(),
    }
}

#[tokio::test]
async fn tokens_belong_to_one_tenant() {
    let app = App::start(cheap()).await;
    app.add_tenant("other").await;
    let body = json!({"method": "password", "username": "admin", "password": PASSWORD});
    let reply = app.send("POST", "/auth/login", &[("host", "api.other.com")], Some(body)).await;
    let theirs = reply.token();
    let ours = app.login("admin", PASSWORD).await.token();
    let at = async |host: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        app.send("GET", "/auth/status", &[("host", host), ("authorization", &bearer)], None).await
    };
    assert_eq!(at("api.other.com", &theirs).await.status, 200);
    assert_eq!(at("api.example.com", &theirs).await.reason(), (403, "tenant_mismatch"));
    assert_eq!(at("api.other.com", &ours).await.reason(), (403, "tenant_mismatch"));
    // Without a host that names a tenant the credential decides.
    let here = at("localhost", &theirs).await;
    assert_eq!((here.status, &here.body["user"]["uuid"]), (200, &reply.body["user"]["uuid"]));

    let (our_tenant, _) = app.tenant("example").await;
    let (their_tenant, their_open) = app.tenant("other").await;
    let their_keys = keys(&their_tenant, &their_open).await;
    let our_claims = part(&ours, 1);
    let our_kid = part(&ours, 0)["kid"].as_str().unwrap().to_owned();
    for kid in [their_keys.kid.clone(), our_kid] {
        let forged = signed(&Keys { kid, ..copy(&their_keys) }, &our_claims);
        assert_eq!(at("api.example.com", &forged).await.status, 401);
    }
    app.tenants.set_status(&their_tenant, kernel::TenantStatus::Suspended).await.unwrap();
    assert_eq!(at("localhost", &theirs).await.reason(), (403, "tenant_suspended"));
    assert_ne!(our_tenant.id, their_tenant.id);
}
