//! The three ways to log in, and everything that can be wrong with them.

use std::num::NonZeroU32;

use identity::{NewUser, User, UserStatus};
use insula::Config;
use insula_tests::{Backend, World, on_all_databases};
use kernel::Secret;
use reqwest::Method;
use serde_json::{Value as Json, json};

on_all_databases!(
    three_methods_and_what_can_be_wrong,
    other_addresses_are_refused_before_anything_is_looked_at,
    the_oldest_session_makes_room,
    pins_are_guessed_slowly,
    hashes_of_other_programs_are_renewed,
);

const PASSWORD: &str = "correct horse battery";
const PIN: &str = "0417";

fn card(username: &str) -> String {
    format!("NFC-{username}-04A2B19C")
}

fn at_the_desk(config: &mut Config) {
    config.identity.whitelisted_pin_ips = vec!["127.0.0.1".parse().unwrap()];
    config.identity.whitelisted_string_ips = vec!["127.0.0.0/8".parse().unwrap()];
}

/// Somebody with a password, a PIN and a card.
async fn somebody(world: &World, username: &str) -> User {
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let new = NewUser {
        username: username.into(),
        email: Some(format!("{username}@example.com")),
        password: Some(Secret::new(PASSWORD)),
        ..NewUser::default()
    };
    let user = identity.create_user(&open, new).await.unwrap();
    identity.set_pin(&open, user.id, Some(&Secret::new(PIN))).await.unwrap();
    identity.set_login_string(&open, user.id, Some(&Secret::new(card(username)))).await.unwrap();
    user
}

fn by_password(username: &str, password: &str) -> Json {
    json!({"method": "password", "username": username, "password": password})
}

fn by_pin(username: &str, pin: &str) -> Json {
    json!({"method": "pin", "username": username, "pin": pin})
}

fn by_card(text: &str) -> Json {
    json!({"method": "token", "login_string": text})
}

async fn three_methods_and_what_can_be_wrong(backend: Backend) {
    let world = World::configured(backend, at_the_desk).await;
    let uma = somebody(&world, "uma").await;
    let gone = somebody(&world, "gone").await;
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    identity.set_status(&open, gone.id, UserStatus::Suspended).await.unwrap();
    let nobody = world.at(&world.tenant);
    let post = async |body: Json| nobody.post("/auth/login", &body).await;
    let wrong = post(by_password("uma", "not the password")).await;
    assert_eq!(wrong.refusal(), (401, "credentials_invalid"));
    let table = [
        (by_password("uma", PASSWORD), by_password("gone", PASSWORD), by_password("nobody", PASSWORD), "password"),
        (by_pin("uma", PIN), by_pin("gone", PIN), by_pin("nobody", PIN), "pin"),
        (by_card(&card("uma")), by_card(&card("gone")), by_card(&card("nobody")), "login_string"),
    ];
    for (good, inactive, unknown, secret) in table {
        let answer = post(good.clone()).await;
        assert_eq!((answer.status, &answer.body["user"]["id"]), (200, &json!(uma.number)), "{}", answer.text);
        let token = answer.body["token"].as_str().unwrap();
        assert_eq!(nobody.with_token(token).get("/auth/status").await.status, 200);
        let mut guess = good.clone();
        guess[secret] = json!("00000000");
        for refused in [inactive, unknown, guess] {
            let answer = post(refused.clone()).await;
            assert_eq!(answer.whole(), wrong.whole(), "{refused}");
        }
        let fields: Vec<_> = good.as_object().unwrap().keys().cloned().collect();
        for field in &fields {
            let mut lacking = good.clone();
            lacking.as_object_mut().unwrap().remove(field);
            let answer = post(lacking).await;
            assert_eq!((answer.refusal(), answer.field()), ((400, "field_missing"), &**field), "{}", answer.text);
        }
        for foreign in ["username", "email", "password", "pin", "login_string"] {
            if fields.iter().any(|field| field == foreign) || (foreign == "email" && secret != "login_string") {
                continue;
            }
            let mut more = good.clone();
            more[foreign] = json!("12345678");
            let answer = post(more).await;
            assert_eq!((answer.refusal(), answer.field()), ((400, "field_unknown"), foreign), "{}", answer.text);
        }
        let mut number = good.clone();
        number[secret] = json!(1234);
        let answer = post(number).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), secret), "{}", answer.text);
    }
    let address = json!({"method": "pin", "email": "UMA@example.com", "pin": PIN});
    assert_eq!(post(address).await.status, 200);
    let answer = post(json!({"method": "magic"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "method"));
    assert!(["password", "pin", "token"].iter().all(|method| answer.text.contains(method)), "{}", answer.text);
    world.end().await;
}

async fn other_addresses_are_refused_before_anything_is_looked_at(backend: Backend) {
    let elsewhere = |config: &mut Config| {
        config.identity.whitelisted_pin_ips = vec!["192.0.2.7".parse().unwrap()];
    };
    let world = World::configured(backend, elsewhere).await;
    somebody(&world, "uma").await;
    // Nobody believes this machine when it speaks for others.
    let spoofed = [("content-type", "application/json"), ("x-forwarded-for", "192.0.2.7"), ("x-real-ip", "192.0.2.7")];
    for nobody in [world.at(&world.tenant), world.anonymous()] {
        let refused = nobody.post("/auth/login", &by_pin("uma", PIN)).await;
        assert_eq!(refused.refusal(), (403, "address_not_allowed"));
        for body in [by_pin("uma", "0000"), by_pin("nobody", PIN), by_card(&card("uma")), by_card("something else")] {
            let answer = nobody.post("/auth/login", &body).await;
            assert_eq!(answer.whole(), refused.whole(), "{body}");
            let answer = nobody.send(Method::POST, "/auth/login", &spoofed, Some(body.to_string().into_bytes())).await;
            assert_eq!(answer.whole(), refused.whole(), "{body}");
        }
        // What is wrong with the request itself comes first.
        let answer = nobody.post("/auth/login", &json!({"method": "pin", "username": "uma"})).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_missing"), "pin"));
        assert_eq!(nobody.post("/auth/login", &by_password("uma", PASSWORD)).await.status, 200);
    }
    world.end().await;
    // Behind a proxy that is believed, the client's address decides.
    let behind = |config: &mut Config| {
        elsewhere(config);
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let world = World::configured(backend, behind).await;
    somebody(&world, "uma").await;
    let body = || Some(by_pin("uma", PIN).to_string().into_bytes());
    for (address, status) in [("192.0.2.7", 200), ("192.0.2.8", 403), ("192.0.2.7, 198.51.100.1", 403)] {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
        let answer = world.at(&world.tenant).send(Method::POST, "/auth/login", &headers, body()).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
    }
    world.end().await;
}

async fn the_oldest_session_makes_room(backend: Backend) {
    let two = |config: &mut Config| {
        at_the_desk(config);
        config.identity.max_concurrent_sessions = NonZeroU32::new(2).unwrap();
    };
    let world = World::configured(backend, two).await;
    somebody(&world, "uma").await;
    let nobody = world.at(&world.tenant);
    let mut sessions = Vec::new();
    for body in [by_password("uma", PASSWORD), by_pin("uma", PIN), by_card(&card("uma"))] {
        let answer = nobody.post("/auth/login", &body).await;
        sessions.push(nobody.with_token(answer.body["token"].as_str().unwrap()));
    }
    let mut alive = Vec::new();
    for session in &sessions {
        alive.push(session.get("/auth/status").await.status);
    }
    assert_eq!(alive, [401, 200, 200]);
    world.end().await;
}

async fn pins_are_guessed_slowly(backend: Backend) {
    let world = World::configured(backend, at_the_desk).await;
    somebody(&world, "uma").await;
    let nobody = world.at(&world.tenant);
    for guess in ["0001", "0002", "0003"] {
        assert_eq!(nobody.post("/auth/login", &by_pin("uma", guess)).await.status, 401);
    }
    let answer = nobody.post("/auth/login", &by_pin("UMA", PIN)).await;
    assert_eq!((answer.status, &answer.body["retry_after"]), (429, &json!(1)), "{}", answer.text);
    assert_eq!(nobody.post("/auth/login", &by_password("uma", PASSWORD)).await.status, 200, "the password is no PIN");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(nobody.post("/auth/login", &by_pin("uma", PIN)).await.status, 200);
    assert_eq!(nobody.post("/auth/login", &by_pin("uma", "0001")).await.status, 401, "what was before is forgotten");
    world.end().await;
}

async fn hashes_of_other_programs_are_renewed(backend: Backend) {
    let world = World::new(backend).await;
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    // "U*U", from the test vectors of crypt_blowfish.
    let hash = Secret::new("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    let new = NewUser { username: "moved".into(), password_hash: Some(hash), ..NewUser::default() };
    identity.create_user(&open, new).await.unwrap();
    let nobody = world.at(&world.tenant);
    assert_eq!(nobody.post("/auth/login", &by_password("moved", "U*V")).await.refusal(), (401, "credentials_invalid"));
    for _ in 0..3 {
        nobody.log_in("moved", "U*U").await;
    }
    world.end().await;
}
