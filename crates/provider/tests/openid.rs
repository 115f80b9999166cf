//! Log-ins and exchanges with a real OpenID provider, and with tokens that it should never have signed.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

#[path = "../../../tests/src/openid.rs"]
pub mod openid;

use kernel::Secret;
use openid::OpenIdServer;
use provider::{Begun, Error, Grant, Provider, ProviderConfig, Returned};
use serde_json::{Value as Json, json};
use url::Url;

fn redirect_uri() -> Url {
    Url::parse("https://api.example.test/auth/link/acme/callback").unwrap()
}

fn config(server: &OpenIdServer) -> ProviderConfig {
    ProviderConfig {
        issuer: Some(server.issuer().to_owned()),
        client_id: Some(server.client_id().to_owned()),
        client_secret: Some(Secret::new(server.client_secret())),
        trust_email: Some(true),
        allow_http: true,
        ..ProviderConfig::default()
    }
}

fn provider(server: &OpenIdServer) -> Provider {
    Provider::new("acme", &config(server)).unwrap()
}

/// Finishes with what the provider returned and what was kept, both of which a test may have changed.
async fn finish(
    provider: &Provider,
    begun: &Begun,
    code: &str,
    iss: Option<&str>,
    redirect_uri: &Url,
) -> provider::Result<Grant> {
    provider.finish(Returned { code, iss, redirect_uri, verifier: &begun.verifier, nonce: &begun.nonce }).await
}

async fn log_in(server: &OpenIdServer, provider: &Provider, login: &str) -> Grant {
    let begun = provider.begin(&redirect_uri()).await.unwrap();
    let callback = server.follow(begun.url.as_str(), login).await;
    assert_eq!(callback.state, begun.state.expose());
    finish(provider, &begun, &callback.code, callback.iss.as_deref(), &redirect_uri()).await.unwrap()
}

#[tokio::test]
async fn a_log_in_tells_who_the_user_is() {
    let server = OpenIdServer::start().await;
    let provider = provider(&server);
    let grant = log_in(&server, &provider, "ada").await;
    let profile = &grant.profile;
    assert_eq!(profile.subject, "ada");
    assert_eq!(profile.email.as_deref(), Some("ada@example.test"));
    assert!(profile.email_verified);
    // These are not in the id token: the user's document was asked.
    assert_eq!(profile.name.as_deref(), Some("Ada Example"));
    assert_eq!(profile.username.as_deref(), Some("ada"));
    assert_eq!(profile.avatar.as_ref().unwrap().as_str(), "https://pictures.example.test/ada.png");
    assert!(grant.refresh_token.is_some());
    assert!(grant.expires_at.unwrap() > kernel::time::now());
    let shown = format!("{grant:?} {provider:?}");
    assert!(!shown.contains(grant.access_token.expose()) && !shown.contains(server.client_secret()), "{shown}");
}

#[tokio::test]
async fn an_address_is_verified_only_where_the_provider_says_so_and_is_trusted() {
    let server = OpenIdServer::start().await;
    let trusting = provider(&server);
    assert!(!log_in(&server, &trusting, "unverified-bob").await.profile.email_verified);
    let without = log_in(&server, &trusting, "addressless-bob").await.profile;
    assert_eq!((without.email, without.email_verified), (None, false));
    let wary = Provider::new("acme", &ProviderConfig { trust_email: None, ..config(&server) }).unwrap();
    let profile = log_in(&server, &wary, "ada").await.profile;
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("ada@example.test"), false));
}

#[tokio::test]
async fn a_public_client_logs_in_by_pkce_alone_and_other_algorithms_are_understood() {
    for algorithm in ["ES256", "EdDSA", "PS256"] {
        let server = OpenIdServer::signing(algorithm).await;
        let public = server.public_client_id().to_owned();
        let config = ProviderConfig { client_id: Some(public), client_secret: None, ..config(&server) };
        let provider = Provider::new("acme", &config).unwrap();
        assert_eq!(log_in(&server, &provider, "ada").await.profile.subject, "ada", "{algorithm}");
    }
}

#[tokio::test]
async fn what_does_not_belong_to_the_log_in_is_refused() {
    let server = OpenIdServer::start().await;
    let provider = provider(&server);
    let (begun, other) =
        (provider.begin(&redirect_uri()).await.unwrap(), provider.begin(&redirect_uri()).await.unwrap());
    let elsewhere = Url::parse("https://api.other.test/auth/link/acme/callback").unwrap();
    let swapped = |verifier: &Secret, nonce: &Secret| Begun {
        url: begun.url.clone(),
        state: begun.state.clone(),
        nonce: nonce.clone(),
        verifier: verifier.clone(),
    };
    let returned = server.follow(begun.url.as_str(), "ada").await;
    let iss = returned.iss.as_deref();
    assert_eq!(iss, Some(server.issuer()));

    let without_issuer = finish(&provider, &begun, &returned.code, None, &redirect_uri()).await;
    assert_refused(without_issuer, "does not name its issuer");
    let mixed_up = finish(&provider, &begun, &returned.code, Some("https://evil.test"), &redirect_uri()).await;
    assert_refused(mixed_up, "another issuer");

    let nonce = swapped(&begun.verifier, &other.nonce);
    assert_refused(finish(&provider, &nonce, &returned.code, iss, &redirect_uri()).await, "nonce");
    // The code is spent now.
    assert_refused(finish(&provider, &begun, &returned.code, iss, &redirect_uri()).await, "invalid_grant");

    let code = server.follow(begun.url.as_str(), "ada").await.code;
    let verifier = swapped(&other.verifier, &begun.nonce);
    assert_refused(finish(&provider, &verifier, &code, iss, &redirect_uri()).await, "invalid_grant");
    let code = server.follow(begun.url.as_str(), "ada").await.code;
    assert_refused(finish(&provider, &begun, &code, iss, &elsewhere).await, "invalid_grant");
    for code in ["", "no-code", &"x".repeat(5_000)] {
        assert!(matches!(finish(&provider, &begun, code, iss, &redirect_uri()).await, Err(Error::Refused(_))));
    }
}

#[tokio::test]
async fn a_user_who_says_no_comes_back_with_an_error() {
    let server = OpenIdServer::start().await;
    let begun = provider(&server).begin(&redirect_uri()).await.unwrap();
    let callback = server.follow(begun.url.as_str(), "refuse").await;
    assert_eq!((callback.error.as_deref(), callback.code.as_str()), (Some("access_denied"), ""));
    assert_eq!(callback.state, begun.state.expose());
    assert!(callback.url.as_str().starts_with(redirect_uri().as_str()));
}

#[tokio::test]
async fn a_wrong_secret_is_the_operators_mistake_and_not_the_callers() {
    let server = OpenIdServer::start().await;
    let config = ProviderConfig { client_secret: Some(Secret::new("wrong")), ..config(&server) };
    let provider = Provider::new("acme", &config).unwrap();
    let begun = provider.begin(&redirect_uri()).await.unwrap();
    let callback = server.follow(begun.url.as_str(), "ada").await;
    let failed = finish(&provider, &begun, &callback.code, callback.iss.as_deref(), &redirect_uri()).await;
    let error = kernel::Error::from(failed.unwrap_err());
    assert_eq!(error.reason, kernel::Reason::ProviderUnavailable);
    assert!(!error.message.contains("client"), "{}", error.message);
    assert!(error.to_string().contains("invalid_client"), "{error}");
}

#[tokio::test]
async fn an_id_token_of_the_issuer_is_exchanged_and_others_are_not() {
    let (server, stranger) = (OpenIdServer::start().await, OpenIdServer::start().await);
    let provider = provider(&server);
    let profile = provider.exchange(&Secret::new(server.id_token_for("ada").await)).await.unwrap();
    assert_eq!((profile.subject.as_str(), profile.email.as_deref()), ("ada", Some("ada@example.test")));
    assert!(profile.email_verified);

    assert_invalid(&provider, stranger.id_token_for("ada").await).await;
    let claimed = json!({ "iss": server.issuer() });
    assert_invalid(&provider, stranger.forged_id_token("ada", claimed).await).await;
    let genuine = server.forged_id_token("ada", json!({})).await;
    provider.exchange(&Secret::new(genuine.clone())).await.unwrap();
    let (start, signature) = genuine.rsplit_once('.').unwrap();
    assert_invalid(&provider, format!("{start}.{}", signature.chars().rev().collect::<String>())).await;
    for text in ["", "a.b.c", "..", &genuine[..genuine.len() / 2], start] {
        assert_invalid(&provider, text.to_owned()).await;
    }
}

#[tokio::test]
async fn an_id_token_with_the_wrong_claims_is_not_exchanged() {
    let server = OpenIdServer::start().await;
    let provider = provider(&server);
    let now = kernel::time::now().as_second();
    let wrong: [Json; 15] = [
        json!({ "iss": "https://evil.test" }),
        json!({ "iss": [server.issuer()] }),
        json!({ "iss": null }),
        json!({ "aud": "another" }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "aud": ["insula", "another"], "azp": "insula" }),
        json!({ "azp": "another" }),
        json!({ "exp": now - 61 }),
        json!({ "exp": null }),
        json!({ "exp": "9999999999" }),
        json!({ "iat": now + 120 }),
        json!({ "iat": null }),
        json!({ "nbf": now + 120 }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
    ];
    for changes in wrong {
        let outcome = provider.exchange(&Secret::new(server.forged_id_token("ada", changes.clone()).await)).await;
        assert!(matches!(outcome, Err(Error::TokenInvalid(_))), "{changes}: {outcome:?}");
    }
    let subjectless = server.forged_id_token("ada", json!({ "sub": null })).await;
    assert!(matches!(provider.exchange(&Secret::new(subjectless)).await, Err(Error::Unavailable(_))));
    // A clock that is a little behind is forgiven.
    let barely = server.forged_id_token("ada", json!({ "exp": now - 30 })).await;
    assert!(provider.exchange(&Secret::new(barely)).await.is_ok());
}

#[tokio::test]
async fn further_audiences_are_ones_own_apps() {
    let server = OpenIdServer::start().await;
    let config = ProviderConfig { audiences: vec!["phone".to_owned()], ..config(&server) };
    let provider = Provider::new("acme", &config).unwrap();
    for changes in [
        json!({ "aud": "phone" }),
        json!({ "aud": "insula", "azp": "phone" }),
        json!({ "aud": ["insula", "phone"], "azp": "phone" }),
    ] {
        let token = server.forged_id_token("ada", changes).await;
        assert_eq!(provider.exchange(&Secret::new(token)).await.unwrap().subject, "ada");
    }
    let unclear = server.forged_id_token("ada", json!({ "aud": ["insula", "phone"] })).await;
    assert_invalid(&provider, unclear).await;
}

fn assert_refused(outcome: provider::Result<Grant>, because: &str) {
    match outcome {
        Err(Error::Refused(cause)) => assert!(cause.contains(because), "{cause}"),
        other => panic!("not refused because of {because:?}: {other:?}"),
    }
}

async fn assert_invalid(provider: &Provider, token: String) {
    let outcome = provider.exchange(&Secret::new(token)).await;
    assert!(matches!(outcome, Err(Error::TokenInvalid(_))), "{outcome:?}");
}
