//! Providers that are slow, broken or lie.

use std::time::{Duration, Instant};

use crate::stage::{Answer, Forge, Stage};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kernel::{Reason, Secret, Span};
use provider::{Begun, Error, Grant, Provider, ProviderConfig, Returned};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use url::Url;

const ACCESS_TOKEN: &str = "the-access-token";

/// An issuer that a test plays.
struct Issuer {
    stage: Stage,
    forge: Forge,
    redirect_uri: Url,
}

impl Issuer {
    /// One that behaves so far.
    async fn new() -> Self {
        let (stage, forge) = (Stage::new().await, Forge::new("first"));
        let redirect_uri = Url::parse("https://api.example.test/auth/link/acme/callback").unwrap();
        let issuer = Self { stage, forge, redirect_uri };
        issuer.stage.set("/.well-known/openid-configuration", Answer::Json(issuer.discovery()));
        issuer.stage.set("/jwks", Answer::Json(json!({ "keys": [issuer.forge.jwk()] })));
        issuer.stage.set("/userinfo", Answer::Json(json!({ "sub": "ada", "name": "Ada" })));
        issuer
    }

    fn name(&self) -> &str {
        self.stage.url.as_str().trim_end_matches('/')
    }

    fn discovery(&self) -> Json {
        json!({
            "issuer": self.name(),
            "authorization_endpoint": self.stage.at("/authorize"),
            "token_endpoint": self.stage.at("/token"),
            "jwks_uri": self.stage.at("/jwks"),
            "userinfo_endpoint": self.stage.at("/userinfo"),
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        })
    }

    fn provider(&self) -> Provider {
        let config = ProviderConfig {
            issuer: Some(self.name().to_owned()),
            client_id: Some("insula".to_owned()),
            client_secret: Some(Secret::new("client-secret")),
            allow_http: true,
            timeout: Span(Duration::from_millis(500)),
            ..ProviderConfig::default()
        };
        Provider::new("acme", &config).unwrap()
    }

    /// The claims of a good id token, with changes.
    fn claims(&self, nonce: &str, changes: &Json) -> Json {
        let now = kernel::time::now().as_second();
        let mut claims = json!({
            "iss": self.name(), "aud": "insula", "sub": "ada", "iat": now, "exp": now + 60, "nonce": nonce,
            "email": "ada@example.test",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    }

    /// What a log-in comes to when the token endpoint answers with an id token.
    async fn log_in(&self, provider: &Provider, token: impl FnOnce(&Begun) -> String) -> provider::Result<Grant> {
        let begun = provider.begin(&self.redirect_uri).await?;
        let answer = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": token(&begun) });
        self.stage.set("/token", Answer::Json(answer));
        self.finish(provider, &begun).await
    }

    async fn finish(&self, provider: &Provider, begun: &Begun) -> provider::Result<Grant> {
        let (verifier, nonce) = (&begun.verifier, &begun.nonce);
        let returned = Returned { code: "a-code", iss: None, redirect_uri: &self.redirect_uri, verifier, nonce };
        provider.finish(returned).await
    }

    /// A log-in whose id token has changed claims.
    async fn log_in_with(&self, changes: Json) -> provider::Result<Grant> {
        let provider = self.provider();
        self.log_in(&provider, |begun| self.forge.sign(&self.claims(begun.nonce.expose(), &changes))).await
    }
}

#[tokio::test]
async fn a_good_answer_of_this_issuer_is_accepted() {
    let issuer = Issuer::new().await;
    let hash = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(ACCESS_TOKEN)[..16]);
    let grant = issuer.log_in_with(json!({ "at_hash": hash })).await.unwrap();
    assert_eq!((grant.profile.subject.as_str(), grant.profile.name.as_deref()), ("ada", Some("Ada")));
    assert_eq!(issuer.stage.asked("/userinfo")[0].header("authorization"), format!("Bearer {ACCESS_TOKEN}"));
}

#[tokio::test]
async fn an_id_token_that_says_something_else_is_refused() {
    let issuer = Issuer::new().await;
    let now = kernel::time::now().as_second();
    for changes in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "another" }),
        json!({ "aud": ["insula", "another"] }),
        json!({ "aud": ["insula", "another"], "azp": "insula" }),
        json!({ "azp": "another" }),
        json!({ "exp": now - 3_600 }),
        json!({ "iat": now + 3_600 }),
        json!({ "iss": "https://evil.test" }),
        json!({ "at_hash": "bm90LXRoZS1oYXNo" }),
    ] {
        assert_refused(issuer.log_in_with(changes.clone()).await, &changes);
    }
}

#[tokio::test]
async fn an_id_token_with_another_signature_is_refused() {
    let issuer = Issuer::new().await;
    let provider = issuer.provider();
    let encoded = |header: &Json, claims: &Json| {
        [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
    };
    let claims = |begun: &Begun| issuer.claims(begun.nonce.expose(), &json!({}));

    let none = issuer.log_in(&provider, |begun| format!("{}.", encoded(&json!({ "alg": "none" }), &claims(begun))));
    assert_refused(none.await, &"alg none");

    // The public key is known to everybody, and so would be this secret, in whatever form it is taken.
    let jwk = issuer.forge.jwk().to_string().into_bytes();
    for secret in [issuer.forge.point(), &issuer.forge.point()[1..33], jwk.as_slice(), b""] {
        let header = Header { kid: Some("first".into()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(secret);
        let forged = issuer.log_in(&provider, |begun| jsonwebtoken::encode(&header, &claims(begun), &key).unwrap());
        assert_refused(forged.await, &"HS256 by the public key");
    }

    let stranger = Forge::new("first");
    assert_refused(issuer.log_in(&provider, |begun| stranger.sign(&claims(begun))).await, &"another key");
    let unknown = Forge::new("unknown");
    assert_refused(issuer.log_in(&provider, |begun| unknown.sign(&claims(begun))).await, &"unknown kid");

    // A token does not bring its own key.
    let jwk = serde_json::from_value(stranger.jwk()).unwrap();
    let header = Header { jwk: Some(jwk), ..stranger.header() };
    assert_refused(issuer.log_in(&provider, |begun| stranger.sign_as(&header, &claims(begun))).await, &"own key");

    let header = Header { typ: Some("at+jwt".into()), ..issuer.forge.header() };
    assert_refused(issuer.log_in(&provider, |begun| issuer.forge.sign_as(&header, &claims(begun))).await, &"type");
    let header = Header { crit: Some(vec!["exp".into()]), ..issuer.forge.header() };
    assert_refused(issuer.log_in(&provider, |begun| issuer.forge.sign_as(&header, &claims(begun))).await, &"crit");
    let long = json!({ "padding": "x".repeat(20_000) });
    assert_refused(issuer.log_in_with(long).await, &"too long");
    assert_refused(issuer.log_in(&provider, |_| "no token".to_owned()).await, &"no token");
    // None of this made the provider useless.
    issuer.log_in(&provider, |begun| issuer.forge.sign(&claims(begun))).await.unwrap();
}

#[tokio::test]
async fn a_symmetric_key_among_the_public_ones_is_no_key() {
    let issuer = Issuer::new().await;
    let secret = BASE64_URL_SAFE_NO_PAD.encode("everybody knows this");
    let symmetric = json!({ "kty": "oct", "kid": "oct", "k": secret, "alg": "HS256" });
    issuer.stage.set("/jwks", Answer::Json(json!({ "keys": [symmetric, { "kty": "new" }, 7, issuer.forge.jwk()] })));
    let header = Header { kid: Some("oct".into()), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(b"everybody knows this");
    let provider = issuer.provider();
    let claims = |begun: &Begun| issuer.claims(begun.nonce.expose(), &json!({}));
    let forged = issuer.log_in(&provider, |begun| jsonwebtoken::encode(&header, &claims(begun), &key).unwrap());
    assert_refused(forged.await, &"HS256 by a published key");
    // What is odd in the document does not spoil the rest.
    issuer.log_in(&provider, |begun| issuer.forge.sign(&claims(begun))).await.unwrap();
}

#[tokio::test]
async fn a_document_about_another_user_is_refused() {
    let issuer = Issuer::new().await;
    issuer.stage.set("/userinfo", Answer::Json(json!({ "sub": "grace", "name": "Grace" })));
    assert_refused(issuer.log_in_with(json!({})).await, &"another subject");
    issuer.stage.set("/userinfo", Answer::Json(json!({ "name": "Nobody" })));
    assert_unavailable(issuer.log_in_with(json!({})).await, &"no subject");
}

#[tokio::test]
async fn a_token_endpoint_that_misbehaves_costs_little_time_and_memory() {
    let issuer = Issuer::new().await;
    let provider = issuer.provider();
    let begun = provider.begin(&issuer.redirect_uri).await.unwrap();
    let elsewhere = Stage::new().await;
    let good = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer" });
    elsewhere.set("/token", Answer::Json(good.clone()));
    let there = elsewhere.at("/token").to_string();
    for answer in [
        Answer::Silence,
        Answer::Trickle,
        Answer::Long(5 << 20, good.clone()),
        Answer::Long(1 << 20, good.clone()),
        Answer::Redirect(302, there.clone()),
        Answer::Redirect(307, there.clone()),
        Answer::Redirect(308, there),
        Answer::Text("<html>".to_owned()),
        Answer::Text(String::new()),
        Answer::Text("[".repeat(100_000)),
        Answer::Json(json!({ "access_token": { "s3cret": "s3cret" }, "token_type": "Bearer" })),
        Answer::Json(json!({ "access_token": "s3cret", "token_type": "Bearer", "expires_in": "s3cret" })),
        Answer::Json(json!({ "access_token": "s3cret", "token_type": "DPoP" })),
        Answer::Status(500, json!({ "error": "server_error" })),
        Answer::Status(503, json!({})),
        Answer::Status(400, json!({ "error": "invalid_client" })),
    ] {
        issuer.stage.set("/token", answer.clone());
        let started = Instant::now();
        assert_unavailable(issuer.finish(&provider, &begun).await, &answer);
        assert!(started.elapsed() < Duration::from_secs(2), "{answer:?} took {:?}", started.elapsed());
    }
    assert!(elsewhere.asked("/token").is_empty(), "a redirect was followed");

    issuer.stage.set("/token", Answer::Status(400, json!({ "error": "invalid_grant" })));
    assert_refused(issuer.finish(&provider, &begun).await, &"invalid_grant");
    issuer.stage.set("/token", Answer::Long(900_000, good));
    assert_refused(issuer.finish(&provider, &begun).await, &"no id token");
}

#[tokio::test]
async fn a_discovery_document_that_lies_is_not_believed() {
    let issuer = Issuer::new().await;
    for changes in [
        json!({ "issuer": "https://evil.test" }),
        json!({ "issuer": format!("{}/", issuer.name()) }),
        json!({ "token_endpoint": "http://192.0.2.1/token" }),
        json!({ "jwks_uri": "http://evil.test/jwks" }),
        json!({ "userinfo_endpoint": "file:///etc/passwd" }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "authorization_endpoint": "https://user:pass@evil.test/" }),
        json!({ "id_token_signing_alg_values_supported": ["none", "HS256"] }),
        json!({ "id_token_signing_alg_values_supported": null }),
        json!({ "jwks_uri": null }),
    ] {
        let mut document = issuer.discovery();
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        issuer.stage.set("/.well-known/openid-configuration", Answer::Json(document));
        let outcome = issuer.provider().begin(&issuer.redirect_uri).await;
        assert_unavailable(outcome, &changes);
    }
    let long = Answer::Long(2 << 20, issuer.discovery());
    for answer in [Answer::Silence, long, Answer::Text("{".into()), Answer::Status(404, json!({}))] {
        issuer.stage.set("/.well-known/openid-configuration", answer.clone());
        assert_unavailable(issuer.provider().begin(&issuer.redirect_uri).await, &answer);
    }
}

#[tokio::test]
async fn a_failed_fetch_is_not_remembered() {
    let issuer = Issuer::new().await;
    let provider = issuer.provider();
    issuer.stage.set("/.well-known/openid-configuration", Answer::Status(503, json!({})));
    assert_unavailable(provider.begin(&issuer.redirect_uri).await, &"503");
    issuer.stage.set("/.well-known/openid-configuration", Answer::Json(issuer.discovery()));
    provider.begin(&issuer.redirect_uri).await.unwrap();
}

#[tokio::test]
async fn nobody_at_home_is_the_providers_fault() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = ProviderConfig {
        issuer: Some(issuer),
        client_id: Some("insula".to_owned()),
        allow_http: true,
        ..ProviderConfig::default()
    };
    let provider = Provider::new("acme", &config).unwrap();
    let outcome = provider.exchange(&Secret::new("a.b.c")).await;
    let error = kernel::Error::from(outcome.unwrap_err());
    assert_eq!((error.reason, error.reason.status()), (Reason::ProviderUnavailable, 502));
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[tokio::test]
async fn documents_are_fetched_once_for_all_who_wait_and_strangers_cannot_make_it_more() {
    let issuer = Issuer::new().await;
    let provider = issuer.provider();
    let (claims, unknown) = (issuer.claims("", &json!({})), Forge::new("unknown"));
    let (good, bad) = (Secret::new(issuer.forge.sign(&claims)), Secret::new(unknown.sign(&claims)));
    let exchange = |number| provider.exchange(if number % 2 == 0 { &good } else { &bad });
    for (number, outcome) in futures_util::future::join_all((0..100).map(exchange)).await.into_iter().enumerate() {
        assert_eq!(outcome.is_ok(), number % 2 == 0, "{outcome:?}");
    }
    assert_eq!(issuer.stage.asked("/.well-known/openid-configuration").len(), 1);
    assert_eq!(issuer.stage.asked("/jwks").len(), 1);
}

fn assert_refused(outcome: provider::Result<Grant>, what: &impl std::fmt::Debug) {
    match outcome {
        Err(error @ Error::Refused(_)) => {
            assert_eq!(kernel::Error::from(error).reason, Reason::LinkRefused);
        }
        other => panic!("{what:?} was not refused: {other:?}"),
    }
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: provider::Result<T>, what: &impl std::fmt::Debug) {
    match outcome {
        Err(error @ Error::Unavailable(_)) => {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3cret") && !text.contains("a-code") && !text.contains("client-secret"), "{text}");
        }
        other => panic!("{what:?} was taken for an answer: {other:?}"),
    }
}
