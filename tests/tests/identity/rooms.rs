//! The doors beside the API: the cookie on `assets.` hosts, the token in the query on `webhooks.` hosts.

use insula_tests::{Answer, Backend, Client, World, on_all_databases};
use kernel::Tenant;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::stage::{ago, log_in, refresh, rows, set, text};

on_all_databases!(a_cookie_reads_assets, a_cookie_ends_with_its_session, an_outside_service_calls, webhooks_end);

fn room(world: &World, tenant: &Tenant, name: &str) -> Client {
    world.anonymous().at_host(format!("{name}.{}", tenant.domain.as_deref().unwrap()))
}

async fn by_cookie(client: &Client, method: Method, path: &str, cookie: &str) -> Answer {
    client.send(method, path, &[("cookie", cookie)], None).await
}

/// Sets the cookie of a session and gives it as a browser would send it.
async fn cookie(assets: &Client, token: &str) -> String {
    let answer = assets.with_token(token).send(Method::POST, "/session", &[], None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let line = answer.headers["set-cookie"].to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

async fn a_cookie_reads_assets(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let (token, assets) = (uma.token.clone().unwrap(), room(&world, &world.tenant, "assets"));
    let set = assets.with_token(&*token).send(Method::POST, "/session", &[], None).await;
    let line = set.headers["set-cookie"].to_str().unwrap();
    let attributes: Vec<_> = line.split("; ").skip(1).collect();
    assert!(matches!(attributes[..], ["Path=/", _, "Secure", "HttpOnly", "SameSite=Lax"]), "{line}");
    let seconds: i64 = attributes[1].strip_prefix("Max-Age=").unwrap().parse().unwrap();
    assert!((2_592_000 - 60..=2_592_000).contains(&seconds), "as long as the session can last: {seconds}");
    assert!(line.starts_with("__Host-insula=ey"), "{line}");
    assert_eq!(set.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["success", "expires_at"]);
    assert!(!set.text.contains("ey"), "the token is in the cookie alone");
    let biscuit = line.split(';').next().unwrap();
    let who = by_cookie(&assets, Method::GET, "/session", biscuit).await;
    assert_eq!((who.status, &who.body["user"]["username"]), (200, &json!("uma")), "{}", who.text);
    assert_eq!(by_cookie(&assets, Method::HEAD, "/session", biscuit).await.status, 200);
    assert_eq!(by_cookie(&assets, Method::POST, "/session", biscuit).await.refusal(), (401, "no_token"));
    // Neither is good at the other's door.
    let value = biscuit.split_once('=').unwrap().1;
    assert_eq!(uma.with_token(value).get("/permissions").await.refusal(), (401, "session_invalid"));
    assert_eq!(assets.with_token(value).send(Method::POST, "/session", &[], None).await.status, 401);
    let wrong = format!("__Host-insula={token}");
    assert_eq!(by_cookie(&assets, Method::GET, "/session", &wrong).await.refusal(), (401, "session_invalid"));
    let nobody = world.at(&world.tenant);
    assert_eq!(by_cookie(&nobody, Method::GET, "/permissions", biscuit).await.refusal(), (401, "no_token"));
    assert_eq!(by_cookie(&nobody, Method::GET, "/auth/status", biscuit).await.status, 401);
    // Nor at another tenant's.
    let other = world.another_tenant().await;
    let other = room(&world, &other, "assets");
    assert_eq!(by_cookie(&other, Method::GET, "/session", biscuit).await.refusal(), (403, "tenant_mismatch"));
    assert_eq!(other.with_token(&*token).send(Method::POST, "/session", &[], None).await.status, 403);
    // A page of a stranger's sets and clears nothing; a browser forgets on demand.
    let evil = [("origin", "https://evil.example")];
    for method in [Method::POST, Method::DELETE] {
        let answer = assets.with_token(&*token).send(method, "/session", &evil, None).await;
        assert_eq!(answer.refusal(), (403, "origin_not_allowed"));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let clear = assets.send(Method::DELETE, "/session", &[("cookie", biscuit)], None).await;
    let line = clear.headers["set-cookie"].to_str().unwrap();
    assert_eq!((clear.status, line), (204, "__Host-insula=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"));
    world.end().await;
}

async fn a_cookie_ends_with_its_session(backend: Backend) {
    let world = World::new(backend).await;
    world.user("uma", "users").await;
    let (nobody, assets) = (world.at(&world.tenant), room(&world, &world.tenant, "assets"));
    let first = log_in(&nobody, "uma").await;
    let biscuit = cookie(&assets, text(&first, "token")).await;
    let read = async || by_cookie(&assets, Method::GET, "/session", &biscuit).await.status;
    let second = refresh(&nobody, text(&first, "refresh_token")).await.body;
    let third = refresh(&nobody, text(&second, "refresh_token")).await.body;
    assert_eq!(read().await, 200, "it outlives a renewal");
    nobody.with_token(text(&third, "token")).post("/auth/logout", &json!({})).await;
    assert_eq!(read().await, 401);
    world.end().await;
}

async fn new_hook(client: &Client, body: Json) -> Answer {
    client.post("/auth/webhook-tokens", &body).await
}

async fn an_outside_service_calls(backend: Backend) {
    let world = World::new(backend).await;
    let uma = world.user("uma", "users").await;
    let made = new_hook(&uma, json!({"name": "Payments"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let names: Vec<_> = made.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["success", "id", "url", "token", "expires_at"]);
    let (token, domain) = (text(&made.body, "token"), world.tenant.domain.as_deref().unwrap());
    assert_eq!(made.body["url"], format!("https://webhooks.{domain}/?access_token={token}"));
    let hooks = room(&world, &world.tenant, "webhooks");
    let good = json!({"success": true, "webhook": {"id": made.body["id"], "name": "Payments"}});
    for parameter in ["access_token", "token"] {
        assert_eq!(hooks.get(&format!("/?{parameter}={token}")).await.body, good);
    }
    let path = format!("/?access_token={token}");
    for (kind, body) in [
        ("application/json", "{\"a\":1}"),
        ("application/x-www-form-urlencoded", "a=1&b=2"),
        ("application/xml", "<a>1</a>"),
        ("text/xml", "<a"),
    ] {
        let answer = hooks.send(Method::POST, &path, &[("content-type", kind)], Some(body.into())).await;
        assert_eq!((answer.status, &answer.body), (200, &good), "{kind}");
    }
    assert_eq!(hooks.send(Method::PUT, &path, &[], None).await.status, 405);
    // It opens nothing else, and nothing else opens this door.
    assert_eq!(uma.with_token(token).get("/permissions").await.refusal(), (401, "session_invalid"));
    assert_eq!(world.at(&world.tenant).get(&format!("/permissions{}", &path[1..])).await.refusal(), (401, "no_token"));
    let session = uma.token.clone().unwrap();
    assert_eq!(hooks.get(&format!("/?access_token={session}")).await.refusal(), (401, "session_invalid"));
    assert_eq!(hooks.with_token(&*session).get("/").await.refusal(), (401, "no_token"));
    assert_eq!(hooks.with_token(token).get("/").await.refusal(), (401, "no_token"));
    let assets = room(&world, &world.tenant, "assets");
    assert_eq!(by_cookie(&assets, Method::GET, "/session", &format!("__Host-insula={token}")).await.status, 401);
    let other = world.another_tenant().await;
    let other = room(&world, &other, "webhooks");
    assert_eq!(other.get(&path).await.refusal(), (403, "tenant_mismatch"));
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "a\u{7}"}), "name"),
        (json!({"name": "a".repeat(101)}), "name"),
        (json!({"name": "a", "expires_in": "59s"}), "expires_in"),
        (json!({"name": "a", "expires_in": "1826d"}), "expires_in"),
        (json!({"name": "a", "expires_in": 3_600}), "expires_in"),
    ] {
        let answer = new_hook(&uma, body.clone()).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{body}");
    }
    let stored = rows(&world, &world.tenant, "_webhook_tokens", &["id", "name", "last_used_at"]).await;
    assert_eq!(stored.len(), 1);
    assert!(stored[0].maybe_timestamp(2).unwrap().is_some(), "its use was written down");
    world.end().await;
}

async fn webhooks_end(backend: Backend) {
    let world = World::new(backend).await;
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let weak = world.user("ann", "anonymous").await;
    assert_eq!(new_hook(&weak, json!({"name": "a"})).await.refusal(), (403, "ability_missing"));
    let hooks = room(&world, &world.tenant, "webhooks");
    let (first, second) =
        (new_hook(&uma, json!({"name": "a"})).await.body, new_hook(&uma, json!({"name": "b"})).await.body);
    let call = async |made: &Json| hooks.get(&format!("/?access_token={}", text(made, "token"))).await.status;
    assert_eq!((call(&first).await, call(&second).await), (200, 200));
    let listed = uma.get("/auth/webhook-tokens").await.body;
    let names: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, [json!("b"), json!("a")]);
    assert!(!listed.to_string().contains(text(&first, "token")));
    assert_eq!(otto.get("/auth/webhook-tokens").await.body["tokens"], json!([]));
    let path = format!("/auth/webhook-tokens/{}", text(&first, "id"));
    let delete = async |client: &Client| client.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(delete(&otto).await.refusal(), (404, "not_found"));
    assert_eq!((delete(&uma).await.status, call(&first).await), (204, 401));
    assert_eq!(delete(&uma).await.refusal(), (404, "not_found"));
    assert_eq!(call(&second).await, 200);
    assert!(uma.get("/auth/webhook-tokens").await.body["tokens"][1]["revoked_at"].is_string());
    // It outlives the session of its maker, but not the maker's good standing.
    uma.post("/auth/logout", &json!({})).await;
    assert_eq!(call(&second).await, 200);
    set(&world, &world.tenant, "_users", &[("status", "suspended".into())]).await;
    assert_eq!(call(&second).await, 401);
    set(&world, &world.tenant, "_users", &[("status", "active".into())]).await;
    assert_eq!(call(&second).await, 200);
    set(&world, &world.tenant, "_webhook_tokens", &[("expires_at", ago(1).into())]).await;
    assert_eq!(call(&second).await, 401);
    // A user has a hundred at the most; those that are good no more make room.
    for _ in 0..100 {
        assert_eq!(new_hook(&otto, json!({"name": "many"})).await.status, 201);
    }
    assert_eq!(new_hook(&otto, json!({"name": "one more"})).await.refusal(), (409, "conflict"));
    let one = otto.get("/auth/webhook-tokens").await.body["tokens"][7]["id"].clone();
    let path = format!("/auth/webhook-tokens/{}", one.as_str().unwrap());
    otto.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(new_hook(&otto, json!({"name": "one more"})).await.status, 201);
    world.end().await;
}
