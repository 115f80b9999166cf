//! Tenants in the hands of the first tenant's administrators.

use std::io::Read;

use insula_tests::{Backend, World, on_all_databases};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::admin::{PASSWORD, delete, pages, patch};

on_all_databases!(
    tenants_are_made_changed_and_removed,
    only_the_first_tenant_rules_the_others,
    the_next_tenant_is_the_first_where_there_is_no_other,
    a_tenant_is_made_whole_or_not_at_all,
    tenants_are_listed_by_pages,
    a_tenant_is_carried_away_as_an_archive,
);

async fn tenants_are_made_changed_and_removed(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let name = format!("{}-shop", world.tenant.name);
    let domain = format!("{name}.test");
    let new = json!({"name": name, "domain": domain, "cors_origins": ["https://shop.example"],
        "admin": {"username": "boss", "email": "boss@example.com"}});
    let made = admin.post("/admin/tenants", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (tenant, password) = (&made.body["tenant"], made.body["password"].as_str().unwrap());
    assert_eq!((&tenant["id"], &tenant["first"], &tenant["status"]), (&json!(2), &json!(false), &json!("active")));
    assert_eq!((&tenant["name"], &tenant["domain"]), (&json!(name), &json!(domain)));
    assert_eq!((&tenant["cors_origins"], &tenant["adopted"]), (&json!(["https://shop.example"]), &json!(false)));
    assert!(tenant.get("folder").is_none() && tenant.get("home").is_none());
    let there = world.anonymous().at_host(format!("api.{domain}"));
    let boss = there.log_in("boss", password).await;
    assert_eq!(boss.get("/auth/status").await.body["user"]["role"], "administrators");
    assert_eq!(admin.post("/admin/tenants", &new).await.refusal(), (409, "name_taken"));
    let path = format!("/admin/tenants/{name}");
    assert_eq!(admin.get(&path).await.body["tenant"], *tenant);

    let suspended = patch(&admin, &path, &json!({"status": "suspended"})).await;
    assert_eq!(suspended.body["tenant"]["status"], "suspended");
    assert_eq!(boss.get("/auth/status").await.refusal(), (403, "tenant_suspended"));
    let moved = json!({"status": "active", "domain": format!("moved-{domain}"), "cors_origins": []});
    let moved = patch(&admin, &path, &moved).await;
    assert_eq!((moved.status, &moved.body["tenant"]["cors_origins"]), (200, &json!([])), "{}", moved.text);
    assert_eq!(boss.get("/auth/status").await.refusal(), (421, "host_unknown"));
    let boss = boss.at_host(format!("api.moved-{domain}"));
    assert_eq!(boss.get("/auth/status").await.status, 200);
    let taken = json!({"domain": world.tenant.domain});
    let taken = patch(&admin, &path, &taken).await;
    assert_eq!((taken.refusal(), taken.field()), ((409, "name_taken"), "domain"));
    for (change, field) in [
        (json!({"domain": "nowhere"}), "domain"),
        (json!({"cors_origins": ["https://a.example/path"]}), "cors_origins[0]"),
        (json!({"status": "gone"}), "status"),
    ] {
        let answer = patch(&admin, &path, &change).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{change}: {}", answer.text);
    }

    assert_eq!(delete(&admin, &path).await.refusal(), (400, "field_missing"));
    let wrong = delete(&admin, &format!("{path}?confirm=other")).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((400, "field_invalid"), "confirm"));
    assert_eq!(boss.get("/auth/status").await.status, 200);
    let body = json!({"confirm": name}).to_string().into_bytes();
    let gone = admin.send(Method::DELETE, &path, &[("content-type", "application/json")], Some(body)).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(admin.get(&path).await.refusal(), (404, "not_found"));
    assert_eq!(boss.get("/auth/status").await.refusal(), (421, "host_unknown"));
    assert_eq!(admin.post("/admin/tenants", &new).await.status, 201, "the name is free again");
    assert_eq!(delete(&admin, &format!("{path}?confirm={name}")).await.status, 204);
    world.end().await;
}

async fn only_the_first_tenant_rules_the_others(backend: Backend) {
    let world = World::new(backend).await;
    let other = world.another_tenant().await;
    let admin = world.user("root", "administrators").await;
    let theirs = world.user_of(&other, "root", "administrators").await;
    let moderator = world.user("mod", "moderators").await;
    let first = format!("/admin/tenants/{}", world.tenant.name);
    for client in [&theirs, &moderator] {
        for path in ["/admin/tenants".to_owned(), first.clone(), format!("/admin/tenants/{}", other.name)] {
            assert_eq!(client.get(&path).await.refusal(), (403, "ability_missing"), "{path}");
            assert_eq!(
                patch(client, &path, &json!({"status": "active"})).await.status,
                if path.ends_with("tenants") { 405 } else { 403 }
            );
        }
        let new = json!({"name": "mine", "admin": {"username": "me"}});
        assert_eq!(client.post("/admin/tenants", &new).await.refusal(), (403, "ability_missing"));
        let own = format!("/admin/tenants/{0}?confirm={0}", other.name);
        assert_eq!(delete(client, &own).await.refusal(), (403, "ability_missing"));
        assert_eq!(client.get("/admin/tenants/nobody").await.refusal(), (403, "ability_missing"), "nothing is told");
    }
    // What everything hangs on stays.
    let suspend = patch(&admin, &first, &json!({"status": "suspended"})).await;
    assert_eq!((suspend.refusal(), suspend.field()), ((409, "conflict"), "status"));
    assert_eq!(delete(&admin, &format!("{first}?confirm={}", world.tenant.name)).await.refusal(), (409, "conflict"));
    assert_eq!(theirs.get("/auth/status").await.status, 200);
    assert_eq!(admin.get(&first).await.body["tenant"]["first"], true);
    world.end().await;
}

async fn the_next_tenant_is_the_first_where_there_is_no_other(backend: Backend) {
    let world = World::new(backend).await;
    let next = world.another_tenant().await;
    let tenants = &world.server.installation().tenants;
    let record = tenants.by_name(&world.tenant.name).await.unwrap();
    tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    let admin = world.user_of(&next, "root", "administrators").await;
    let path = format!("/admin/tenants/{}", next.name);
    let shown = admin.get(&path).await;
    assert_eq!((&shown.body["tenant"]["id"], &shown.body["tenant"]["first"]), (&json!(2), &json!(true)));
    let suspend = patch(&admin, &path, &json!({"status": "suspended"})).await;
    assert_eq!((suspend.refusal(), suspend.field()), ((409, "conflict"), "status"));
    assert_eq!(delete(&admin, &format!("{path}?confirm={}", next.name)).await.refusal(), (409, "conflict"));
    world.end().await;
}

async fn a_tenant_is_carried_away_as_an_archive(backend: Backend) {
    let world = World::new(backend).await;
    let other = world.another_tenant().await;
    world.user_of(&other, "ada", "users").await;
    let admin = world.user("root", "administrators").await;
    let path = format!("/admin/tenants/{}/export", other.name);
    let sql = "CREATE TABLE pets (id INTEGER PRIMARY KEY, name VARCHAR(40));
        INSERT INTO pets VALUES (1, 'rex'), (2, 'Größe')";
    world.tables_of(&other, sql).await;
    for _ in 0..2 {
        let sent = admin.get(&path).await;
        let header = |name: &str| sent.headers[name].to_str().unwrap();
        assert_eq!((sent.status, header("content-type")), (200, "application/x-tar"));
        let named = format!("attachment; filename=\"{}.tar\"", other.name);
        assert_eq!((header("content-disposition"), header("cache-control")), (&*named, "no-store"));
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(sent.text.as_bytes()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), text);
        }
        let own = [
            "files/migrations/0001_tables.sql",
            "groups.jsonl",
            "linked_accounts.jsonl",
            "profiles.jsonl",
            "tables.json",
            "tables/pets.jsonl",
        ];
        let names: Vec<_> = own.into_iter().chain(["tenant.json", "users.jsonl"]).collect();
        assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), names);
        assert_eq!(files["tables/pets.jsonl"], "{\"id\":1,\"name\":\"rex\"}\n{\"id\":2,\"name\":\"Größe\"}\n");
        assert!(files["users.jsonl"].contains("\"ada\""));
        for secret in ["argon2", "sealed:", "password", "PRIVATE", "token_hash"] {
            assert!(!sent.text.contains(secret), "the archive holds {secret}");
        }
        // Who is suspended may still carry away what is theirs.
        patch(&admin, &format!("/admin/tenants/{}", other.name), &json!({"status": "suspended"})).await;
    }
    assert_eq!(admin.get("/admin/tenants/nobody/export").await.refusal(), (404, "not_found"));
    let moderator = world.user("mod", "moderators").await;
    assert_eq!(moderator.get(&path).await.refusal(), (403, "ability_missing"));
    world.end().await;
}

async fn a_tenant_is_made_whole_or_not_at_all(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let name = format!("{}-half", world.tenant.name);
    let new = |admin: Json| json!({"name": name, "admin": admin});
    let short = admin.post("/admin/tenants", &new(json!({"username": "boss", "password": "short"}))).await;
    assert_eq!((short.refusal(), short.field()), ((422, "password_unfit"), "admin.password"));
    let unfit = admin.post("/admin/tenants", &new(json!({"username": "a b", "password": PASSWORD}))).await;
    assert_eq!((unfit.refusal(), unfit.field()), ((422, "username_unfit"), "admin.username"));
    assert_eq!(admin.get(&format!("/admin/tenants/{name}")).await.status, 404);
    for database in ["sqlite:///etc/passwd", "SQLite://x", " sqlite:x"] {
        let body = json!({"name": name, "database": database});
        let answer = admin.post("/admin/tenants", &body).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "database"), "{database}");
    }
    for bad in ["", "Shop", "a--b", "../x", "x".repeat(41).as_str()] {
        let answer = admin.post("/admin/tenants", &json!({"name": bad})).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "name"), "{bad}");
    }
    let made = admin.post("/admin/tenants", &new(json!({"username": "boss", "password": PASSWORD}))).await;
    assert_eq!((made.status, made.body.get("password")), (201, None), "{}", made.text);
    world.end().await;
}

async fn tenants_are_listed_by_pages(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let mut names = vec![world.tenant.name.clone()];
    for _ in 0..3 {
        names.push(world.another_tenant().await.name.clone());
    }
    let list = async |query: &str| {
        let pages = pages(&admin, &format!("/admin/tenants?limit=2{query}"), "tenants", "name").await;
        assert!(pages.iter().all(|page| page.len() <= 2));
        pages.concat().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, names);
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(list("&sort=name").await, sorted);
    assert_eq!(list("&sort=domain").await, sorted);
    sorted.reverse();
    assert_eq!(list("&sort=-name").await, sorted);
    let mut backwards = names.clone();
    backwards.reverse();
    assert_eq!(list("&sort=-created_at").await, backwards);
    assert_eq!(list(&format!("&q={}", names[2])).await, names[2..3]);
    patch(&admin, &format!("/admin/tenants/{}", names[1]), &json!({"status": "suspended"})).await;
    assert_eq!(list("&status=suspended").await, names[1..2]);
    assert_eq!(admin.get("/admin/tenants?sort=wrapped_key").await.field(), "sort");
    assert_eq!(admin.get("/admin/tenants?status=deleting").await.field(), "status");
    world.end().await;
}
