//! Outside accounts: logged in with, linked and removed, by journeys to a real OpenID provider.

use std::collections::{HashMap, HashSet};

use identity::NewUser;
use insula_tests::{Answer, Backend, Client, OpenIdServer, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};
use store::Value;
use tokio::task::JoinSet;

use crate::{
    journey::{self, begin, come_back, complete, led_to, page, path, set_out, travel, usernames},
    stage::{PASSWORD, rows, set},
};

on_all_databases!(
    strangers_become_users_and_come_back_as_themselves,
    a_browser_without_a_page_shows_its_cookie,
    accounts_are_linked_and_removed,
    anonymous_users_are_registered_by_a_link,
    an_address_opens_no_account,
    an_address_that_both_sides_proved_links_where_that_is_set,
    of_a_hundred_at_once_one_becomes_a_user,
    tokens_are_kept_sealed_where_that_is_set,
    the_second_factor_is_asked_for,
);

async fn unlink(client: &Client, provider: &str) -> Answer {
    client.send(Method::DELETE, &format!("/auth/link/{provider}"), &[], None).await
}

/// Provider and subject of the caller's accounts.
async fn accounts(client: &Client) -> Vec<(String, String)> {
    let listed = client.get("/auth/link").await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let text = |account: &Json, name: &str| account[name].as_str().unwrap().to_owned();
    let accounts = listed.body["accounts"].as_array().unwrap();
    accounts.iter().map(|account| (text(account, "provider"), text(account, "subject"))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(provider, subject)| ((*provider).to_owned(), (*subject).to_owned())).collect()
}

/// A user with an address, logged in.
async fn with_address(world: &World, username: &str, email: &str) -> Client {
    let open = world.open(&world.tenant).await;
    let new = NewUser {
        username: username.into(),
        email: Some(email.into()),
        password: Some(kernel::Secret::new(PASSWORD)),
        ..NewUser::default()
    };
    world.server.installation().features.identity.create_user(&open, new).await.unwrap();
    world.at(&world.tenant).log_in(username, PASSWORD).await
}

async fn strangers_become_users_and_come_back_as_themselves(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let begun = begin(&nobody, "acme", &home).await;
    let callback = server.follow(&begun.url, "ada").await;
    assert_eq!(callback.url.host_str(), Some(&*format!("api.{}", world.tenant.domain.as_deref().unwrap())));
    assert_eq!((callback.url.scheme(), callback.url.path()), ("https", "/auth/link/acme/callback"));
    let (led, fragment) = led_to(&nobody.get(&path(&callback)).await);
    assert_eq!((led, fragment["link_provider"].as_str()), (home.clone(), "acme"));
    assert!(!fragment["link_code"].contains(&callback.code) && !fragment["link_code"].contains(&callback.state));
    let entered = complete(&nobody, "acme", &fragment["link_code"], &begun.proof).await;
    let ada = json!({"id": 1, "uuid": "…", "username": "ada", "email": "ada@example.test", "name": "Ada Example",
        "role": "users", "power": 10});
    let session = json!({"success": true, "token": "…", "refresh_token": "…", "expires_at": "a moment",
        "refresh_expires_at": "a moment", "user": ada});
    assert_eq!(entered.whole(), json!({"status": 200, "body": session}));
    let caller = nobody.with_token(entered.body["token"].as_str().unwrap());
    assert_eq!(caller.get("/auth/status").await.body["user"]["uuid"], entered.body["user"]["uuid"]);
    let verified = &rows(&world, &world.tenant, "_users", &["email_verified_at"]).await[0];
    assert!(verified.maybe_timestamp(0).unwrap().is_some());

    let again = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!(again.body["user"]["uuid"], entered.body["user"]["uuid"], "{}", again.text);
    let bob = travel(&nobody, &server, "acme", &home, "unverified-bob").await;
    assert_eq!((&bob.body["user"]["id"], &bob.body["user"]["email"]), (&json!(2), &Json::Null), "{}", bob.text);
    assert_eq!(usernames(&world).await, ["ada", "unverified-bob"]);

    let provider = |name: &str| json!({"name": name, "kind": "oidc", "logs_in": true, "exchanges": true});
    let listed = nobody.get("/auth/link").await;
    let providers = json!([provider("acme"), provider("beta")]);
    assert_eq!(listed.whole(), json!({"status": 200, "body": {"success": true, "providers": providers}}));
    let account = json!({"provider": "acme", "subject": "ada", "email": "ada@example.test", "name": "Ada Example",
        "linked_at": "a moment", "last_used_at": "a moment"});
    let body = json!({"success": true, "providers": providers, "accounts": [account]});
    assert_eq!(caller.get("/auth/link").await.whole(), json!({"status": 200, "body": body}));
    assert_eq!(nobody.with_token("no.good.token").get("/auth/link").await.refusal(), (401, "session_invalid"));
    assert!(rows(&world, &world.tenant, "_link_attempts", &["provider"]).await.is_empty());
    world.end().await;
}

async fn a_browser_without_a_page_shows_its_cookie(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let browser = world.at(&world.tenant);
    let (cookie, location) = set_out(&browser, "acme").await;
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert!(pair.starts_with("__Host-insula-link=") && pair.len() > 40, "{cookie}");
    assert_eq!(attributes, " Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
    let callback = path(&server.follow(&location, "ada").await);
    let entered = come_back(&browser, &callback, &cookie).await;
    assert_eq!((entered.status, &entered.body["user"]["username"]), (200, &json!("ada")), "{}", entered.text);
    assert!(entered.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0;"));
    assert_eq!(entered.headers["cache-control"], "no-store");
    assert_eq!(browser.with_token(entered.body["token"].as_str().unwrap()).get("/auth/status").await.status, 200);
    // The cookie itself opens nothing.
    let with_cookie = browser.send(Method::GET, "/auth/status", &[("cookie", pair)], None).await;
    assert_eq!(with_cookie.status, 401);

    // On a laptop there is neither a name nor HTTPS.
    let near = world.anonymous();
    let (cookie, location) = set_out(&near, "acme").await;
    assert!(cookie.starts_with("insula-link=") && !cookie.contains("Secure"), "{cookie}");
    let callback = server.follow(&location, "ada").await;
    assert!(callback.url.as_str().starts_with(world.server.url()), "{}", callback.url);
    let again = come_back(&near, &path(&callback), &cookie).await;
    assert_eq!(again.body["user"]["uuid"], entered.body["user"]["uuid"], "{}", again.text);
    world.end().await;
}

async fn accounts_are_linked_and_removed(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let linked = travel(&uma, &server, "acme", &home, "ada").await;
    let told = json!({"success": true, "provider": "acme", "email": "ada@example.test", "name": "Ada Example"});
    assert_eq!(linked.whole(), json!({"status": 200, "body": told}));
    assert_eq!(travel(&uma, &server, "acme", &home, "ada").await.status, 200, "once more changes nothing");
    let entered = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!(entered.body["user"]["username"], "uma", "{}", entered.text);
    assert_eq!(entered.body["user"]["email"], Json::Null, "the account's address is not the user's");

    assert_eq!(travel(&otto, &server, "acme", &home, "ada").await.refusal(), (409, "already_linked"));
    assert_eq!(travel(&uma, &server, "acme", &home, "bob").await.refusal(), (409, "already_linked"));
    assert_eq!(travel(&otto, &server, "acme", &home, "bob").await.status, 200);
    assert_eq!(travel(&uma, &server, "beta", &home, "ada").await.status, 200);
    assert_eq!(accounts(&uma).await, pairs(&[("acme", "ada"), ("beta", "ada")]));
    assert_eq!(accounts(&otto).await, pairs(&[("acme", "bob")]));

    assert_eq!(unlink(&uma, "acme").await.status, 204);
    assert_eq!(unlink(&uma, "acme").await.refusal(), (404, "not_found"));
    assert_eq!(unlink(&uma, "nowhere").await.refusal(), (404, "not_found"));
    assert_eq!(unlink(&nobody, "acme").await.refusal(), (401, "no_token"));
    assert_eq!((accounts(&uma).await, accounts(&otto).await), (pairs(&[("beta", "ada")]), pairs(&[("acme", "bob")])));
    // Who comes with the account now is somebody else, who has nothing else to come with.
    let entered = travel(&nobody, &server, "acme", &home, "ada").await;
    let ada = nobody.with_token(entered.body["token"].as_str().unwrap());
    assert_eq!((&entered.body["user"]["id"], accounts(&ada).await), (&json!(3), pairs(&[("acme", "ada")])));
    assert_eq!(unlink(&ada, "acme").await.refusal(), (409, "last_credential"));
    assert_eq!(travel(&ada, &server, "beta", &home, "adas-other").await.status, 200);
    assert_eq!(unlink(&ada, "acme").await.status, 204);
    assert_eq!(unlink(&ada, "beta").await.refusal(), (409, "last_credential"));
    // A link to a provider that is no more lets nobody in.
    let provider = [("provider", Value::from("gone"))];
    assert_eq!(unlink(&uma, "beta").await.status, 204);
    assert_eq!(set(&world, &world.tenant, "_linked_accounts", &provider).await, 2);
    assert_eq!(travel(&ada, &server, "beta", &home, "adas-other").await.status, 200);
    assert_eq!(unlink(&ada, "beta").await.refusal(), (409, "last_credential"));
    assert_eq!(unlink(&ada, "gone").await.status, 204);
    world.end().await;
}

async fn anonymous_users_are_registered_by_a_link(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let begun = nobody.send(Method::POST, "/auth/anonymous", &[], None).await;
    let caller = nobody.with_token(begun.body["token"].as_str().unwrap());
    assert_eq!(travel(&caller, &server, "acme", &home, "ada").await.status, 200);
    let status = caller.get("/auth/status").await;
    assert_eq!((&status.body["user"]["role"], &status.body["user"]["id"]), (&json!("users"), &json!(1)));
    let entered = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!(entered.body["user"]["uuid"], begun.body["user"]["uuid"], "{}", entered.text);
    // Somebody with a password is in that group because the operator wants it.
    let demoted = world.user("demoted", "anonymous").await;
    assert_eq!(travel(&demoted, &server, "acme", &home, "bob").await.status, 200);
    assert_eq!(demoted.get("/auth/status").await.body["user"]["role"], "anonymous");
    world.end().await;
}

async fn an_address_opens_no_account(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let uma = with_address(&world, "uma", "Ada@Example.test").await;
    let taken = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!(taken.refusal(), (409, "email_taken"));
    assert!(taken.body["message"].as_str().unwrap().contains("log in as that user"), "{}", taken.text);
    set(&world, &world.tenant, "_users", &[("email_verified_at", Value::from(kernel::time::now()))]).await;
    assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.refusal(), (409, "email_taken"));
    assert_eq!(travel(&uma, &server, "acme", &home, "ada").await.status, 200);
    assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.body["user"]["username"], "uma");

    // An address that nobody has proved tells nothing, neither whose it is nor whether it is anybody's.
    with_address(&world, "victim", "unverified-ada@example.test").await;
    let stranger = travel(&nobody, &server, "acme", &home, "unverified-ada").await;
    assert_eq!(stranger.status, 200, "{}", stranger.text);
    assert_eq!((&stranger.body["user"]["id"], &stranger.body["user"]["email"]), (&json!(3), &Json::Null));
    assert_eq!(usernames(&world).await, ["uma", "victim", "unverified-ada"]);
    world.end().await;
}

async fn an_address_that_both_sides_proved_links_where_that_is_set(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |config| config.identity.links.by_verified_email = true).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let uma = with_address(&world, "uma", "Ada@Example.test").await;
    with_address(&world, "victim", "unverified-ada@example.test").await;
    assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.refusal(), (409, "email_taken"), "uma has not");
    set(&world, &world.tenant, "_users", &[("email_verified_at", Value::from(kernel::time::now()))]).await;
    let entered = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!((entered.status, &entered.body["user"]["username"]), (200, &json!("uma")), "{}", entered.text);
    assert_eq!(accounts(&uma).await, pairs(&[("acme", "ada")]));
    let stranger = travel(&nobody, &server, "acme", &home, "unverified-ada").await;
    assert_eq!(stranger.body["user"]["username"], "unverified-ada", "{}", stranger.text);
    // A second account with the address is another person's, whatever the provider thinks.
    let token = server.forged_id_token("ada", json!({"sub": "another-ada"})).await;
    let other = nobody.post("/auth/exchange/acme", &json!({"token": token})).await;
    assert_eq!(other.refusal(), (409, "already_linked"));
    world.end().await;
}

async fn of_a_hundred_at_once_one_becomes_a_user(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let nobody = world.at(&world.tenant);
    let token = server.id_token_for("ada").await;
    let mut callbacks = Vec::new();
    for _ in 0..30 {
        let (cookie, location) = set_out(&nobody, "acme").await;
        callbacks.push((path(&server.follow(&location, "ada").await), cookie));
    }
    let mut strangers = JoinSet::new();
    for (callback, cookie) in callbacks {
        let client = nobody.clone();
        strangers.spawn(async move { come_back(&client, &callback, &cookie).await });
    }
    for _ in 0..70 {
        let (client, body) = (nobody.clone(), json!({"token": token}));
        strangers.spawn(async move { client.post("/auth/exchange/acme", &body).await });
    }
    let mut users = HashMap::new();
    for answer in strangers.join_all().await {
        *users.entry((answer.refusal().0, answer.body["user"]["uuid"].to_string())).or_insert(0) += 1;
    }
    assert_eq!(users.into_values().collect::<Vec<_>>(), [100]);
    assert_eq!(usernames(&world).await, ["ada"]);

    // People of one name, all at once.
    let mut namesakes = JoinSet::new();
    for number in 0..20 {
        let changes = json!({"sub": format!("bob-{number}"), "preferred_username": "Bob", "email": null});
        let (client, token) = (nobody.clone(), server.forged_id_token("bob", changes).await);
        namesakes.spawn(async move { client.post("/auth/exchange/acme", &json!({"token": token})).await.status });
    }
    assert_eq!(namesakes.join_all().await, [200; 20]);
    let names: HashSet<_> = usernames(&world).await.into_iter().skip(1).map(|name| name.to_lowercase()).collect();
    assert_eq!(names.len(), 20, "{names:?}");
    assert!(names.contains("bob") && names.iter().all(|name| name.starts_with("bob")), "{names:?}");
    world.end().await;
}

async fn tokens_are_kept_sealed_where_that_is_set(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |config| {
        config.identity.providers.get_mut("beta").unwrap().keep_tokens = true;
    })
    .await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let uma = world.user("uma", "users").await;
    let kept = async || {
        let columns = ["provider", "access_token", "refresh_token", "token_expires_at"];
        let mut kept = HashMap::new();
        for row in rows(&world, &world.tenant, "_linked_accounts", &columns).await {
            let text = |index| row.maybe_text(index).unwrap().map(str::to_owned);
            let timed = row.maybe_timestamp(3).unwrap().is_some();
            kept.insert(row.text(0).unwrap().to_owned(), (text(1), text(2), timed));
        }
        kept
    };
    for provider in ["acme", "beta"] {
        assert_eq!(travel(&uma, &server, provider, &home, "ada").await.status, 200);
    }
    let first = kept().await;
    assert_eq!(first["acme"], (None, None, false));
    let (access, refresh, timed) = first["beta"].clone();
    assert!(timed && [access.as_ref(), refresh.as_ref()].iter().all(|kept| kept.unwrap().starts_with("sealed:xc1:")));
    // Newer ones take their place; an exchange brings none, and leaves them.
    assert_eq!(travel(&nobody, &server, "beta", &home, "ada").await.status, 200);
    let second = kept().await;
    assert_ne!(second["beta"].0, access);
    let token = json!({"token": server.id_token_for("ada").await});
    assert_eq!(nobody.post("/auth/exchange/beta", &token).await.status, 200);
    assert_eq!(kept().await, second);
    world.end().await;
}

async fn the_second_factor_is_asked_for(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let uma = world.user("uma", "users").await;
    assert_eq!(travel(&uma, &server, "acme", &home, "ada").await.status, 200);
    let begun = uma.post("/auth/totp/enroll", &json!({"password": PASSWORD})).await;
    let seed = totp_rs::Secret::try_from_base32(begun.body["secret"].as_str().unwrap()).unwrap();
    let device = totp_rs::Builder::new().with_secret(seed.as_bytes().to_vec()).build().unwrap();
    let code = device.generate(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).to_string();
    let confirmed = uma.post("/auth/totp/verify", &json!({"code": code})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);

    let asked = travel(&nobody, &server, "acme", &home, "ada").await;
    assert_eq!(asked.refusal(), (401, "second_factor_required"));
    let recovery = &confirmed.body["recovery_codes"][0];
    let second = json!({"ticket": asked.body["ticket"], "recovery_code": recovery});
    let entered = nobody.post("/auth/totp/verify", &second).await;
    assert_eq!((entered.status, &entered.body["user"]["username"]), (200, &json!("uma")), "{}", entered.text);
    world.end().await;
}
