//! Codes besides the password.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use insula::Config;
use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use kernel::Secret;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use totp_rs::{Builder, Secret as Seed};

on_all_databases!(
    from_the_first_code_to_the_last,
    a_ticket_opens_nothing_else,
    of_a_hundred_with_one_code_one_gets_in,
    what_is_wrong_is_told,
    an_account_is_removed_with_both,
);

const PASSWORD: &str = "correct horse battery";

/// What makes the codes.
struct Device(String);

impl Device {
    /// The code of so many steps from now.
    fn code(&self, steps: i64) -> String {
        let seed = Seed::try_from_base32(&self.0).unwrap().as_bytes().to_vec();
        let moment = seconds().checked_add_signed(steps * 30).unwrap();
        Builder::new().with_secret(seed).build().unwrap().generate(moment).to_string()
    }
}

fn seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// So that no step ends between a code's making and its taking.
async fn early_in_a_step() {
    let into = seconds() % 30;
    if into > 12 {
        tokio::time::sleep(Duration::from_secs(30 - into)).await;
    }
}

/// Somebody with a session, a second factor that the code of the last step has put in force, and recovery codes.
async fn uma(world: &World) -> (Client, Device, Vec<String>) {
    let uma = world.user("uma", "users").await;
    let begun = uma.post("/auth/totp/enroll", &json!({"password": PASSWORD})).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let device = Device(begun.body["secret"].as_str().unwrap().to_owned());
    let confirmed = uma.post("/auth/totp/verify", &json!({"code": device.code(-1)})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes = confirmed.body["recovery_codes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (uma, device, codes)
}

async fn first_step(nobody: &Client) -> Answer {
    let body = json!({"method": "password", "username": "uma", "password": PASSWORD});
    nobody.post("/auth/login", &body).await
}

async fn ticket(nobody: &Client) -> Json {
    let answer = first_step(nobody).await;
    assert_eq!(answer.refusal(), (401, "second_factor_required"), "{}", answer.text);
    answer.body["ticket"].clone()
}

async fn second_step(nobody: &Client, ticket: &Json, code: &str) -> Answer {
    nobody.post("/auth/totp/verify", &json!({"ticket": ticket, "code": code})).await
}

async fn from_the_first_code_to_the_last(backend: Backend) {
    let world = World::configured(backend, |config: &mut Config| {
        config.identity.whitelisted_pin_ips = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    early_in_a_step().await;
    let nobody = world.at(&world.tenant);
    let (uma, device, codes) = uma(&world).await;
    let state = uma.get("/auth/totp").await.body;
    assert_eq!((&state["enabled"], &state["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert_eq!(uma.get("/auth/me").await.body["user"]["second_factor"], true);
    let refused = first_step(&nobody).await;
    assert_eq!((refused.status, &refused.body["success"], &refused.body["code"]), (401, &json!(false), &json!(401)));
    assert_eq!((&refused.body["expires_in"], &refused.body["token"]), (&json!(300), &Json::Null));
    let again = second_step(&nobody, &refused.body["ticket"], &device.code(-1)).await;
    assert_eq!(again.refusal(), (401, "code_invalid"), "it has put the factor in force already");
    let entered = second_step(&nobody, &refused.body["ticket"], &device.code(0)).await;
    assert_eq!((entered.status, &entered.body["user"]["username"]), (200, &json!("uma")), "{}", entered.text);
    let session = nobody.with_token(entered.body["token"].as_str().unwrap());
    assert_eq!(session.get("/auth/status").await.status, 200);
    // A PIN is no second factor.
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let user = identity.find_user(&open, "uma").await.unwrap().unwrap();
    identity.set_pin(&open, user.id, Some(&Secret::new("0417"))).await.unwrap();
    let by_pin = nobody.post("/auth/login", &json!({"method": "pin", "username": "uma", "pin": "0417"})).await;
    assert_eq!(by_pin.refusal(), (401, "second_factor_required"));
    let recovered = json!({"ticket": by_pin.body["ticket"], "recovery_code": codes[0]});
    assert_eq!(nobody.post("/auth/totp/verify", &recovered).await.status, 200);
    let again = json!({"ticket": ticket(&nobody).await, "recovery_code": codes[0]});
    assert_eq!(nobody.post("/auth/totp/verify", &again).await.refusal(), (401, "code_invalid"));
    let renew = json!({"password": PASSWORD, "code": device.code(1)});
    let renewed = session.post("/auth/totp/recovery-codes", &renew).await;
    let fresh = renewed.body["recovery_codes"][0].as_str().unwrap();
    let void = json!({"password": PASSWORD, "recovery_code": codes[1]});
    assert_eq!(session.post("/auth/totp/disable", &void).await.refusal(), (401, "code_invalid"));
    let wrong = json!({"password": "not the password", "recovery_code": fresh});
    assert_eq!(session.post("/auth/totp/disable", &wrong).await.refusal(), (401, "credentials_invalid"));
    let last = json!({"password": PASSWORD, "recovery_code": fresh});
    assert_eq!(session.post("/auth/totp/disable", &last).await.status, 200);
    assert_eq!(session.get("/auth/totp").await.body["enabled"], json!(false));
    assert_eq!(first_step(&nobody).await.status, 200);
    world.end().await;
}

async fn a_ticket_opens_nothing_else(backend: Backend) {
    let world = World::new(backend).await;
    early_in_a_step().await;
    let nobody = world.at(&world.tenant);
    let (_, device, _) = uma(&world).await;
    let first = ticket(&nobody).await;
    let text = first.as_str().unwrap();
    for path in ["/auth/status", "/permissions", "/auth/totp"] {
        assert_eq!(nobody.with_token(text).get(path).await.status, 401, "{path}");
    }
    let other = world.another_tenant().await;
    let elsewhere = second_step(&world.at(&other), &first, &device.code(0)).await;
    assert_eq!(elsewhere.refusal(), (401, "ticket_invalid"));
    for forged in ["", "x", &format!("B{}", &text[1..]), &text[1..], &format!("{text}A"), &text.to_lowercase()] {
        let answer = second_step(&nobody, &json!(forged), &device.code(0)).await;
        assert_eq!(answer.refusal(), (401, "ticket_invalid"), "{forged}");
    }
    // A session's token is no ticket either.
    let ada = world.user("ada", "users").await;
    let answer = second_step(&nobody, &json!(ada.token), &device.code(0)).await;
    assert_eq!(answer.refusal(), (401, "ticket_invalid"));
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let user = identity.find_user(&open, "uma").await.unwrap().unwrap();
    identity.set_password(&open, user.id, &Secret::new("another good password")).await.unwrap();
    assert_eq!(second_step(&nobody, &first, &device.code(0)).await.refusal(), (401, "ticket_invalid"));
    identity.set_password(&open, user.id, &Secret::new(PASSWORD)).await.unwrap();
    assert_eq!(second_step(&nobody, &ticket(&nobody).await, &device.code(0)).await.status, 200);
    assert!(identity.reset_second_factor(&open, user.id).await.unwrap());
    assert_eq!(first_step(&nobody).await.status, 200);
    world.end().await;
}

async fn of_a_hundred_with_one_code_one_gets_in(backend: Backend) {
    let world = World::new(backend).await;
    early_in_a_step().await;
    let nobody = world.at(&world.tenant);
    let (_, device, _) = uma(&world).await;
    let mut tickets = Vec::new();
    for _ in 0..20 {
        tickets.push(ticket(&nobody).await);
    }
    let code = device.code(0);
    let mut crowd = JoinSet::new();
    for number in 0..100 {
        let (nobody, ticket, code) = (nobody.clone(), tickets[number % 20].clone(), code.clone());
        crowd.spawn(async move { second_step(&nobody, &ticket, &code).await.status });
    }
    let mut counts = HashMap::new();
    for status in crowd.join_all().await {
        *counts.entry(status).or_insert(0) += 1;
    }
    assert_eq!(counts.remove(&200), Some(1));
    assert!(counts.keys().all(|status| [401, 429].contains(status)), "{counts:?}");
    world.end().await;
}

async fn what_is_wrong_is_told(backend: Backend) {
    let world = World::new(backend).await;
    early_in_a_step().await;
    let (nobody, ada) = (world.at(&world.tenant), world.user("ada", "users").await);
    for (method, path) in [("get", ""), ("post", "/enroll"), ("post", "/disable"), ("post", "/recovery-codes")] {
        let path = format!("/auth/totp{path}");
        let body = json!({"password": PASSWORD, "code": "000000"});
        let answer = if method == "get" { nobody.get(&path).await } else { nobody.post(&path, &body).await };
        assert_eq!(answer.refusal(), (401, "no_token"), "{path}");
    }
    let verify = async |body: Json| nobody.post("/auth/totp/verify", &body).await;
    assert_eq!(verify(json!({"code": "000000"})).await.refusal(), (401, "no_token"));
    let answer = verify(json!({"ticket": "x"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_missing"), "code"));
    let answer = verify(json!({"ticket": "x", "code": "1", "recovery_code": "2"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "recovery_code"));
    let answer = ada.post("/auth/totp/verify", &json!({"recovery_code": "x"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((400, "field_unknown"), "recovery_code"));
    assert_eq!(ada.post("/auth/totp/verify", &json!({"code": "000000"})).await.refusal(), (404, "not_found"));
    let nothing = json!({"password": PASSWORD, "code": "000000"});
    assert_eq!(ada.post("/auth/totp/disable", &nothing).await.refusal(), (404, "not_found"));
    let wrong = ada.post("/auth/totp/enroll", &json!({"password": "not the password"})).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((401, "credentials_invalid"), "password"));
    // What was begun last counts, and asks for nothing until a code of it has come.
    let mut devices = Vec::new();
    for _ in 0..2 {
        let begun = ada.post("/auth/totp/enroll", &json!({"password": PASSWORD})).await;
        devices.push(Device(begun.body["secret"].as_str().unwrap().to_owned()));
    }
    world.at(&world.tenant).log_in("ada", PASSWORD).await;
    let confirm = |device: &Device| json!({"code": device.code(0)});
    assert_eq!(ada.post("/auth/totp/verify", &confirm(&devices[0])).await.refusal(), (401, "code_invalid"));
    assert_eq!(ada.post("/auth/totp/verify", &confirm(&devices[1])).await.status, 200);
    let again = ada.post("/auth/totp/enroll", &json!({"password": PASSWORD})).await;
    assert_eq!(again.refusal(), (409, "second_factor_enabled"));
    world.end().await;
}

async fn an_account_is_removed_with_both(backend: Backend) {
    let world = World::new(backend).await;
    early_in_a_step().await;
    let (uma, device, codes) = uma(&world).await;
    let delete = async |body: Json| {
        let json = [("content-type", "application/json")];
        uma.send(reqwest::Method::DELETE, "/auth/me", &json, Some(body.to_string().into_bytes())).await
    };
    let alone = delete(json!({"password": PASSWORD})).await;
    assert_eq!((alone.refusal(), alone.field()), ((400, "field_missing"), "code"), "{}", alone.text);
    let both = delete(json!({"password": PASSWORD, "code": "000000", "recovery_code": codes[0]})).await;
    assert_eq!((both.refusal(), both.field()), ((400, "field_invalid"), "recovery_code"));
    // The code that put it in force proves nothing again.
    let used = delete(json!({"password": PASSWORD, "code": device.code(-1)})).await;
    assert_eq!(used.refusal(), (401, "code_invalid"));
    let unproved = delete(json!({"password": "not the password", "recovery_code": codes[0]})).await;
    assert_eq!(unproved.refusal(), (401, "credentials_invalid"));
    assert_eq!(uma.get("/auth/me").await.status, 200);
    let gone = delete(json!({"password": PASSWORD, "recovery_code": codes[0]})).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(uma.get("/auth/me").await.refusal(), (401, "session_invalid"));
    world.end().await;
}
