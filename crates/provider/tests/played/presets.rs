//! GitHub, Discord, Spotify and Appwrite, played by their documented answers, and providers of one's own.

use crate::stage::{Answer, Stage};
use kernel::{Reason, Secret};
use provider::{Begun, Error, Grant, Provider, ProviderConfig, Returned};
use serde_json::{Value as Json, json};
use url::Url;

fn redirect_uri() -> Url {
    Url::parse("https://api.example.test/auth/link/github/callback").unwrap()
}

/// A provider of this name, whose addresses are the stage's.
fn provider(stage: &Stage, name: &str, changes: impl FnOnce(&mut ProviderConfig)) -> Provider {
    let mut config = ProviderConfig {
        authorize_url: Some(stage.at("/authorize?brand=acme")),
        token_url: Some(stage.at("/token")),
        userinfo_url: Some(stage.at("/user")),
        client_id: Some("an id".to_owned()),
        client_secret: Some(Secret::new("a secret & more")),
        allow_http: true,
        ..ProviderConfig::default()
    };
    changes(&mut config);
    Provider::new(name, &config).unwrap()
}

fn github(stage: &Stage) -> Provider {
    provider(stage, "github", |config| config.emails_url = Some(stage.at("/user/emails")))
}

async fn begin(provider: &Provider) -> Begun {
    provider.begin(&redirect_uri()).await.unwrap()
}

async fn finish(provider: &Provider, begun: &Begun) -> provider::Result<Grant> {
    let (verifier, nonce) = (&begun.verifier, &begun.nonce);
    // An issuer that plain OAuth 2.0 knows nothing of means nothing.
    let (code, iss) = ("a-code", Some("https://github.com"));
    provider.finish(Returned { code, iss, redirect_uri: &redirect_uri(), verifier, nonce }).await
}

async fn log_in(provider: &Provider) -> provider::Result<Grant> {
    finish(provider, &begin(provider).await).await
}

fn token_answer() -> Answer {
    Answer::Json(json!({
        "access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "scope": "read:user,user:email",
        "token_type": "bearer"
    }))
}

/// The documented answer of `GET /user`, shortened.
fn github_user() -> Json {
    json!({
        "login": "octocat", "id": 583_231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User",
        "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4",
        "name": "The Octocat", "email": "public@github.com", "two_factor_authentication": true
    })
}

#[tokio::test]
async fn github_tells_the_primary_verified_address() {
    let stage = Stage::new().await;
    let provider = github(&stage);
    stage.set("/token", token_answer());
    stage.set("/user", Answer::Json(github_user()));
    let addresses = json!([
        { "email": "other@example.test", "primary": false, "verified": true, "visibility": null },
        { "email": "octocat@github.com", "primary": true, "verified": true, "visibility": "private" },
    ]);
    stage.set("/user/emails", Answer::Json(addresses));
    let begun = begin(&provider).await;
    let grant = finish(&provider, &begun).await.unwrap();
    let profile = grant.profile;
    assert_eq!(profile.subject, "583231");
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("octocat@github.com"), true));
    assert_eq!((profile.name.as_deref(), profile.username.as_deref()), (Some("The Octocat"), Some("octocat")));
    assert_eq!(profile.avatar.unwrap().as_str(), "https://avatars.githubusercontent.com/u/583231?v=4");
    assert_eq!((grant.refresh_token, grant.expires_at), (None, None));

    let asked = &stage.asked("/token")[0];
    assert_eq!((asked.method.as_str(), asked.header("accept")), ("POST", "application/json"));
    assert_eq!(asked.header("authorization"), "");
    let redirect_uri = redirect_uri();
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "a-code"),
        ("client_id", "an id"),
        ("client_secret", "a secret & more"),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", begun.verifier.expose()),
    ];
    for (name, value) in expected {
        assert_eq!(asked.field(name).as_deref(), Some(value), "{name}");
    }
    for path in ["/user", "/user/emails"] {
        let asked = &stage.asked(path)[0];
        assert_eq!(asked.header("authorization"), "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a");
        assert!(asked.header("user-agent").starts_with("insula/"), "GitHub refuses whoever has no name");
    }
}

#[tokio::test]
async fn github_without_a_verified_address_or_without_the_right_to_see_it() {
    let stage = Stage::new().await;
    let provider = github(&stage);
    stage.set("/token", token_answer());
    stage.set("/user", Answer::Json(github_user()));
    let address = |addresses: Json| {
        stage.set("/user/emails", Answer::Json(addresses));
        async { log_in(&provider).await.map(|grant| (grant.profile.email, grant.profile.email_verified)).unwrap() }
    };
    let unverified = address(json!([{ "email": "a@b.test", "primary": true, "verified": false }])).await;
    assert_eq!(unverified, (Some("a@b.test".to_owned()), false));
    // The public address of the profile is not taken instead.
    assert_eq!(address(json!([{ "email": "a@b.test", "primary": false, "verified": true }])).await, (None, false));
    assert_eq!(address(json!([])).await, (None, false));
    stage.set("/user/emails", Answer::Status(403, json!({ "message": "Resource not accessible by integration" })));
    assert_eq!(log_in(&provider).await.unwrap().profile.email, None);
    stage.set("/user/emails", Answer::Status(500, json!({})));
    assert!(matches!(log_in(&provider).await, Err(Error::Unavailable(_))));
    stage.set("/user", Answer::Status(401, json!({ "message": "Bad credentials" })));
    assert!(matches!(log_in(&provider).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn github_reports_a_bad_code_with_status_200() {
    let stage = Stage::new().await;
    let provider = github(&stage);
    let says = |error: &str| {
        let description = "The code passed is incorrect or expired.";
        stage.set("/token", Answer::Json(json!({ "error": error, "error_description": description })));
    };
    says("bad_verification_code");
    let error = kernel::Error::from(log_in(&provider).await.unwrap_err());
    assert_eq!((error.reason, error.reason.status()), (Reason::LinkRefused, 400));
    says("incorrect_client_credentials");
    assert!(matches!(log_in(&provider).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn discord_and_spotify_are_understood() {
    let stage = Stage::new().await;
    let answer = json!({
        "access_token": "6qrZcUqja7812RVdnEKjpzOL4CvHBFG", "token_type": "Bearer", "expires_in": 604_800,
        "refresh_token": "D43f5y0ahjqew82jZ4NViEr2YafMKhue", "scope": "identify email"
    });
    stage.set("/token", Answer::Json(answer));
    let user = json!({
        "id": "80351110224678912", "username": "nelly", "discriminator": "1337", "global_name": "Nelly",
        "avatar": "8342729096ea3675442027381ff50dfe", "verified": true, "email": "nelly@discord.com"
    });
    stage.set("/user", Answer::Json(user));
    let grant = log_in(&provider(&stage, "discord", |_| {})).await.unwrap();
    let profile = grant.profile;
    assert_eq!((profile.subject.as_str(), profile.username.as_deref()), ("80351110224678912", Some("nelly")));
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("nelly@discord.com"), true));
    let picture = "https://cdn.discordapp.com/avatars/80351110224678912/8342729096ea3675442027381ff50dfe.png";
    assert_eq!(profile.avatar.unwrap().as_str(), picture);
    assert_eq!(grant.refresh_token.unwrap().expose(), "D43f5y0ahjqew82jZ4NViEr2YafMKhue");
    let lasts = grant.expires_at.unwrap().as_second() - kernel::time::now().as_second();
    assert!((604_790..=604_800).contains(&lasts), "{lasts}");
    // Basic, with id and secret encoded before they are joined.
    assert_eq!(stage.asked("/token")[0].header("authorization"), "Basic YW4raWQ6YStzZWNyZXQrJTI2K21vcmU=");

    let user = json!({
        "display_name": "Smedjan", "email": "smedjan@example.test", "id": "smedjan", "type": "user",
        "images": [{ "url": "https://i.scdn.co/image/ab67", "height": 300, "width": 300 }]
    });
    stage.set("/user", Answer::Json(user));
    let profile = log_in(&provider(&stage, "spotify", |_| {})).await.unwrap().profile;
    assert_eq!((profile.subject.as_str(), profile.name.as_deref()), ("smedjan", Some("Smedjan")));
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("smedjan@example.test"), false));
    assert_eq!(profile.avatar.unwrap().as_str(), "https://i.scdn.co/image/ab67");
}

#[tokio::test]
async fn any_provider_of_plain_oauth_is_described_by_its_fields() {
    let stage = Stage::new().await;
    let provider = provider(&stage, "acme", |config| {
        config.subject_field = Some("/data/user~1id".to_owned());
        config.email_field = Some("/data/mail/0".to_owned());
        config.email_verified_field = Some("/data/sure".to_owned());
        config.trust_email = Some(true);
        config.scopes = vec!["who".to_owned(), "where".to_owned()];
    });
    stage.set("/token", token_answer());
    let user = json!({ "data": { "user/id": 7, "mail": ["a@b.test"], "sure": "true" }, "name": "Ada" });
    stage.set("/user", Answer::Json(user));
    let begun = begin(&provider).await;
    let parameter = |name| begun.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(parameter("brand").as_deref(), Some("acme"));
    assert_eq!(parameter("response_type").as_deref(), Some("code"));
    assert_eq!(parameter("client_id").as_deref(), Some("an id"));
    assert_eq!(parameter("scope").as_deref(), Some("who where"));
    assert_eq!(parameter("state").as_deref(), Some(begun.state.expose()));
    assert_eq!(parameter("redirect_uri").as_deref(), Some(redirect_uri().as_str()));
    assert_eq!(parameter("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(parameter("nonce"), None);
    assert!(!format!("{begun:?}").contains(begun.state.expose()));
    assert!(begun.state.expose().len() >= 43 && begun.verifier.expose().len() >= 43);
    let other = begin(&provider).await;
    assert!(other.state != begun.state && other.verifier != begun.verifier && other.nonce != begun.nonce);

    let profile = finish(&provider, &begun).await.unwrap().profile;
    assert_eq!((profile.subject.as_str(), profile.email_verified), ("7", true));
    assert_eq!((profile.email.as_deref(), profile.name.as_deref()), (Some("a@b.test"), Some("Ada")));
    stage.set("/user", Answer::Json(json!({ "data": { "user/id": null } })));
    assert!(matches!(finish(&provider, &begun).await, Err(Error::Unavailable(_))));

    assert!(provider.logs_in() && !provider.exchanges());
    let error = kernel::Error::from(provider.exchange(&Secret::new("a token")).await.unwrap_err());
    assert_eq!(error.reason, Reason::ProviderUnknown);
}

#[tokio::test]
async fn appwrite_is_asked_for_the_account_of_a_token() {
    let stage = Stage::new().await;
    let config = ProviderConfig {
        endpoint: Some(stage.at("/v1")),
        project: Some("my-project".to_owned()),
        trust_email: Some(true),
        allow_http: true,
        ..ProviderConfig::default()
    };
    let provider = Provider::new("appwrite", &config).unwrap();
    let account = json!({
        "$id": "5e5ea5c16897e", "$createdAt": "2020-10-15T06:38:00.000+00:00", "name": "John Doe", "status": true,
        "email": "john@appwrite.io", "emailVerification": true, "phone": "+4930901820", "phoneVerification": true
    });
    stage.set("/v1/account", Answer::Json(account));
    let token = Secret::new("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl");
    let profile = provider.exchange(&token).await.unwrap();
    assert_eq!((profile.subject.as_str(), profile.name.as_deref()), ("5e5ea5c16897e", Some("John Doe")));
    assert_eq!((profile.email.as_deref(), profile.email_verified), (Some("john@appwrite.io"), true));
    let asked = &stage.asked("/v1/account")[0];
    assert_eq!((asked.method.as_str(), asked.header("x-appwrite-project")), ("GET", "my-project"));
    assert_eq!(asked.header("x-appwrite-jwt"), token.expose());

    let refusal = json!({ "message": "Failed to verify JWT", "code": 401, "type": "user_jwt_invalid" });
    stage.set("/v1/account", Answer::Status(401, refusal));
    let error = kernel::Error::from(provider.exchange(&token).await.unwrap_err());
    assert_eq!((error.reason, error.reason.status()), (Reason::ForeignTokenInvalid, 401));
    assert!(!format!("{error:?}").contains(token.expose()));
    for odd in ["", "two\nlines", &"x".repeat(5_000)] {
        assert!(matches!(provider.exchange(&Secret::new(odd)).await, Err(Error::TokenInvalid(_))), "{odd}");
    }
    for broken in [Answer::Status(429, json!({})), Answer::Status(500, json!({})), Answer::Json(json!([]))] {
        stage.set("/v1/account", broken.clone());
        assert!(matches!(provider.exchange(&token).await, Err(Error::Unavailable(_))), "{broken:?}");
    }
    assert!(!provider.logs_in() && provider.exchanges());
    assert!(matches!(provider.begin(&redirect_uri()).await, Err(Error::Unsupported(_))));
}
