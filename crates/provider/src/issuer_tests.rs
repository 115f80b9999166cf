use std::{sync::Arc, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::Issuer;
use crate::{error::Error, kept::Kept, outgoing::Outgoing, settled::Reach};

const AGAIN: Duration = Duration::from_millis(600);

/// A new key: its public half, and a token that it signed.
fn signed(issuer: &str, kid: &str) -> (Json, String) {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let now = kernel::time::now().as_second();
    let claims = json!({ "iss": issuer, "aud": "insula", "sub": "ada", "iat": now, "exp": now + 60 });
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(document.as_ref())).unwrap();
    (json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }), token)
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_learnt_but_not_more_often_than_allowed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("http://{}", listener.local_addr().unwrap());
    let ((first_key, first), (second_key, second)) = (signed(&name, "first"), signed(&name, "second"));
    let keys = Arc::new(Mutex::new(json!({ "keys": [first_key.clone()] })));
    let document = json!({
        "issuer": name, "authorization_endpoint": name, "token_endpoint": name, "jwks_uri": format!("{name}/keys"),
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    let served = Arc::clone(&keys);
    let router = axum::Router::new()
        .route("/keys", axum::routing::get(async move || axum::Json(served.lock().clone())))
        .fallback(async move || axum::Json(document));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let reach = Reach { allow_http: true };
    let issuer = Issuer { keys: Kept::lasting(Duration::from_mins(1), AGAIN), ..Issuer::new(name, reach) };
    let http = Outgoing::new(Duration::from_secs(5), true).unwrap();
    let verified = async |token: &str| issuer.verify(&http, token, &["insula"], None, None).await;

    verified(&first).await.unwrap();
    *keys.lock() = json!({ "keys": [first_key, second_key.clone()] });
    assert!(matches!(verified(&second).await, Err(Error::Refused(_))));
    tokio::time::sleep(AGAIN + Duration::from_millis(50)).await;
    verified(&second).await.unwrap();
    verified(&first).await.unwrap();
    *keys.lock() = json!({ "keys": [second_key] });
    // What is known stays known until the document is old.
    tokio::time::sleep(AGAIN + Duration::from_millis(50)).await;
    verified(&first).await.unwrap();
}
