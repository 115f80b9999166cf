//! A stage on which tests play providers, well-behaved and not: every path answers what the test says, and what was
//! asked is written down.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use url::Url;

/// What a path answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status 200 and JSON.
    Json(Json),
    /// Another status and JSON.
    Status(u16, Json),
    /// Status 200 and any text that calls itself JSON.
    Text(String),
    /// A redirect.
    Redirect(u16, String),
    /// So many bytes of blanks before the JSON; the length is not said beforehand.
    Long(usize, Json),
    /// A byte now and then, without end.
    Trickle,
    /// No answer.
    Silence,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<Asked>>,
}

/// The stage, at a port of this machine.
pub(crate) struct Stage {
    pub(crate) url: Url,
    script: Arc<Script>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let script = Arc::<Script>::default();
        let router = axum::Router::new().fallback(play).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script }
    }

    /// Says what a path answers from now on.
    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.script.answers.lock().insert(path.to_owned(), answer);
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    /// What a path was asked.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.script.asked.lock().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

impl Asked {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let form = Url::parse(&format!("http://form/?{}", self.body)).unwrap();
        form.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

async fn play(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (path, body) = (uri.path().to_owned(), String::from_utf8(body.to_vec()).unwrap());
    script.asked.lock().push(Asked { method, path: path.clone(), headers, body });
    let answer = script.answers.lock().get(&path).cloned().unwrap_or(Answer::Status(404, json!({})));
    let of = |status: u16, body: Body| {
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
    };
    match answer {
        Answer::Json(json) => of(200, json.to_string().into()),
        Answer::Status(status, json) => of(status, json.to_string().into()),
        Answer::Text(text) => of(200, text.into()),
        Answer::Redirect(status, to) => {
            let status = StatusCode::from_u16(status).unwrap();
            Response::builder().status(status).header(header::LOCATION, to).body(Body::empty()).unwrap()
        }
        Answer::Long(bytes, json) => {
            let mut chunks = vec![Bytes::from(vec![b' '; 64 << 10]); bytes.div_ceil(64 << 10)];
            chunks.push(json.to_string().into());
            of(200, Body::from_stream(futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>))))
        }
        Answer::Trickle => {
            let drops = futures_util::stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok::<_, std::io::Error>(" "), ()))
            });
            of(200, Body::from_stream(drops))
        }
        Answer::Silence => std::future::pending().await,
    }
}

/// A key for ES256, and what can be done with it.
pub(crate) struct Forge {
    pub(crate) kid: String,
    pair: EcdsaKeyPair,
    key: EncodingKey,
}

impl Forge {
    pub(crate) fn new(kid: &str) -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        Self { kid: kid.to_owned(), pair, key: EncodingKey::from_ec_der(document.as_ref()) }
    }

    /// The public key's point, without compression.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as a JWK.
    pub(crate) fn jwk(&self) -> Json {
        let (x, y) = self.point()[1..].split_at(32);
        let [x, y] = [x, y].map(|half| BASE64_URL_SAFE_NO_PAD.encode(half));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y })
    }

    /// A header for ES256 that names the key.
    pub(crate) fn header(&self) -> Header {
        Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) }
    }

    pub(crate) fn sign(&self, claims: &Json) -> String {
        self.sign_as(&self.header(), claims)
    }

    pub(crate) fn sign_as(&self, header: &Header, claims: &Json) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}
