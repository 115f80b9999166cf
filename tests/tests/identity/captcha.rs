//! Captchas, checked by a provider that really is asked.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Form, Json as JsonBody, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use identity::{CaptchaAction, CaptchaConfig, CaptchaProvider};
use insula_tests::{Backend, Client, World, on_all_databases};
use kernel::Secret;
use parking_lot::Mutex;
use serde_json::json;

use crate::post::PASSWORD;

on_all_databases!(strangers_solve_a_captcha, a_score_can_be_asked_for, whatever_the_provider_does_nobody_slips_in);

const SECRET: &str = "site-secret";

/// The forms that a provider was sent.
type Asked = Arc<Mutex<Vec<Vec<(String, String)>>>>;

/// A provider of captchas on a port of its own.
struct Provider {
    address: SocketAddr,
    asked: Asked,
}

impl Provider {
    async fn start() -> Self {
        let asked = Asked::default();
        let router = Router::new().route("/siteverify", post(siteverify)).with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    async fn world(&self, backend: Backend, change: impl FnOnce(&mut CaptchaConfig)) -> World {
        let mut captcha = CaptchaConfig {
            provider: CaptchaProvider::Turnstile,
            secret: Secret::new(SECRET),
            verify_url: Some(format!("http://{}/siteverify", self.address).parse().unwrap()),
            min_score: None,
            on: vec![CaptchaAction::Register, CaptchaAction::Forgot],
        };
        change(&mut captcha);
        World::configured(backend, |config| config.identity.captcha = Some(captcha)).await
    }
}

/// Each answer is good once, as with the real ones.
async fn siteverify(State(asked): State<Asked>, Form(form): Form<Vec<(String, String)>>) -> axum::response::Response {
    let field = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap();
    let (secret, answer) = (field("secret"), field("response"));
    let again = asked.lock().contains(&form);
    asked.lock().push(form);
    let refused = |code: &str| JsonBody(json!({ "success": false, "error-codes": [code] })).into_response();
    match &*answer {
        _ if secret != SECRET => refused("invalid-input-secret"),
        _ if again => refused("timeout-or-duplicate"),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            JsonBody(json!({ "success": true })).into_response()
        }
        "broken" => "<html>busy</html>".into_response(),
        "failing" => (StatusCode::INTERNAL_SERVER_ERROR, JsonBody(json!({ "success": true }))).into_response(),
        "moved" => (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response(),
        "huge" => JsonBody(json!({ "success": true, "more": "x".repeat(70_000) })).into_response(),
        "low" => JsonBody(json!({ "success": true, "score": 0.2 })).into_response(),
        "high" => JsonBody(json!({ "success": true, "score": 0.9 })).into_response(),
        answer if answer.starts_with("solved") => JsonBody(json!({ "success": true })).into_response(),
        _ => refused("invalid-input-response"),
    }
}

async fn register(client: &Client, name: &str, captcha: Option<&str>) -> insula_tests::Answer {
    let email = format!("{name}@example.com");
    let mut body = json!({ "username": name, "email": email, "password": PASSWORD });
    if let Some(captcha) = captcha {
        body["captcha"] = captcha.into();
    }
    client.post("/auth/register", &body).await
}

async fn strangers_solve_a_captcha(backend: Backend) {
    let provider = Provider::start().await;
    let world = provider.world(backend, |_| {}).await;
    let client = world.at(&world.tenant);
    let refused = register(&client, "jane", None).await;
    assert_eq!((refused.refusal(), refused.field()), ((403, "captcha_failed"), "captcha"));
    assert_eq!(provider.asked.lock().len(), 0, "what is not there is not asked about");
    let long = "x".repeat(10_000);
    for bad in ["", "wrong", &long] {
        assert_eq!(register(&client, "jane", Some(bad)).await.refusal(), (403, "captcha_failed"));
    }
    let solved = register(&client, "jane", Some("solved 1")).await;
    assert_eq!(solved.status, 201, "{}", solved.text);
    let form = provider.asked.lock().last().unwrap().clone();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(form, [pair("secret", SECRET), pair("response", "solved 1"), pair("remoteip", "127.0.0.1")]);
    assert_eq!(register(&client, "john", Some("solved 1")).await.refusal(), (403, "captcha_failed"), "good once");
    let forgot = async |captcha: &str| {
        client.post("/auth/password/forgot", &json!({ "email": "jane@example.com", "captcha": captcha })).await
    };
    assert_eq!(forgot("wrong").await.refusal(), (403, "captcha_failed"));
    assert_eq!(forgot("solved 2").await.status, 202);
    // Logging in is not among what needs one here.
    client.log_in("jane", PASSWORD).await;
    world.end().await;
}

async fn a_score_can_be_asked_for(backend: Backend) {
    let provider = Provider::start().await;
    let world = provider.world(backend, |captcha| captcha.min_score = Some(0.5)).await;
    let client = world.at(&world.tenant);
    for bad in ["low", "solved without a score"] {
        assert_eq!(register(&client, "jane", Some(bad)).await.refusal(), (403, "captcha_failed"), "{bad}");
    }
    assert_eq!(register(&client, "jane", Some("high")).await.status, 201);
    world.end().await;
}

async fn whatever_the_provider_does_nobody_slips_in(backend: Backend) {
    let provider = Provider::start().await;
    let world = provider.world(backend, |_| {}).await;
    let client = world.at(&world.tenant);
    for bad in ["broken", "failing", "moved", "huge", "slow"] {
        assert_eq!(register(&client, "jane", Some(bad)).await.refusal(), (502, "provider_unavailable"), "{bad}");
    }
    world.end().await;
    let nobody = provider.world(backend, |captcha| captcha.secret = Secret::new("another")).await;
    let client = nobody.at(&nobody.tenant);
    assert_eq!(register(&client, "jane", Some("solved")).await.refusal(), (403, "captcha_failed"));
    nobody.end().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/siteverify", closed.local_addr().unwrap());
    drop(closed);
    let down = provider.world(backend, |captcha| captcha.verify_url = Some(url.parse().unwrap())).await;
    let client = down.at(&down.tenant);
    assert_eq!(register(&client, "jane", Some("solved")).await.refusal(), (502, "provider_unavailable"));
    down.end().await;
}
