//! Journeys that are led by the wrong hand, or to the wrong place.

use identity::{Registration, UserStatus};
use insula_tests::{Answer, Backend, OpenIdServer, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};
use store::Value;

use crate::{
    journey::{self, ask, begin, come_back, complete, led_to, link_code, page, path, set_out, travel, usernames},
    stage::{ago, rows, set},
};

on_all_databases!(
    a_journey_ends_once,
    a_journey_ends_with_its_provider_and_its_tenant,
    a_journey_that_took_too_long_is_over,
    whoever_refuses_comes_back_without_a_session,
    nobody_comes_in_as_a_stranger,
    nobodys_account_is_linked_to_a_stranger,
    browsers_are_sent_to_listed_pages_alone,
    suspended_users_and_strangers_stay_out,
    what_is_missing_is_named,
);

const REFUSED: (u16, &str) = (400, "link_refused");

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.refusal(), REFUSED, "{}", answer.text);
}

async fn a_journey_ends_once(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let (cookie, location) = set_out(&nobody, "acme").await;
    let callback = path(&server.follow(&location, "ada").await);
    assert_eq!(come_back(&nobody, &callback, &cookie).await.status, 200);
    assert_refused(&come_back(&nobody, &callback, &cookie).await);

    let begun = begin(&nobody, "acme", &home).await;
    let code = link_code(&nobody, &server, &begun, "ada").await;
    // Of many at once one ends it.
    let at_once: [_; 10] = std::array::from_fn(|_| {
        let (client, code, proof) = (nobody.clone(), code.clone(), begun.proof.clone());
        tokio::spawn(async move { complete(&client, "acme", &code, &proof).await.status })
    });
    let mut statuses = Vec::new();
    for one in at_once {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400, 400, 400]);
    assert_refused(&complete(&nobody, "acme", &code, &begun.proof).await);
    assert_refused(&nobody.get(&callback).await);
    assert_eq!(usernames(&world).await, ["ada"]);
    world.end().await;
}

async fn a_journey_ends_with_its_provider_and_its_tenant(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let other = world.another_tenant().await;
    let (nobody, neighbour) = (world.at(&world.tenant), world.at(&other));
    let (cookie, location) = set_out(&nobody, "acme").await;
    let callback = path(&server.follow(&location, "ada").await);
    assert_refused(&come_back(&nobody, &callback.replace("/acme/", "/beta/"), &cookie).await);
    assert_eq!(come_back(&nobody, &callback.replace("/acme/", "/nowhere/"), &cookie).await.refusal(), REFUSED);
    assert_refused(&come_back(&neighbour, &callback, &cookie).await);
    // None of that has ended it.
    assert_eq!(come_back(&nobody, &callback, &cookie).await.status, 200);

    let begun = begin(&nobody, "acme", &page(&world.tenant)).await;
    let code = link_code(&nobody, &server, &begun, "ada").await;
    for (client, provider) in [(&nobody, "beta"), (&nobody, "nowhere"), (&neighbour, "acme")] {
        assert_refused(&complete(client, provider, &code, &begun.proof).await);
    }
    for garbage in ["", "x", "sealed:xc1:000000000000:AAAA", &code[..code.len() - 2], &"x".repeat(100_000)] {
        assert_refused(&complete(&nobody, "acme", garbage, &begun.proof).await);
    }
    // A code of a journey without a page is none for a page, and the other way round.
    let (cookie, location) = set_out(&nobody, "acme").await;
    let proof = cookie.split([';', '=']).nth(1).unwrap().to_owned();
    server.follow(&location, "ada").await;
    assert_refused(&complete(&nobody, "acme", &code, &proof).await);
    let at_page = server.follow(&begun.url, "ada").await;
    let led = come_back(&nobody, &path(&at_page), &format!("__Host-insula-link={}", begun.proof)).await;
    assert_eq!(led_to(&led).0, page(&world.tenant), "it leads to the page, whatever the browser shows");
    assert_eq!(complete(&nobody, "acme", &code, &begun.proof).await.status, 200);
    assert_eq!(
        world.server.installation().features.identity.users(&*world.open(&other).await, 0, 9).await.unwrap(),
        []
    );
    world.end().await;
}

async fn a_journey_that_took_too_long_is_over(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let nobody = world.at(&world.tenant);
    let (cookie, location) = set_out(&nobody, "acme").await;
    let callback = path(&server.follow(&location, "ada").await);
    let begun = begin(&nobody, "acme", &page(&world.tenant)).await;
    let code = link_code(&nobody, &server, &begun, "ada").await;
    let late = path(&server.follow(&begun.url, "ada").await);
    assert_eq!(set(&world, &world.tenant, "_link_attempts", &[("expires_at", Value::from(ago(1)))]).await, 2);
    assert_refused(&come_back(&nobody, &callback, &cookie).await);
    assert_refused(&complete(&nobody, "acme", &code, &begun.proof).await);
    assert_refused(&nobody.get(&late).await);
    assert_eq!(usernames(&world).await, [""; 0]);
    // What is over is removed, what goes on is not.
    let (cookie, location) = set_out(&nobody, "acme").await;
    let callback = path(&server.follow(&location, "ada").await);
    let left = async || rows(&world, &world.tenant, "_link_attempts", &["provider"]).await.len();
    assert_eq!(left().await, 3);
    world.server.installation().features.identity.sweep_journeys().await;
    assert_eq!(left().await, 1);
    assert_eq!(come_back(&nobody, &callback, &cookie).await.status, 200);
    world.end().await;
}

async fn whoever_refuses_comes_back_without_a_session(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let begun = begin(&nobody, "acme", &home).await;
    let callback = server.follow(&begun.url, "refuse").await;
    assert_eq!(callback.error.as_deref(), Some("access_denied"));
    let (led, fragment) = led_to(&nobody.get(&path(&callback)).await);
    assert_eq!((led, fragment.len()), (home.clone(), 2));
    assert_eq!((fragment["link_error"].as_str(), fragment["link_provider"].as_str()), ("link_refused", "acme"));
    assert_refused(&nobody.get(&path(&callback)).await);
    let (cookie, location) = set_out(&nobody, "acme").await;
    let callback = path(&server.follow(&location, "refuse").await);
    assert_refused(&come_back(&nobody, &callback, &cookie).await);
    assert!(rows(&world, &world.tenant, "_link_attempts", &["provider"]).await.is_empty());

    // Codes that the provider did not give, and answers of another issuer.
    for change in [("code=", "code=x"), ("iss=http", "iss=https"), ("&iss=", "&ignored=")] {
        let (cookie, location) = set_out(&nobody, "acme").await;
        let callback = path(&server.follow(&location, "ada").await).replacen(change.0, change.1, 1);
        assert_refused(&come_back(&nobody, &callback, &cookie).await);
        let begun = begin(&nobody, "acme", &home).await;
        let callback = path(&server.follow(&begun.url, "ada").await).replacen(change.0, change.1, 1);
        let (_, fragment) = led_to(&nobody.get(&callback).await);
        assert_refused(&complete(&nobody, "acme", &fragment["link_code"], &begun.proof).await);
    }
    assert_eq!(usernames(&world).await, [""; 0]);
    world.end().await;
}

async fn nobody_comes_in_as_a_stranger(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    // Mallory's answer in a browser that has a journey of its own, or none.
    let (mallorys_cookie, location) = set_out(&nobody, "acme").await;
    let mallorys = path(&server.follow(&location, "mallory").await);
    let (own_cookie, location) = set_out(&nobody, "acme").await;
    let own = path(&server.follow(&location, "ada").await);
    assert_refused(&come_back(&nobody, &mallorys, &own_cookie).await);
    assert_refused(&come_back(&nobody, &mallorys, "").await);
    assert_refused(&come_back(&nobody, &mallorys, "__Host-insula-link=").await);
    assert_refused(&come_back(&nobody, &own, &mallorys_cookie).await);
    assert_eq!(come_back(&nobody, &own, &own_cookie).await.body["user"]["username"], "ada");

    let mallorys = begin(&nobody, "acme", &home).await;
    let own = begin(&nobody, "acme", &home).await;
    let mallorys_code = link_code(&nobody, &server, &mallorys, "mallory").await;
    let own_code = link_code(&nobody, &server, &own, "ada").await;
    assert_refused(&complete(&nobody, "acme", &mallorys_code, &own.proof).await);
    assert_refused(&complete(&nobody, "acme", &mallorys_code, "").await);
    assert_refused(&complete(&nobody, "acme", &own_code, &mallorys.proof).await);
    // The state of one and the code of another.
    let swapped = server.follow(&own.url, "ada").await;
    let callback = path(&swapped).replace(&swapped.state, &state_of(&mallorys.url));
    let (_, fragment) = led_to(&nobody.get(&callback).await);
    assert_refused(&complete(&nobody, "acme", &fragment["link_code"], &own.proof).await);
    assert_refused(&complete(&nobody, "acme", &fragment["link_code"], &mallorys.proof).await);
    assert_eq!(complete(&nobody, "acme", &own_code, &own.proof).await.body["user"]["username"], "ada");
    assert_eq!(usernames(&world).await, ["ada"]);
    world.end().await;
}

fn state_of(url: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

async fn nobodys_account_is_linked_to_a_stranger(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let (victim, mallory) = (world.user("victim", "users").await, world.user("mallory", "users").await);
    // The victim follows Mallory's link: the code comes to a page in the victim's browser, which has no proof for it.
    let begun = begin(&mallory, "acme", &home).await;
    let code = link_code(&nobody, &server, &begun, "victims-account").await;
    let own = begin(&victim, "acme", &home).await;
    assert_refused(&complete(&victim, "acme", &code, &own.proof).await);
    // Even with both it is Mallory's session alone that ends it.
    assert_refused(&complete(&victim, "acme", &code, &begun.proof).await);
    assert_eq!(complete(&nobody, "acme", &code, &begun.proof).await.refusal(), (401, "no_token"));
    // A session that has ended meanwhile links nothing.
    assert_eq!(mallory.post("/auth/logout", &json!({})).await.status, 200);
    assert_eq!(complete(&mallory, "acme", &code, &begun.proof).await.refusal(), (401, "session_invalid"));
    assert!(rows(&world, &world.tenant, "_linked_accounts", &["provider"]).await.is_empty());

    // Linking takes a session.
    let key = json!({"name": "k", "kind": "pat", "scopes": ["account.read", "account.write"]});
    let made = victim.post("/auth/keys", &key).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let by_key = nobody.with_token(made.body["secret"].as_str().or(made.body["key"].as_str()).unwrap());
    assert_eq!(ask(&by_key, "acme", &home).await.refusal(), (403, "session_required"));
    assert_eq!(by_key.send(Method::DELETE, "/auth/link/acme", &[], None).await.refusal(), (403, "session_required"));
    assert_eq!(by_key.get("/auth/link").await.body["accounts"], json!([]));
    world.end().await;
}

async fn browsers_are_sent_to_listed_pages_alone(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, domain) = (world.at(&world.tenant), world.tenant.domain.clone().unwrap());
    for bad in [
        "https://evil.example/".to_owned(),
        format!("https://evil.example/{domain}"),
        format!("https://{domain}.evil.example/"),
        format!("https://{domain}@evil.example/"),
        format!("https://evil@{domain}/"),
        format!("https://{domain}\\.evil.example/"),
        format!("https://{domain}:444/"),
        format!("http://{domain}/"),
        format!("https://{domain}/#token=x"),
        format!("//{domain}/"),
        "/welcome".to_owned(),
        "javascript:alert(1)".to_owned(),
        format!("https://{domain}/{}", "a".repeat(500)),
        String::new(),
    ] {
        let answer = ask(&nobody, "acme", &bad).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "redirect_to"), "{bad}");
    }
    assert!(rows(&world, &world.tenant, "_link_attempts", &["provider"]).await.is_empty());

    // What a tenant lists takes the place of that, and its own providers come beside those of the installation.
    let other = world.another_tenant().await;
    let settings = format!(
        "[links]\nreturn_urls = ['https://app.example/in']\n[providers.own]\nissuer = '{}'\nclient_id = '{}'\nallow_http = true",
        server.issuer(),
        server.public_client_id(),
    );
    std::fs::write(other.folder.join("identity.toml"), &settings).unwrap();
    let neighbour = world.at(&other);
    assert_eq!(ask(&neighbour, "own", &page(&other)).await.field(), "redirect_to");
    assert_eq!(ask(&neighbour, "own", "https://app.example/inside").await.field(), "redirect_to");
    let entered = travel(&neighbour, &server, "own", "https://app.example/in/here?x=y", "ada").await;
    // It is not trusted with addresses.
    assert_eq!((entered.status, &entered.body["user"]["email"]), (200, &Json::Null), "{}", entered.text);
    assert_eq!(ask(&nobody, "own", &page(&world.tenant)).await.refusal(), (404, "provider_unknown"));
    // After a reload it is the new issuer that is asked, in the same words.
    let moved = OpenIdServer::start().await;
    let settings = settings.replace(server.issuer(), moved.issuer());
    std::fs::write(other.folder.join("identity.toml"), &settings).unwrap();
    let elsewhere = begin(&neighbour, "own", "https://app.example/in").await;
    assert!(elsewhere.url.starts_with(server.issuer()), "{}", elsewhere.url);
    let admin = world.user_of(&other, "ada-admin", "administrators").await;
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    let elsewhere = begin(&neighbour, "own", "https://app.example/in").await;
    assert!(elsewhere.url.starts_with(moved.issuer()), "{}", elsewhere.url);
    world.end().await;
}

async fn suspended_users_and_strangers_stay_out(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |_| {}).await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let entered = travel(&nobody, &server, "acme", &home, "ada").await;
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let ada = identity.find_user(&open, "ada").await.unwrap().unwrap();
    identity.set_status(&open, ada.id, UserStatus::Suspended).await.unwrap();
    assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.refusal(), (401, "credentials_invalid"));
    let caller = nobody.with_token(entered.body["token"].as_str().unwrap());
    assert_eq!(ask(&caller, "acme", &home).await.refusal(), (401, "session_invalid"));
    world.end().await;

    for close in [
        |config: &mut insula::Config| config.identity.registration = Registration::Closed,
        |config: &mut insula::Config| config.identity.links.registration = Registration::Closed,
    ] {
        let world = journey::world(backend, &server, close).await;
        let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
        assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.refusal(), (403, "registration_closed"));
        let uma = world.user("uma", "users").await;
        assert_eq!(travel(&uma, &server, "acme", &home, "ada").await.status, 200);
        assert_eq!(travel(&nobody, &server, "acme", &home, "ada").await.body["user"]["username"], "uma");
        assert_eq!(usernames(&world).await, ["uma"]);
        world.end().await;
    }
}

async fn what_is_missing_is_named(backend: Backend) {
    let server = OpenIdServer::start().await;
    let world = journey::world(backend, &server, |config| {
        let gone = json!({"issuer": "http://127.0.0.1:1", "client_id": "x", "allow_http": true});
        config.identity.providers.insert("gone".to_owned(), serde_json::from_value(gone).unwrap());
        let appwrite = json!({"endpoint": "https://appwrite.example/v1", "project": "p"});
        config.identity.providers.insert("appwrite".to_owned(), serde_json::from_value(appwrite).unwrap());
    })
    .await;
    let (nobody, home) = (world.at(&world.tenant), page(&world.tenant));
    let uma = world.user("uma", "users").await;
    let json = [("accept", "text/html;q=0.9, application/json;q=0.8")];
    for client in [&nobody, &uma] {
        let answer = client.send(Method::GET, "/auth/link/acme", &json, None).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_missing"), "redirect_to"));
    }
    let plain = nobody.get(&format!("/auth/link/acme?redirect_to={home}")).await;
    assert_eq!((plain.refusal(), plain.field()), ((400, "field_invalid"), "redirect_to"), "a page begins it");
    assert_eq!(nobody.get("/auth/link/acme?page=x").await.refusal(), (400, "field_unknown"));
    for unknown in ["nowhere", "appwrite", "ACME", "acme%00", "..%2Facme"] {
        let answer = nobody.get(&format!("/auth/link/{unknown}")).await;
        assert_eq!(answer.refusal(), (404, "provider_unknown"), "{unknown}");
    }
    assert_eq!(nobody.get("/auth/link/gone").await.refusal(), (502, "provider_unavailable"));
    for callback in ["", "?", "?state=", "?state=x", "?code=x", "?state=x&code=y", "?error=access_denied"] {
        assert_refused(&nobody.get(&format!("/auth/link/acme/callback{callback}")).await);
    }
    assert_eq!(nobody.get("/auth/link/acme/callback?state=x&state=y").await.refusal(), (400, "field_invalid"));
    for (body, field) in
        [(json!({}), "code"), (json!({"code": "x"}), "proof"), (json!({"code": 1, "proof": "x"}), "code")]
    {
        let answer = nobody.post("/auth/link/acme/complete", &body).await;
        assert_eq!((answer.status, answer.field()), (400, field), "{}", answer.text);
    }
    world.end().await;
}
