//! Users in the hands of administrators: lists, changes, and that nobody gives or touches more than they have.

use identity::GroupChange;
use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::{Value as Json, json};

use crate::{
    admin::{PASSWORD, delete, make, pages, patch},
    post::Post,
};

on_all_databases!(
    users_are_made_shown_changed_and_removed,
    lists_are_paged_filtered_and_sorted,
    pages_are_stable_under_inserts,
    what_is_wrong_is_named,
    nobody_reaches_beyond_the_own_power,
    a_lack_of_abilities_is_a_wall,
    the_last_administrator_stays,
    two_administrators_cannot_remove_each_other,
    suspension_bites_at_once,
    users_of_another_tenant_do_not_exist,
    a_key_reaches_no_further_than_its_scopes,
    pins_and_cards_are_given_and_taken,
    who_is_invited_sets_a_password,
);

async fn users_are_made_shown_changed_and_removed(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let new = json!({"username": "Jane", "email": "Jane@Example.com", "email_verified": true, "name": "Jane Doe",
        "generate": true, "group": "publishers"});
    let made = admin.post("/admin/users", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (jane, password) = (&made.body["user"], made.body["password"].as_str().unwrap());
    assert_eq!((jane["id"].as_i64(), &jane["role"], &jane["power"]), (Some(2), &json!("publishers"), &json!(40)));
    assert!(jane["email_verified_at"].is_string() && jane["has_password"] == true && jane["last_seen"].is_null());
    assert_eq!(
        (&jane["has_pin"], &jane["has_card"], &jane["second_factor"]),
        (&json!(false), &json!(false), &json!(false))
    );
    let session = world.at(&world.tenant).log_in("jane", password).await;

    let by_number = admin.get("/admin/users/2").await;
    let uuid = jane["uuid"].as_str().unwrap();
    let by_id = admin.get(&format!("/admin/users/{uuid}?expand=profile")).await;
    assert_eq!(by_number.body["user"]["uuid"], by_id.body["user"]["uuid"]);
    assert!(by_number.body["user"]["last_seen"].is_string(), "{}", by_number.text);
    assert!(by_number.body["user"].get("profile").is_none() && by_id.body["user"]["profile"].is_object());

    // Another address is unconfirmed, unless it is the same in other letters.
    let same = patch(&admin, "/admin/users/2", &json!({"email": "jane@example.COM"})).await;
    assert!(same.body["user"]["email_verified_at"].is_string(), "{}", same.text);
    let change = json!({"email": "j@example.com", "username": "jdoe", "name": "J", "group": "users"});
    let changed = patch(&admin, "/admin/users/2", &change).await;
    let user = &changed.body["user"];
    assert_eq!(
        (&user["email"], &user["username"], &user["role"]),
        (&json!("j@example.com"), &json!("jdoe"), &json!("users"))
    );
    assert!(user["email_verified_at"].is_null(), "{}", changed.text);
    assert_eq!(session.get("/auth/status").await.body["user"]["role"], "users", "at once");
    let verified = patch(&admin, "/admin/users/2", &json!({"email_verified": true})).await;
    assert!(verified.body["user"]["email_verified_at"].is_string());
    let none = patch(&admin, "/admin/users/2", &json!({"email": null})).await;
    assert!(none.body["user"]["email"].is_null() && none.body["user"]["email_verified_at"].is_null());
    let untouched = patch(&admin, "/admin/users/2", &json!({})).await;
    assert_eq!((untouched.status, &untouched.body["user"]), (200, &none.body["user"]));

    let another = json!({"password": "battery staple horse"});
    assert_eq!(patch(&admin, "/admin/users/2", &another).await.status, 200);
    assert_eq!(session.get("/auth/status").await.status, 401, "another password ends the sessions");
    let session = world.at(&world.tenant).log_in("jdoe", "battery staple horse").await;
    assert_eq!(delete(&admin, "/admin/users/2").await.status, 204);
    assert_eq!(session.get("/auth/status").await.status, 401);
    assert_eq!(delete(&admin, "/admin/users/2").await.refusal(), (404, "not_found"));
    assert_eq!(admin.get(&format!("/admin/users/{uuid}")).await.refusal(), (404, "not_found"));
    assert_eq!(make(&admin, "john", "users").await["id"], 3, "a number is given once");

    // Who did it is written down.
    let rules = GroupChange {
        name: "administrators".into(),
        basic_rules: Some(vec!["*:rwa".into(), "_users:r".into()]),
        ..GroupChange::default()
    };
    world.change_group(rules).await;
    patch(&admin, "/admin/users/3", &json!({"name": "Johnny"})).await;
    let query = json!({"action": "select", "table": "_users", "columns": ["created_by", "last_modified_by"],
        "where": {"number": 3}});
    assert_eq!(admin.query(query).await.data(), &json!([{"created_by": 1, "last_modified_by": 1}]));
    world.end().await;
}

async fn lists_are_paged_filtered_and_sorted(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    for (username, email, name, group) in [
        ("dora", Some("dora@b.example"), "alpha", "users"),
        ("Carl", None, "Beta", "publishers"),
        ("b-ob", Some("bob_1@a.example"), "alpha", "users"),
        ("bo.b", Some("bobx1@a.example"), "50%", "users"),
        ("anna", None, "gamma", "moderators"),
    ] {
        let body = json!({"username": username, "email": email, "name": name, "group": group});
        assert_eq!(admin.post("/admin/users", &body).await.status, 201);
    }
    let names = async |query: &str| {
        let pages = pages(&admin, &format!("/admin/users?limit=2{query}"), "users", "username").await;
        assert!(pages.iter().all(|page| page.len() <= 2));
        pages.concat().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("").await, "root dora Carl b-ob bo.b anna");
    assert_eq!(names("&sort=-number").await, "anna bo.b b-ob Carl dora root");
    assert_eq!(names("&sort=username").await, "anna b-ob bo.b Carl dora root");
    assert_eq!(names("&sort=-username").await, "root dora Carl bo.b b-ob anna");
    assert_eq!(names("&sort=name").await, "bo.b dora b-ob Carl anna root", "those of one name by their numbers");
    assert_eq!(names("&sort=email").await, "root Carl anna b-ob bo.b dora");
    assert_eq!(names("&sort=-email").await, "dora bo.b b-ob anna Carl root");
    assert_eq!(names("&sort=created_at").await, "root dora Carl b-ob bo.b anna");
    assert_eq!(names("&sort=-created_at").await, "anna bo.b b-ob Carl dora root");
    assert_eq!(names("&q=ALPHA").await, "dora b-ob");
    assert_eq!(names("&q=bob_").await, "b-ob", "a wildcard means itself");
    assert_eq!(names("&q=%25").await, "bo.b");
    assert_eq!(names("&group=users&sort=-username").await, "dora bo.b b-ob");
    assert_eq!(names("&group=nobodies").await, "");
    patch(&admin, "/admin/users/2", &json!({"status": "suspended"})).await;
    assert_eq!(names("&status=suspended").await, "dora");
    assert_eq!(names("&status=active&group=users").await, "b-ob bo.b");
    let moment = admin.get("/admin/users/4").await.body["user"]["created_at"].as_str().unwrap().to_owned();
    assert_eq!(names(&format!("&created_after={moment}")).await, "bo.b anna");
    assert_eq!(names(&format!("&created_before={moment}")).await, "root dora Carl");
    let counted = admin.get("/admin/users?limit=1&group=users&count=true").await;
    assert_eq!((&counted.body["total"], counted.body["users"].as_array().unwrap().len()), (&json!(3), 1));
    assert!(admin.get("/admin/users").await.body.get("total").is_none());
    let whole = admin.get("/admin/users?q=root").await.body;
    assert_eq!((&whole["next_cursor"], &whole["users"][0]["role"]), (&Json::Null, &json!("administrators")));
    world.end().await;
}

async fn pages_are_stable_under_inserts(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    for number in 0..20 {
        make(&admin, &format!("known-{number:02}"), "users").await;
    }
    for sort in ["username", "-username", "-created_at", "number"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        for round in 0.. {
            let answer = admin.get(&format!("/admin/users?limit=3&q=known-&sort={sort}{cursor}")).await;
            let users = answer.body["users"].as_array().unwrap();
            seen.extend(users.iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            // While the reader turns the page others come, before and behind it, and one that was read goes.
            let word = sort.trim_start_matches('-').replace('_', "");
            make(&admin, &format!("a-known-{word}-{round}"), "users").await;
            make(&admin, &format!("z-known-{word}-{round}"), "users").await;
            match answer.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(round < 40);
        }
        let mut old: Vec<_> = seen.iter().filter(|name| name.starts_with("known-")).collect();
        old.sort_unstable();
        assert_eq!(old.len(), 20, "{sort}: {seen:?}");
        old.dedup();
        assert_eq!(old.len(), 20, "{sort}: {seen:?}");
        let mut all = seen.clone();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), seen.len(), "{sort}: somebody is there twice");
        for user in admin.get("/admin/users?limit=200&q=-known-").await.body["users"].as_array().unwrap() {
            assert_eq!(delete(&admin, &format!("/admin/users/{}", user["id"])).await.status, 204);
        }
    }
    world.end().await;
}

async fn what_is_wrong_is_named(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=W10", "cursor"),
        ("sort=password", "sort"),
        ("sort=", "sort"),
        ("status=gone", "status"),
        ("created_after=yesterday", "created_after"),
        ("created_before=1", "created_before"),
        ("count=yes", "count"),
        ("expand=password", "expand"),
        ("q=", "q"),
        ("q=%00", "q"),
        ("group=%00", "group"),
    ] {
        let answer = admin.get(&format!("/admin/users?{query}")).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{query}: {}", answer.text);
    }
    let unknown = admin.get("/admin/users?qq=x").await;
    assert_eq!((unknown.refusal(), unknown.field()), ((400, "field_unknown"), "qq"), "{}", unknown.text);
    let of_another_order = admin.get("/admin/users?limit=1&sort=name&q=o").await;
    make(&admin, "other", "users").await;
    let cursor = admin.get("/admin/users?limit=1&sort=name").await.body["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(of_another_order.status, 200);
    assert_eq!(admin.get(&format!("/admin/users?sort=number&cursor={cursor}")).await.field(), "cursor");

    let taken = json!({"username": "ROOT"});
    assert_eq!(admin.post("/admin/users", &taken).await.refusal(), (409, "username_taken"));
    make(&admin, "mail", "users").await;
    let mail = patch(&admin, "/admin/users/mail", &json!({})).await;
    assert_eq!(mail.refusal(), (404, "not_found"), "names are no ids");
    patch(&admin, "/admin/users/3", &json!({"email": "mail@example.com"})).await;
    let dup = json!({"username": "unused", "email": "MAIL@example.com"});
    assert_eq!(admin.post("/admin/users", &dup).await.refusal(), (409, "email_taken"));
    assert_eq!(
        patch(&admin, "/admin/users/2", &json!({"email": "mail@EXAMPLE.com"})).await.refusal(),
        (409, "email_taken")
    );
    assert_eq!(patch(&admin, "/admin/users/2", &json!({"username": "MAIL"})).await.refusal(), (409, "username_taken"));
    for (change, reason) in [
        (json!({"username": "a b"}), (422, "username_unfit")),
        (json!({"email": "nowhere"}), (422, "email_unfit")),
        (json!({"password": "short"}), (422, "password_unfit")),
        (json!({"password": "other-other", "username": "other-other"}), (422, "password_unfit")),
        (json!({"name": ""}), (400, "field_invalid")),
        (json!({"group": "nobodies"}), (400, "field_invalid")),
        (json!({"status": "gone"}), (400, "field_invalid")),
        (json!({"email_verified": true}), (400, "field_invalid")),
        (json!({"id": 9}), (400, "field_unknown")),
        (json!({"username": null, "created_at": "now"}), (400, "field_unknown")),
    ] {
        let answer = patch(&admin, "/admin/users/2", &change).await;
        assert_eq!(answer.refusal(), reason, "{change}: {}", answer.text);
        assert!(!answer.field().is_empty(), "{}", answer.text);
    }
    let both = json!({"username": "both", "password": PASSWORD, "generate": true});
    assert_eq!(admin.post("/admin/users", &both).await.field(), "generate");
    // Nothing of a refused change is kept.
    let half = json!({"name": "Halfway", "username": "mail"});
    assert_eq!(patch(&admin, "/admin/users/2", &half).await.refusal(), (409, "username_taken"));
    assert_eq!(admin.get("/admin/users/2").await.body["user"]["name"], "other");
    for id in ["0", "-1", "99", "x", "00000000-0000-0000-0000-000000000000", "9223372036854775808"] {
        assert_eq!(admin.get(&format!("/admin/users/{id}")).await.refusal(), (404, "not_found"), "{id}");
    }
    world.end().await;
}

/// A moderator whose group may manage users.
async fn moderator(world: &World) -> Client {
    let change = GroupChange {
        name: "moderators".into(),
        abilities: Some(vec!["users.manage".into()]),
        ..GroupChange::default()
    };
    world.change_group(change).await;
    world.user("mod", "moderators").await
}

async fn nobody_reaches_beyond_the_own_power(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let moderator = moderator(&world).await;
    let chief = GroupChange { name: "chiefs".into(), power: Some(71), ..GroupChange::default() };
    let odd = GroupChange {
        name: "odd".into(),
        power: Some(20),
        abilities: Some(vec!["groups.manage".into()]),
        ..GroupChange::default()
    };
    world.change_group(chief).await;
    world.change_group(odd).await;
    make(&admin, "chief", "chiefs").await;
    make(&admin, "odd-one", "odd").await;
    make(&admin, "peer", "moderators").await;
    let jane = make(&moderator, "jane", "users").await["id"].clone();

    // Users above, in every way there is.
    for (user, reason) in [(1, "power_too_low"), (3, "power_too_low"), (4, "ability_missing")] {
        let path = format!("/admin/users/{user}");
        for change in [
            json!({"password": "a password of mine"}),
            json!({"email": "mine@example.com"}),
            json!({"username": "renamed"}),
            json!({"status": "suspended"}),
            json!({"group": "users"}),
            json!({"email_verified": false}),
            json!({"name": "Renamed"}),
        ] {
            let answer = patch(&moderator, &path, &change).await;
            assert_eq!(answer.refusal(), (403, reason), "{user} {change}: {}", answer.text);
        }
        assert_eq!(delete(&moderator, &path).await.refusal(), (403, reason), "{user}");
        assert_eq!(moderator.get(&path).await.status, 200, "seeing is another matter");
    }
    // Groups above, for others, for a new user and for oneself.
    for (group, reason) in
        [("administrators", "power_too_low"), ("chiefs", "power_too_low"), ("odd", "ability_missing")]
    {
        let body = json!({"username": "climber", "password": PASSWORD, "group": group});
        assert_eq!(moderator.post("/admin/users", &body).await.refusal(), (403, reason), "{group}");
        for user in [jane.to_string(), "2".to_owned()] {
            let answer = patch(&moderator, &format!("/admin/users/{user}"), &json!({"group": group})).await;
            assert_eq!(answer.refusal(), (403, reason), "{group} {user}: {}", answer.text);
        }
    }
    assert_eq!(admin.get("/admin/users?q=climber").await.body["users"], json!([]), "nothing is left of an attempt");
    // What is level or below is in reach.
    assert_eq!(patch(&moderator, "/admin/users/5", &json!({"name": "Peer"})).await.status, 200);
    assert_eq!(patch(&moderator, &format!("/admin/users/{jane}"), &json!({"group": "moderators"})).await.status, 200);
    assert_eq!(delete(&moderator, "/admin/users/5").await.status, 204);
    // The other doors stay shut.
    assert_eq!(
        moderator.post("/admin/groups", &json!({"name": "own", "power": 1})).await.refusal(),
        (403, "ability_missing")
    );
    let change = json!({"abilities": ["groups.manage"]});
    assert_eq!(patch(&moderator, "/admin/groups/moderators", &change).await.refusal(), (403, "ability_missing"));
    assert_eq!(moderator.get("/admin/tenants").await.refusal(), (403, "ability_missing"));
    world.end().await;
}

async fn a_lack_of_abilities_is_a_wall(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let publisher = world.user("pub", "publishers").await;
    let reader = world.user("reader", "moderators").await;
    let id = make(&admin, "jane", "users").await["id"].clone();
    let (path, nobody) = (format!("/admin/users/{id}"), world.at(&world.tenant));
    assert_eq!((reader.get("/admin/users").await.status, reader.get(&path).await.status), (200, 200));
    for (client, reading) in [(&publisher, true), (&reader, false)] {
        let body = json!({"username": "new", "group": "users"});
        assert_eq!(client.post("/admin/users", &body).await.refusal(), (403, "ability_missing"));
        assert_eq!(patch(client, &path, &json!({"name": "x"})).await.refusal(), (403, "ability_missing"));
        assert_eq!(delete(client, &path).await.refusal(), (403, "ability_missing"));
        if reading {
            assert_eq!(client.get("/admin/users").await.refusal(), (403, "ability_missing"));
            assert_eq!(client.get(&path).await.refusal(), (403, "ability_missing"));
        }
    }
    assert_eq!(nobody.get("/admin/users").await.refusal(), (401, "no_token"));
    assert_eq!(delete(&nobody, &path).await.refusal(), (401, "no_token"));
    world.end().await;
}

async fn the_last_administrator_stays(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let demotion = json!({"group": "users"});
    assert_eq!(patch(&admin, "/admin/users/1", &demotion).await.refusal(), (409, "last_administrator"));
    let own = patch(&admin, "/admin/users/1", &json!({"status": "suspended"})).await;
    assert_eq!((own.refusal(), own.field()), ((409, "conflict"), "status"));
    assert_eq!(delete(&admin, "/admin/users/1").await.refusal(), (409, "conflict"));
    let lower = json!({"power": 99});
    assert_eq!(patch(&admin, "/admin/groups/administrators", &lower).await.refusal(), (409, "last_administrator"));
    // One who cannot log in is none.
    let other = make(&admin, "other", "administrators").await["id"].clone();
    let path = format!("/admin/users/{other}");
    assert_eq!(patch(&admin, &path, &json!({"status": "suspended"})).await.status, 200);
    assert_eq!(patch(&admin, "/admin/users/1", &demotion).await.refusal(), (409, "last_administrator"));
    assert_eq!(patch(&admin, &path, &json!({"status": "active"})).await.status, 200);
    assert_eq!(patch(&admin, "/admin/users/1", &demotion).await.status, 200);
    assert_eq!(admin.get("/auth/status").await.body["user"]["power"], 10);
    let other = world.at(&world.tenant).log_in("other", PASSWORD).await;
    assert_eq!(patch(&other, &path, &demotion).await.refusal(), (409, "last_administrator"));
    assert_eq!(delete(&other, "/admin/users/1").await.status, 204);
    world.end().await;
}

async fn two_administrators_cannot_remove_each_other(backend: Backend) {
    let world = World::new(backend).await;
    for round in 0..6 {
        let (left, right) = (format!("left{round}"), format!("right{round}"));
        let clients = [world.user(&left, "administrators").await, world.user(&right, "administrators").await];
        let ids = [0, 1].map(|index: usize| index);
        let mut numbers = Vec::new();
        for index in ids {
            let status = clients[index].get("/auth/status").await;
            numbers.push(status.body["user"]["id"].as_i64().unwrap());
        }
        let attack = async |client: &Client, number: i64| {
            let path = format!("/admin/users/{number}");
            match round % 3 {
                0 => delete(client, &path).await,
                1 => patch(client, &path, &json!({"status": "suspended"})).await,
                _ => patch(client, &path, &json!({"group": "users"})).await,
            }
        };
        let (one, two) = tokio::join!(attack(&clients[0], numbers[1]), attack(&clients[1], numbers[0]));
        let won = [&one, &two].iter().filter(|answer| answer.status < 300).count();
        assert_eq!(won, 1, "round {round}: {} / {}", one.text, two.text);
        let lost = if one.status < 300 { &two } else { &one };
        assert!(
            [(409, "last_administrator"), (401, "session_invalid"), (403, "ability_missing")].contains(&lost.refusal()),
            "{}",
            lost.text
        );
        let winner = if one.status < 300 { &clients[0] } else { &clients[1] };
        assert_eq!(winner.get("/auth/status").await.body["user"]["power"], 100);
        let left = winner.get("/admin/users?group=administrators&status=active&count=true").await;
        assert_eq!(left.body["total"], 1, "{}", left.text);
        // The operator may, and clears the field for the next round.
        let open = world.open(&world.tenant).await;
        let identity = &world.server.installation().features.identity;
        for user in identity.users(&open, 0, 100).await.unwrap() {
            identity.remove_user(&open, &identity::Actor::operator(), user.id).await.unwrap();
        }
    }
    world.end().await;
}

async fn suspension_bites_at_once(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    let jane = world.user("jane", "users").await;
    assert_eq!(jane.get("/auth/status").await.status, 200);
    let suspended = patch(&admin, "/admin/users/2", &json!({"status": "suspended"})).await;
    assert_eq!((suspended.status, &suspended.body["user"]["status"]), (200, &json!("suspended")));
    assert_eq!(jane.get("/auth/status").await.status, 401);
    let body = json!({"method": "password", "username": "jane", "password": PASSWORD});
    assert_eq!(world.at(&world.tenant).post("/auth/login", &body).await.refusal(), (401, "credentials_invalid"));
    patch(&admin, "/admin/users/2", &json!({"status": "active"})).await;
    assert_eq!(jane.get("/auth/status").await.status, 401, "what ended stays ended");
    world.at(&world.tenant).log_in("jane", PASSWORD).await;
    // Made suspended, nobody gets in.
    let new = json!({"username": "later", "password": PASSWORD, "status": "suspended"});
    assert_eq!(admin.post("/admin/users", &new).await.body["user"]["status"], "suspended");
    let body = json!({"method": "password", "username": "later", "password": PASSWORD});
    assert_eq!(world.at(&world.tenant).post("/auth/login", &body).await.status, 401);
    // What one's own routes ask a proof for is refused here.
    for (change, field) in
        [(json!({"password": "horse battery staple"}), "password"), (json!({"second_factor": null}), "second_factor")]
    {
        let answer = patch(&admin, "/admin/users/1", &change).await;
        assert_eq!((answer.refusal(), answer.field()), ((409, "conflict"), field), "{}", answer.text);
    }
    assert_eq!(admin.get("/auth/status").await.status, 200);
    world.end().await;
}

async fn users_of_another_tenant_do_not_exist(backend: Backend) {
    let world = World::new(backend).await;
    let other = world.another_tenant().await;
    let admin = world.user("root", "administrators").await;
    let theirs = world.user_of(&other, "theirs", "administrators").await;
    let id = theirs.get("/auth/status").await.body["user"]["uuid"].as_str().unwrap().to_owned();
    let path = format!("/admin/users/{id}");
    assert_eq!(theirs.get(&path).await.status, 200);
    assert_eq!(admin.get(&path).await.refusal(), (404, "not_found"));
    assert_eq!(patch(&admin, &path, &json!({"status": "suspended"})).await.refusal(), (404, "not_found"));
    assert_eq!(delete(&admin, &path).await.refusal(), (404, "not_found"));
    assert_eq!(admin.get("/admin/users?q=theirs").await.body["users"], json!([]));
    // The same address there means somebody else.
    for client in [&admin, &theirs] {
        let body = json!({"username": "twin", "email": "twin@example.com"});
        assert_eq!(client.post("/admin/users", &body).await.status, 201);
    }
    assert_eq!(theirs.get("/auth/status").await.status, 200);
    world.end().await;
}

async fn a_key_reaches_no_further_than_its_scopes(backend: Backend) {
    let world = World::new(backend).await;
    let admin = world.user("root", "administrators").await;
    make(&admin, "jane", "users").await;
    make(&admin, "pub", "publishers").await;
    let key = async |kind: &str, scopes: &[&str]| {
        let body =
            json!({"kind": kind, "name": "k", "scopes": scopes, "group": (kind == "sk").then_some("administrators")});
        let made = admin.post("/auth/keys", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        admin.with_token(made.body["secret"].as_str().unwrap())
    };
    for kind in ["pat", "sk"] {
        let key = key(kind, &["users.manage", "users.read"]).await;
        let new = |group: &str| json!({"username": format!("{kind}-{group}"), "password": PASSWORD, "group": group});
        // Whoever comes in by the key must not be able to do what the key cannot.
        for group in ["administrators", "moderators", "publishers"] {
            assert_eq!(key.post("/admin/users", &new(group)).await.refusal(), (403, "scope_missing"), "{group}");
            let answer = patch(&key, "/admin/users/2", &json!({"group": group})).await;
            assert_eq!(answer.refusal(), (403, "scope_missing"), "{group}");
        }
        for user in [1, 3] {
            let taken = patch(&key, &format!("/admin/users/{user}"), &json!({"password": "a password of mine"})).await;
            assert_eq!(taken.refusal(), (403, "scope_missing"), "{}", taken.text);
            assert_eq!(delete(&key, &format!("/admin/users/{user}")).await.refusal(), (403, "scope_missing"));
        }
        // What anyone becomes who registers, it may make and change.
        let made = key.post("/admin/users", &new("users")).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("/admin/users/{}", made.body["user"]["id"]);
        assert_eq!(patch(&key, &path, &json!({"status": "suspended"})).await.status, 200);
        assert_eq!(delete(&key, &path).await.status, 204);
        assert_eq!(
            key.post("/admin/groups", &json!({"name": "own", "power": 1})).await.refusal(),
            (403, "scope_missing")
        );
    }
    // A key with a user's rights dies with the user.
    let other = make(&admin, "other", "administrators").await["id"].clone();
    let client = world.at(&world.tenant).log_in("other", PASSWORD).await;
    let made = client.post("/auth/keys", &json!({"kind": "pat", "name": "k", "scopes": ["users.read"]})).await;
    let key = client.with_token(made.body["secret"].as_str().unwrap());
    assert_eq!(key.get("/admin/users").await.status, 200);
    patch(&admin, &format!("/admin/users/{other}"), &json!({"group": "users"})).await;
    assert_eq!(key.get("/admin/users").await.status, 403, "demoted, at once");
    patch(&admin, &format!("/admin/users/{other}"), &json!({"group": "administrators"})).await;
    assert_eq!(key.get("/admin/users").await.status, 200);
    patch(&admin, &format!("/admin/users/{other}"), &json!({"status": "suspended"})).await;
    assert_eq!(key.get("/admin/users").await.status, 401, "suspended, at once");
    patch(&admin, &format!("/admin/users/{other}"), &json!({"status": "active"})).await;
    assert_eq!(key.get("/admin/users").await.status, 200);
    assert_eq!(delete(&admin, &format!("/admin/users/{other}")).await.status, 204);
    assert_eq!(key.get("/admin/users").await.status, 401, "deleted, at once");
    world.end().await;
}

async fn pins_and_cards_are_given_and_taken(backend: Backend) {
    let world = World::configured(backend, |config| {
        let here = vec!["127.0.0.0/8".parse().unwrap()];
        config.identity.whitelisted_pin_ips.clone_from(&here);
        config.identity.whitelisted_string_ips = here;
    })
    .await;
    let admin = world.user("root", "administrators").await;
    let new = json!({"username": "jane", "pin": "0417", "login_string": "NFC-0123456789"});
    let made = admin.post("/admin/users", &new).await;
    let user = &made.body["user"];
    assert_eq!(
        (&user["has_pin"], &user["has_card"], &user["has_password"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert!(!made.text.contains("0417") && !made.text.contains("NFC-"), "{}", made.text);
    let nobody = world.at(&world.tenant);
    let pin = json!({"method": "pin", "username": "jane", "pin": "0417"});
    let card = json!({"method": "token", "login_string": "NFC-0123456789"});
    assert_eq!(nobody.post("/auth/login", &pin).await.status, 200);
    assert_eq!(nobody.post("/auth/login", &card).await.status, 200);
    make(&admin, "john", "users").await;
    let taken = patch(&admin, "/admin/users/3", &json!({"login_string": "NFC-0123456789"})).await;
    assert_eq!((taken.refusal(), taken.field()), ((409, "name_taken"), "login_string"));
    for (change, field) in [
        (json!({"pin": "12"}), "pin"),
        (json!({"login_string": "short"}), "login_string"),
        (json!({"second_factor": true}), "second_factor"),
    ] {
        let answer = patch(&admin, "/admin/users/2", &change).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), field), "{}", answer.text);
    }
    let cleared =
        patch(&admin, "/admin/users/2", &json!({"pin": null, "login_string": null, "second_factor": null})).await;
    assert_eq!((&cleared.body["user"]["has_pin"], &cleared.body["user"]["has_card"]), (&json!(false), &json!(false)));
    assert_eq!(nobody.post("/auth/login", &pin).await.status, 401);
    assert_eq!(nobody.post("/auth/login", &card).await.status, 401);
    assert_eq!(patch(&admin, "/admin/users/3", &json!({"login_string": "NFC-0123456789"})).await.status, 200);
    world.end().await;
}

async fn who_is_invited_sets_a_password(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    let admin = world.user("root", "administrators").await;
    let nowhere = admin.post("/admin/users", &json!({"username": "jane", "invite": true})).await;
    assert_eq!((nowhere.refusal(), nowhere.field()), ((400, "field_missing"), "email"));
    let new = json!({"username": "jane", "email": "jane@example.com", "invite": true});
    let made = admin.post("/admin/users", &new).await;
    assert_eq!((made.status, &made.body["invited"]), (201, &json!(true)), "{}", made.text);
    let nobody = world.at(&world.tenant);
    let reset = async |token: &str| {
        nobody.post("/auth/password/reset", &json!({"token": token, "password": PASSWORD})).await.status
    };
    let token = post.next("jane@example.com").await.token();
    assert_eq!(reset(&token).await, 204);
    nobody.log_in("jane", PASSWORD).await;
    // A link that is on its way is good no more once the administrator has set another password.
    nobody.post("/auth/password/forgot", &json!({"email": "jane@example.com"})).await;
    let token = post.next("jane@example.com").await;
    let token = if token.text.contains("?token=") { token } else { post.next("jane@example.com").await }.token();
    assert_eq!(patch(&admin, "/admin/users/2", &json!({"password": "battery staple horse"})).await.status, 200);
    assert_eq!(reset(&token).await, 410);
    world.end().await;
}
