//! Coming in, staying, going out.

use std::num::NonZeroU32;

use crate::support::{App, PASSWORD, all_bytes, cheap, user};
use identity::{Actor, GroupChange, IdentityConfig, Registration, UserStatus};
use kernel::{ByteSize, Secret};
use serde_json::json;

#[tokio::test]
async fn register_status_logout() {
    let app = App::start(cheap()).await;
    let reply = app.register("Jane.Doe").await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let user = &reply.body["user"];
    assert_eq!(reply.body["success"], true);
    assert_eq!((&user["id"], &user["username"], &user["name"]), (&json!(2), &json!("Jane.Doe"), &json!("Jane.Doe")));
    assert_eq!((&user["role"], &user["power"]), (&json!("users"), &json!(10)));
    assert_eq!(user["email"], "Jane.Doe@example.com");
    let token = reply.token();

    let status = app.status(&token).await;
    assert_eq!((status.status, &status.body["valid"], &status.body["user"]), (200, &json!(true), user));
    let session = &status.body["session"];
    assert_eq!((&session["timeout_minutes"], &session["remaining_seconds"]), (&json!(60), &json!(3600)));
    assert!(session["expires_at"].as_str().unwrap().ends_with('Z'));

    let out = app.post("/auth/logout", Some(&token), json!({"ignored": [1]})).await;
    assert_eq!((out.status, out.body), (200, json!({"success": true, "message": "Logged out"})));
    assert_eq!(app.post("/auth/logout", Some(&token), json!({})).await.reason(), (401, "session_invalid"));

    let dead = app.status(&token).await;
    assert_eq!((dead.status, &dead.body["success"], &dead.body["valid"]), (401, &json!(true), &json!(false)));
    assert!(dead.body["message"].as_str().unwrap().starts_with("Session expired or invalid [request_id: "));
    let none = app.send("GET", "/auth/status", &[], None).await;
    assert_eq!((none.status, &none.body["success"], &none.body["valid"]), (401, &json!(false), &json!(false)));
    assert!(none.body["error"].as_str().unwrap().starts_with("No authorization token provided [request_id: "));
    assert_eq!(none.body.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn login_takes_names_and_addresses_in_any_case() {
    let app = App::start(cheap()).await;
    app.register("jane").await;
    for body in [
        json!({"method": "password", "username": "JANE", "password": PASSWORD}),
        json!({"method": "password", "username": "Jane@Example.com", "password": PASSWORD}),
        json!({"method": "password", "email": "jane@example.com", "password": PASSWORD}),
    ] {
        let reply = app.post("/auth/login", None, body).await;
        assert_eq!((reply.status, &reply.body["user"]["id"]), (200, &json!(2)), "{}", reply.body);
    }
}

#[tokio::test]
async fn every_refused_login_is_the_same() {
    let app = App::start(cheap()).await;
    let (_, open) = app.tenant("example").await;
    app.register("jane").await;
    let off = app.identity.create_user(&open, user("off", "users")).await.unwrap();
    app.identity.set_status(&open, off.id, UserStatus::Suspended).await.unwrap();
    let bare = identity::NewUser { password: None, ..user("bare", "users") };
    app.identity.create_user(&open, bare).await.unwrap();
    let mut texts = Vec::new();
    for (name, password) in [("jane", "wrong horse"), ("nobody", PASSWORD), ("off", PASSWORD), ("bare", PASSWORD)] {
        let reply = app.login(name, password).await;
        assert_eq!(reply.reason(), (401, "credentials_invalid"), "{name}");
        texts.push(reply.body["error"].as_str().unwrap().split(" [").next().unwrap().to_owned());
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[tokio::test]
async fn malformed_logins_name_the_field() {
    let app = App::start(cheap()).await;
    for (body, reason, field) in [
        (json!({"username": "a", "password": "b"}), "field_missing", "method"),
        (json!({"method": "password", "password": "b"}), "field_missing", "username"),
        (json!({"method": "password", "username": "a"}), "field_missing", "password"),
        (json!({"method": "magic", "username": "a"}), "field_invalid", "method"),
        (json!({"method": "pin", "username": "a"}), "field_missing", "pin"),
        (json!({"method": "pin", "username": "a", "pin": "1234", "password": "b"}), "field_unknown", "password"),
        (json!({"method": "token"}), "field_missing", "login_string"),
        (json!({"method": "password", "username": 7, "password": "b"}), "field_invalid", "username"),
        (json!({"method": "password", "username": "a", "email": "b", "password": "c"}), "field_invalid", "email"),
        (json!({"method": "password", "username": "a", "group": "administrators"}), "field_unknown", "group"),
    ] {
        let reply = app.post("/auth/login", None, body.clone()).await;
        assert_eq!((reply.reason(), reply.body["field"].as_str()), ((400, reason), Some(field)), "{body}");
    }
    let magic = app.post("/auth/login", None, json!({"method": "magic"})).await;
    assert!(magic.body["error"].as_str().unwrap().contains("password"), "{}", magic.body);
}

#[tokio::test]
async fn what_may_not_register() {
    let app = App::start(cheap()).await;
    app.register("jane").await;
    let good = json!({"username": "john", "email": "john@example.com", "password": PASSWORD});
    for (field, value, status, reason) in [
        ("username", json!("JANE"), 409, "username_taken"),
        ("email", json!("JANE@example.COM"), 409, "email_taken"),
        ("username", json!("a b"), 422, "username_unfit"),
        ("email", json!("john"), 422, "email_unfit"),
        ("password", json!("short"), 422, "password_unfit"),
        ("password", json!("Password123"), 422, "password_unfit"),
        ("group", json!("administrators"), 400, "field_unknown"),
        ("name", json!("\u{7}"), 400, "field_invalid"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let reply = app.post("/auth/register", None, body).await;
        assert_eq!((reply.reason(), reply.body["field"].as_str()), ((status, reason), Some(field)));
    }
    let closed = app.another(IdentityConfig { registration: Registration::Closed, ..cheap() }).await;
    assert_eq!(closed.post("/auth/register", None, good).await.reason(), (403, "registration_closed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_make_one_user() {
    let app = std::sync::Arc::new(App::start(cheap()).await);
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let app = app.clone();
            let email = format!("u{number}@example.com");
            let name = if number % 2 == 0 { "racer" } else { "RACER" };
            let body = json!({"username": name, "email": email, "password": PASSWORD});
            tokio::spawn(async move { app.post("/auth/register", None, body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert_eq!((count(201), count(409)), (1, 99), "{statuses:?}");
    let (_, open) = app.tenant("example").await;
    assert_eq!(app.identity.users(&open, 0, 100).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_make_one_user_and_one_key() {
    let app = App::start(cheap()).await;
    let other = app.another(cheap()).await;
    let (one, two) = tokio::join!(app.register("racer"), other.register("racer"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let token = if one.status == 201 { one.token() } else { two.token() };
    assert_eq!((app.status(&token).await.status, other.status(&token).await.status), (200, 200));
}

#[tokio::test]
async fn numbers_are_given_once() {
    let app = App::start(cheap()).await;
    assert_eq!(app.register("jane").await.body["user"]["id"], 2);
    assert_eq!(app.register("jane").await.status, 409);
    let (_, open) = app.tenant("example").await;
    let ddl = open.system.ddl();
    let context = kernel::WriteContext::system();
    let removed = open.system.transaction(&context, move |transaction| {
        use sea_query::{Alias, Expr, ExprTrait, Query};
        let mut delete = Query::delete();
        delete.from_table(ddl.table("_users")).and_where(Expr::col(Alias::new("number")).eq(2));
        Box::pin(async move { transaction.execute(&delete).await })
    });
    assert_eq!(removed.await.unwrap(), 1);
    assert_eq!(app.register("john").await.body["user"]["id"], 3);
}

#[tokio::test]
async fn the_oldest_session_makes_room() {
    let app = App::start(IdentityConfig { max_concurrent_sessions: NonZeroU32::new(3).unwrap(), ..cheap() }).await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(app.login("admin", PASSWORD).await.token());
        assert_eq!(app.status(tokens.last().unwrap()).await.status, 200);
    }
    let mut statuses = Vec::new();
    for token in &tokens {
        statuses.push(app.status(token).await.status);
    }
    assert_eq!(statuses, [401, 200, 200, 200]);
}

#[tokio::test]
async fn clearing_sessions_needs_power_and_spares_the_caller() {
    let app = App::start(cheap()).await;
    let (_, open) = app.tenant("example").await;
    app.identity.create_user(&open, user("mod", "moderators")).await.unwrap();
    let jane = app.register("jane").await;
    let again = app.login("jane", PASSWORD).await.token();
    let (admin, moderator) = (app.login("admin", PASSWORD).await.token(), app.login("mod", PASSWORD).await.token());
    app.login("admin", PASSWORD).await;

    let clear = async |token: &str, body| app.post("/auth/clear-sessions", Some(token), body).await;
    assert_eq!(clear(&jane.token(), json!({"user_id": 3})).await.reason(), (403, "power_too_low"));
    assert_eq!(clear(&moderator, json!({"user_id": 1})).await.reason(), (403, "power_too_low"));
    assert_eq!(clear(&moderator, json!({})).await.reason(), (400, "field_missing"));
    assert_eq!(clear(&moderator, json!({"user_id": "3"})).await.reason(), (400, "field_invalid"));
    assert_eq!(clear(&moderator, json!({"user_id": 1.5})).await.reason(), (400, "field_invalid"));
    let unknown = clear(&moderator, json!({"user_id": 99})).await;
    assert_eq!(unknown.body, json!({"success": true, "sessions_cleared": 0, "user_id": 99}));

    let cleared = clear(&moderator, json!({"user_id": 3})).await;
    assert_eq!(cleared.body, json!({"success": true, "sessions_cleared": 2, "user_id": 3}));
    assert_eq!((app.status(&jane.token()).await.status, app.status(&again).await.status), (401, 401));
    assert_eq!(clear(&admin, json!({"user_id": 1})).await.body["sessions_cleared"], 1);
    assert_eq!(app.status(&admin).await.status, 200);
}

#[tokio::test]
async fn suspension_and_a_new_password_end_sessions_at_once() {
    let app = App::start(cheap()).await;
    let (_, open) = app.tenant("example").await;
    let jane = app.register("jane").await.token();
    let id = app.identity.find_user(&open, "JANE@example.com").await.unwrap().unwrap().id;
    assert_eq!(app.status(&jane).await.status, 200);
    let password = Secret::new("another good one");
    app.identity.set_password(&open, id, &password).await.unwrap();
    assert_eq!(app.status(&jane).await.status, 401);
    assert_eq!(app.login("jane", PASSWORD).await.status, 401);
    let jane = app.login("jane", password.expose()).await.token();
    assert_eq!(app.status(&jane).await.status, 200);
    app.identity.set_status(&open, id, UserStatus::Suspended).await.unwrap();
    assert_eq!(app.status(&jane).await.status, 401);
    app.identity.set_status(&open, id, UserStatus::Active).await.unwrap();
    assert_eq!(app.status(&jane).await.status, 401, "what ended stays ended");
    assert_eq!(app.login("jane", password.expose()).await.status, 200);
}

#[tokio::test]
async fn a_changed_group_shows_at_once() {
    let app = App::start(cheap()).await;
    let (_, open) = app.tenant("example").await;
    let jane = app.register("jane").await.token();
    let id = app.identity.find_user(&open, "jane").await.unwrap().unwrap().id;
    let editors = GroupChange { name: "editors".into(), power: Some(30), ..GroupChange::default() };
    app.identity.save_group(&open, editors).await.unwrap();
    app.identity.set_group(&open, id, "editors").await.unwrap();
    assert_eq!(app.status(&jane).await.body["user"]["role"], "editors");
    let change = GroupChange {
        name: "editors".into(),
        power: Some(31),
        basic_rules: Some(vec!["posts:rw".into()]),
        session_timeout_minutes: Some(5),
        ..GroupChange::default()
    };
    let group = app.identity.save_group(&open, change).await.unwrap();
    assert_eq!((group.power, group.basic_rules.as_slice()), (31, ["posts:rw".to_owned()].as_slice()));
    let status = app.status(&jane).await.body;
    assert_eq!((&status["user"]["power"], &status["session"]["timeout_minutes"]), (&json!(31), &json!(5)));

    let change = GroupChange { name: "editors".into(), session_timeout_minutes: Some(0), ..GroupChange::default() };
    let group = app.identity.save_group(&open, change).await.unwrap();
    assert_eq!((group.session_timeout_minutes, group.power), (None, 31));
    let error = app.identity.remove_group(&open, &Actor::operator(), "editors").await.unwrap_err();
    assert_eq!(error.reason, kernel::Reason::InUse);
    app.identity.set_group(&open, id, "users").await.unwrap();
    app.identity.remove_group(&open, &Actor::operator(), "editors").await.unwrap();
    let names: Vec<_> = app.identity.groups(&open).await.unwrap().into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["anonymous", "users", "publishers", "moderators", "administrators"]);
    let new = GroupChange { name: "powerless".into(), ..GroupChange::default() };
    assert_eq!(app.identity.save_group(&open, new).await.unwrap_err().field.as_deref(), Some("power"));
}

#[tokio::test]
async fn sessions_outlive_the_process_and_end_in_others() {
    let app = App::start(cheap()).await;
    let token = app.login("admin", PASSWORD).await.token();
    let before = app.status(&token).await.body["session"].clone();
    app.identity.flush().await;
    let other = app.another(cheap()).await;
    let after = other.status(&token).await;
    assert_eq!((after.status, &after.body["session"]["created_at"]), (200, &before["created_at"]));
    other.post("/auth/logout", Some(&token), json!({})).await;
    // This process believes what it read for five seconds at the most.
    let begun = std::time::Instant::now();
    while app.status(&token).await.status == 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(6));
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_stranger_cannot_lock_a_user_out() {
    let app = App::start(cheap()).await;
    let try_from = async |peer: &str, password: &str| {
        let body = json!({"method": "password", "username": "admin", "password": password});
        app.send("POST", "/auth/login", &[("peer", peer)], Some(body)).await
    };
    for _ in 0..5 {
        assert_eq!(try_from("198.51.100.7", "wrong wrong").await.status, 401);
    }
    let slowed = try_from("198.51.100.8", PASSWORD).await;
    assert_eq!((slowed.status, slowed.retry_after.as_deref()), (429, Some("1")));
    assert_eq!(slowed.body["retry_after"], 1);
    assert_eq!(try_from("203.0.113.1", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn outdated_hashes_are_renewed() {
    let app = App::start(cheap()).await;
    let other = app.another(IdentityConfig { password_memory: ByteSize(128 << 10), ..cheap() }).await;
    let (_, open) = app.tenant("example").await;
    let hash = async || {
        use sea_query::{Alias, Query};
        let mut select = Query::select();
        select.column(Alias::new("password")).from(open.system.ddl().table("_users"));
        open.system.read(&select).await.unwrap()[0].text(0).unwrap().to_owned()
    };
    assert!(hash().await.contains("$m=64,"));
    assert_eq!(other.login("admin", PASSWORD).await.status, 200);
    assert!(hash().await.contains("$m=128,"), "{}", hash().await);
    assert_eq!(app.login("admin", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn nothing_secret_is_stored() {
    let app = App::start(cheap()).await;
    let token = app.register("jane").await.token();
    app.status(&token).await;
    app.identity.flush().await;
    let bytes = all_bytes(app.folder.path());
    let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("jane@example.com"), "the search finds what is there");
    assert!(holds("$argon2id$") && holds("sealed:xc1:"));
    assert!(!holds(PASSWORD) && !holds(&token));
    let signature = token.rsplit('.').next().unwrap();
    assert!(!holds(signature));
}
