//! Foreign tokens become sessions.

use std::sync::Arc;

use axum::{
    Json as Body, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use identity::UserStatus;
use insula_tests::{Answer, Backend, Client, OpenIdServer, on_all_databases};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::journey::{self, page, travel, usernames};

on_all_databases!(id_tokens_are_exchanged, tokens_that_are_no_good_are_refused, appwrite_is_asked_for_the_account);

async fn exchange(client: &Client, provider: &str, token: &str) -> Answer {
    client.post(&format!("/auth/exchange/{provider}"), &json!({"token": token})).await
}

async fn id_tokens_are_exchanged(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |config| {
        config.identity.providers.get_mut("beta").unwrap().audiences = vec!["our-app".to_owned()];
    })
    .await;
    let nobody = world.at(&world.tenant);
    let token = server.id_token_for("ada").await;
    let entered = exchange(&nobody, "acme", &token).await;
    assert_eq!((entered.status, &entered.body["user"]["email"]), (200, &json!("ada@example.test")), "{}", entered.text);
    let caller = nobody.with_token(entered.body["token"].as_str().unwrap());
    assert_eq!(caller.get("/auth/status").await.status, 200);
    // As long as it is good, and however the user comes, it is the same user.
    let ada = &entered.body["user"]["uuid"];
    assert_eq!(&exchange(&nobody, "acme", &token).await.body["user"]["uuid"], ada);
    assert_eq!(&travel(&nobody, &server, "acme", &page(&world.tenant), "ada").await.body["user"]["uuid"], ada);
    // To another provider it is another account, even where the issuer is the same.
    assert_eq!(exchange(&nobody, "beta", &token).await.refusal(), (409, "email_taken"));
    let of_app = server.forged_id_token("bob", json!({"aud": "our-app"})).await;
    assert_eq!(exchange(&nobody, "beta", &of_app).await.body["user"]["username"], "bob");
    assert_eq!(exchange(&nobody, "acme", &of_app).await.refusal(), (401, "foreign_token_invalid"));

    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let user = identity.find_user(&open, "ada").await.unwrap().unwrap();
    identity.set_status(&open, user.id, UserStatus::Suspended).await.unwrap();
    assert_eq!(exchange(&nobody, "acme", &token).await.refusal(), (401, "credentials_invalid"));
    assert_eq!(usernames(&world).await, ["ada", "bob"]);
    world.end().await;
}

async fn tokens_that_are_no_good_are_refused(backend: Backend) {
    let (server, other) = (OpenIdServer::start().await, OpenIdServer::start().await);
    let world = journey::world(backend, &server, |config| {
        let plain = json!({"preset": "github", "client_id": "id", "client_secret": "secret"});
        config.identity.providers.insert("github".to_owned(), serde_json::from_value(plain).unwrap());
    })
    .await;
    let nobody = world.at(&world.tenant);
    let now = kernel::time::now().as_second();
    let good = server.forged_id_token("ada", json!({})).await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    let mut bad =
        vec![String::new(), "x".to_owned(), format!("{signed}."), good.replace('.', ","), "x".repeat(100_000)];
    bad.push(other.id_token_for("ada").await);
    for changes in [
        json!({"aud": "another"}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": now - 3_600}),
        json!({"exp": null}),
        json!({"iat": now + 3_600, "nbf": now + 3_600}),
        json!({"sub": null}),
        json!({"sub": ""}),
    ] {
        bad.push(server.forged_id_token("ada", changes).await);
    }
    for token in bad {
        assert_eq!(exchange(&nobody, "acme", &token).await.refusal(), (401, "foreign_token_invalid"), "{token}");
    }
    assert_eq!(exchange(&nobody, "nowhere", &good).await.refusal(), (404, "provider_unknown"));
    assert_eq!(exchange(&nobody, "github", &good).await.refusal(), (404, "provider_unknown"));
    let missing = nobody.post("/auth/exchange/acme", &json!({})).await;
    assert_eq!((missing.refusal(), missing.field()), ((400, "field_missing"), "token"));
    assert_eq!(usernames(&world).await, [""; 0]);
    world.end().await;
}

/// What the small server saw and what it is to answer.
#[derive(Default)]
struct Appwrite {
    asked: Mutex<Vec<String>>,
    down: Mutex<bool>,
}

async fn account(State(appwrite): State<Arc<Appwrite>>, headers: HeaderMap) -> (StatusCode, Body<Json>) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    appwrite.asked.lock().push(header("x-appwrite-project"));
    if *appwrite.down.lock() {
        return (StatusCode::SERVICE_UNAVAILABLE, Body(json!({"message": "down"})));
    }
    match header("x-appwrite-jwt").strip_prefix("good-") {
        Some(id) => {
            let account = json!({"$id": id, "name": "Grace Hopper", "email": "grace@example.test",
                "emailVerification": true, "status": true});
            (StatusCode::OK, Body(account))
        }
        None => (StatusCode::UNAUTHORIZED, Body(json!({"type": "user_jwt_invalid", "code": 401}))),
    }
}

async fn appwrite_is_asked_for_the_account(backend: Backend) {
    let appwrite = Arc::new(Appwrite::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/account", get(account)).with_state(Arc::clone(&appwrite));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let world = insula_tests::World::configured(backend, |config| {
        let table = json!({"endpoint": endpoint, "project": "our-project", "trust_email": true, "allow_http": true});
        config.identity.providers.insert("appwrite".to_owned(), serde_json::from_value(table).unwrap());
    })
    .await;
    let nobody = world.at(&world.tenant);
    let entered = exchange(&nobody, "appwrite", "good-grace").await;
    let told = (&entered.body["user"]["username"], &entered.body["user"]["email"], &entered.body["user"]["name"]);
    assert_eq!(told, (&json!("grace"), &json!("grace@example.test"), &json!("Grace Hopper")), "{}", entered.text);
    let again = exchange(&nobody, "appwrite", "good-grace").await;
    assert_eq!(again.body["user"]["uuid"], entered.body["user"]["uuid"]);
    for bad in ["", "bad", "two\r\nlines", "é", &"x".repeat(10_000)] {
        assert_eq!(exchange(&nobody, "appwrite", bad).await.refusal(), (401, "foreign_token_invalid"), "{bad}");
    }
    *appwrite.down.lock() = true;
    assert_eq!(exchange(&nobody, "appwrite", "good-grace").await.refusal(), (502, "provider_unavailable"));
    assert!(appwrite.asked.lock().iter().all(|project| project == "our-project"));
    let listed = nobody.get("/auth/link").await;
    let kind = json!([{"name": "appwrite", "kind": "appwrite", "logs_in": false, "exchanges": true}]);
    assert_eq!(listed.body["providers"], kind);
    serving.abort();
    world.end().await;
}
