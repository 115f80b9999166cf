//! API keys: made, used, rotated and revoked, and never more than their makers.

use std::{num::NonZeroU32, time::Duration};

use identity::{Actor, GroupChange, RateClass, UserStatus};
use insula::{Config, Options, Server};
use insula_tests::{Answer, Backend, Client, OwnPostgres, World, on_all_databases, until};
use kernel::{Secret, Span, seal::SealingKey};
use reqwest::Method;
use serde_json::{Value as Json, json};

on_all_databases!(
    each_kind_acts_as_it_should,
    a_key_is_shown_once,
    a_slip_of_the_hand_is_told,
    a_key_ends,
    a_key_has_its_places,
    a_key_loses_what_its_maker_loses,
    a_key_makes_only_lesser_keys,
    a_key_reaches_only_lesser_keys,
    one_of_two_rotations_wins,
    the_old_key_lives_for_the_overlap,
    what_changes_of_a_key,
    wrong_requests_name_their_field,
    use_is_written_once_a_minute,
    a_rate_class_limits_a_key,
    a_key_is_of_one_tenant,
    administrators_see_and_revoke,
    a_group_goes_and_its_keys_with_it,
    a_user_has_a_hundred_keys,
);

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn patch(client: &Client, path: &str, body: &Json) -> Answer {
    client.send(Method::PATCH, path, &JSON, Some(body.to_string().into_bytes())).await
}

async fn delete(client: &Client, path: &str) -> Answer {
    client.send(Method::DELETE, path, &[], None).await
}

/// A key that was made, and whoever uses it.
struct Made {
    id: String,
    secret: String,
    client: Client,
    key: Json,
}

fn made(by: &Client, answer: &Answer) -> Made {
    assert_eq!(answer.status, 201, "{}", answer.text);
    let secret = answer.body["secret"].as_str().unwrap().to_owned();
    let id = answer.body["key"]["id"].as_str().unwrap().to_owned();
    Made { client: by.with_token(&secret), id, secret, key: answer.body["key"].clone() }
}

async fn make(by: &Client, body: &Json) -> Made {
    made(by, &by.post("/auth/keys", body).await)
}

fn path(made: &Made) -> String {
    format!("/auth/keys/{}", made.id)
}

async fn myself(client: &Client) -> Answer {
    client.get("/auth/keys/self").await
}

/// A world with a table that everybody may read and registered users may write.
async fn world(backend: Backend) -> World {
    configured(backend, |_| {}).await
}

async fn configured(backend: Backend, change: impl FnOnce(&mut Config)) -> World {
    let world = World::configured(backend, change).await;
    world.tables("CREATE TABLE notes (id SERIAL, text VARCHAR(40), created_by BIGINT)").await;
    world.group("anonymous", &["notes:r"], &[]).await;
    world.group("users", &["notes:rw"], &[]).await;
    world
}

async fn each_kind_acts_as_it_should(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let scopes = ["data.read", "data.insert"];
    let insert = json!({"action": "insert", "table": "notes", "data": {"text": "n"}});
    let select = json!({"action": "select", "table": "notes", "columns": ["text", "created_by"]});
    let pat = make(&uma, &json!({"kind": "pat", "name": "mine", "scopes": scopes})).await;
    let sk = make(&uma, &json!({"kind": "sk", "name": "CI", "scopes": scopes})).await;
    let pk = make(&uma, &json!({"kind": "pk", "name": "web", "scopes": scopes})).await;
    for (key, kind, group, user) in
        [(&pat, "pat", "users", json!(1)), (&sk, "sk", "users", json!(null)), (&pk, "pk", "anonymous", json!(null))]
    {
        let answer = myself(&key.client).await;
        let body = &answer.body;
        let said = (&body["kind"], &body["group"], &body["user_id"], &body["scopes"], &body["id"]);
        assert_eq!(said, (&json!(kind), &json!(group), &user, &json!(scopes), &json!(key.id)), "{}", answer.text);
        assert_eq!(key.client.query(select.clone()).await.status, 200, "{kind}");
    }
    pat.client.query(insert.clone()).await.data();
    sk.client.query(insert.clone()).await.data();
    // The key has the scope, but its group has no rule for it.
    assert_eq!(pk.client.query(insert.clone()).await.refusal(), (403, "table_denied"));
    let rows = uma.query(select.clone()).await;
    assert_eq!(rows.data(), &json!([{"text": "n", "created_by": 1}, {"text": "n", "created_by": null}]));
    // The group has the right, but the key has no scope for it.
    let update = json!({"action": "update", "table": "notes", "data": {"text": "m"}, "where": {"id": 1}});
    let answer = pat.client.query(update).await;
    assert_eq!(answer.refusal(), (403, "scope_missing"));
    assert!(answer.body["error"].as_str().unwrap().contains("data.update"), "{}", answer.text);
    // What is for people alone.
    for key in [&pat, &sk, &pk] {
        assert_eq!(key.client.post("/auth/logout", &json!({})).await.refusal(), (403, "session_required"));
        assert_eq!(key.client.get("/auth/status").await.refusal(), (403, "session_required"));
    }
    assert_eq!(myself(&uma).await.refusal(), (404, "not_found"));
    // The other header that tokens may come in.
    let nobody = world.at(&world.tenant);
    let alias = nobody.send(Method::GET, "/auth/keys/self", &[("runnable-token", &pat.secret)], None).await;
    assert_eq!(alias.status, 200);
    // Never in a URL, and no cookie is a credential.
    for (path, headers) in [
        (format!("/auth/keys/self?access_token={0}&token={0}&key={0}", pat.secret), vec![]),
        ("/auth/keys/self".to_owned(), vec![("cookie", format!("token={}", pat.secret))]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(nobody.send(Method::GET, &path, &headers, None).await.refusal(), (401, "no_token"));
    }
    world.end().await;
}

async fn a_key_is_shown_once(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "sk", "name": "CI", "scopes": ["data.read"]})).await;
    assert!(key.secret.starts_with("ins_sk_") && key.secret.len() == 91, "{}", key.secret);
    assert!(key.secret.contains(&key.id));
    assert!(key.secret.starts_with(key.key["prefix"].as_str().unwrap()));
    assert!(key.secret.ends_with(key.key["last_four"].as_str().unwrap()));
    let state = (&key.key["state"], &key.key["name"], &key.key["user_id"], &key.key["username"], &key.key["group"]);
    assert_eq!(state, (&json!("live"), &json!("CI"), &json!(1), &json!("uma"), &json!("users")));
    // 90 days unless said otherwise.
    let moment = |name: &str| key.key[name].as_str().unwrap().parse::<kernel::time::Timestamp>().unwrap();
    let days = moment("expires_at").duration_since(moment("created_at")).as_hours() / 24;
    assert_eq!(days, 90);
    let hidden = &key.secret[42..];
    for path in ["/auth/keys", "/auth/keys?limit=5", &path(&key)] {
        let answer = uma.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains(&key.id) && !answer.text.contains(hidden), "{}", answer.text);
    }
    if backend == Backend::Sqlite {
        let mut bytes = Vec::new();
        for ending in ["", "-wal"] {
            bytes.extend(std::fs::read(world.tenant.folder.join(format!("insula.db{ending}"))).unwrap());
        }
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(found(&key.id) && !found(&hidden[..20]));
    }
    world.end().await;
}

async fn a_slip_of_the_hand_is_told(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "mine", "scopes": ["data.read"]})).await;
    let last = key.secret.chars().last().unwrap();
    let typo = format!("{}{}", &key.secret[..key.secret.len() - 1], if last == 'a' { 'b' } else { 'a' });
    for wrong in
        [typo.as_str(), "ins_", "ins_sk_", "ins_pat_x_y", &key.secret[..90], &format!("ins_sk_{}", "a".repeat(4_000))]
    {
        let answer = myself(&uma.with_token(wrong)).await;
        assert_eq!(answer.refusal(), (401, "key_invalid"), "{wrong}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    world.end().await;
}

async fn a_key_ends(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let body = |expires: &str| json!({"kind": "pat", "name": "k", "scopes": ["data.read"], "expires_in": expires});
    let short = make(&uma, &body("1s")).await;
    let long = make(&uma, &body("1h")).await;
    assert_eq!((myself(&short.client).await.status, myself(&long.client).await.status), (200, 200));
    until("the key ends", Duration::from_secs(4), async || {
        myself(&short.client).await.refusal() == (401, "key_expired")
    })
    .await;
    assert_eq!(uma.get(&path(&short)).await.body["key"]["state"], "expired");
    assert_eq!(delete(&uma, &path(&long)).await.status, 204);
    assert_eq!(myself(&long.client).await.refusal(), (401, "key_revoked"));
    let kept = uma.get(&path(&long)).await;
    assert_eq!(kept.body["key"]["state"], "revoked");
    // Again does no harm and changes nothing.
    assert_eq!(delete(&uma, &path(&long)).await.status, 204);
    assert_eq!(uma.get(&path(&long)).await.body["key"]["revoked_at"], kept.body["key"]["revoked_at"]);
    assert_eq!(delete(&uma, "/auth/keys/nothing").await.refusal(), (404, "not_found"));
    world.end().await;
}

async fn a_key_has_its_places(backend: Backend) {
    let world =
        configured(backend, |config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let uma = world.user("uma", "users").await;
    let ask = async |key: &Made, headers: &[(&str, &str)]| {
        let answer = key.client.send(Method::GET, "/auth/keys/self", headers, None).await;
        (answer.status, answer.body["reason"].as_str().unwrap_or_default().to_owned())
    };
    let good = (200, String::new());
    let refused = |reason: &str| (403, reason.to_owned());
    let scopes = ["data.read"];
    let addresses = ["192.0.2.0/24", "2001:db8::7"];
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": scopes, "addresses": addresses})).await;
    assert_eq!(key.key["addresses"], json!(["192.0.2.0/24", "2001:db8::7/128"]));
    for _ in 0..2 {
        assert_eq!(ask(&key, &[("x-forwarded-for", "192.0.2.7")]).await, good);
        assert_eq!(ask(&key, &[("x-forwarded-for", "2001:db8::7")]).await, good);
        assert_eq!(ask(&key, &[("x-forwarded-for", "198.51.100.1")]).await, refused("address_not_allowed"));
        assert_eq!(ask(&key, &[]).await, refused("address_not_allowed"));
    }
    let sk = make(&uma, &json!({"kind": "sk", "name": "k", "scopes": scopes})).await;
    assert_eq!(ask(&sk, &[]).await, good);
    for origin in ["https://example.com", "null", "http://localhost"] {
        assert_eq!(ask(&sk, &[("origin", origin)]).await, refused("origin_not_allowed"));
    }
    let origins = ["https://Example.com:443", "http://localhost:3000"];
    for kind in ["pk", "pat"] {
        let open = make(&uma, &json!({"kind": kind, "name": "k", "scopes": scopes})).await;
        assert_eq!(ask(&open, &[("origin", "https://anywhere.com")]).await, good);
        let key = make(&uma, &json!({"kind": kind, "name": "k", "scopes": scopes, "origins": origins})).await;
        assert_eq!(ask(&key, &[("origin", "https://example.com")]).await, good);
        assert_eq!(ask(&key, &[("origin", "http://localhost:3000")]).await, good);
        for origin in ["https://example.com.evil.com", "http://example.com", "https://sub.example.com", "null"] {
            assert_eq!(ask(&key, &[("origin", origin)]).await, refused("origin_not_allowed"), "{kind} {origin}");
        }
        assert_eq!(ask(&key, &[]).await, refused("origin_not_allowed"));
    }
    world.end().await;
}

async fn a_key_loses_what_its_maker_loses(backend: Backend) {
    let world = world(backend).await;
    let ada = world.user("ada", "administrators").await;
    let identity = &world.server.installation().features.identity;
    let open = world.open(&world.tenant).await;
    let user = identity.find_user(&open, "ada").await.unwrap().unwrap().id;
    let scopes = ["data.read", "explain"];
    let pat = make(&ada, &json!({"kind": "pat", "name": "k", "scopes": scopes})).await;
    let sk = make(&ada, &json!({"kind": "sk", "name": "k", "scopes": scopes})).await;
    let weak = make(&ada, &json!({"kind": "sk", "name": "k", "scopes": ["data.read"], "group": "users"})).await;
    assert_eq!(weak.key["group"], "users");
    for key in [&pat, &sk, &weak] {
        assert_eq!(myself(&key.client).await.status, 200);
    }
    // Less power: the personal key follows, and the server key of more power is refused; at once on this node.
    identity.set_group(&open, user, "moderators").await.unwrap();
    let own = myself(&pat.client).await;
    assert_eq!((&own.body["scopes"], &own.body["group"]), (&json!(["data.read"]), &json!("moderators")));
    assert_eq!(myself(&sk.client).await.refusal(), (401, "key_revoked"));
    assert_eq!(myself(&weak.client).await.status, 200);
    // The power comes back, and with it the keys.
    identity.set_group(&open, user, "administrators").await.unwrap();
    assert_eq!(myself(&sk.client).await.body["scopes"], json!(scopes));
    // A group loses an ability.
    let stronger = |power| GroupChange { name: "users".into(), power: Some(power), ..GroupChange::default() };
    world.change_group(stronger(95)).await;
    assert_eq!(myself(&weak.client).await.body["power"], 95);
    identity.set_group(&open, user, "moderators").await.unwrap();
    assert_eq!(myself(&weak.client).await.refusal(), (401, "key_revoked"));
    world.change_group(stronger(10)).await;
    assert_eq!(myself(&weak.client).await.status, 200);
    identity.set_status(&open, user, UserStatus::Suspended).await.unwrap();
    for key in [&pat, &sk, &weak] {
        assert_eq!(myself(&key.client).await.refusal(), (401, "key_revoked"));
    }
    identity.set_status(&open, user, UserStatus::Active).await.unwrap();
    assert_eq!(myself(&pat.client).await.status, 200);
    assert_eq!(identity.revoke_keys_of(&open, user).await.unwrap(), 3);
    for key in [&pat, &sk, &weak] {
        assert_eq!(myself(&key.client).await.refusal(), (401, "key_revoked"));
    }
    world.end().await;
}

async fn a_key_makes_only_lesser_keys(backend: Backend) {
    let world = configured(backend, |config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.identity.allow_unending_keys = true;
    })
    .await;
    let ada = world.user("ada", "administrators").await;
    let maker = json!({
        "kind": "pat", "name": "maker", "scopes": ["keys.manage", "data.read"], "expires_in": "1h",
        "addresses": ["192.0.2.0/24"], "origins": ["https://a.com"],
    });
    let maker = make(&ada, &maker).await;
    let headers = [("content-type", "application/json"), ("x-forwarded-for", "192.0.2.7"), ("origin", "https://a.com")];
    let ask = async |by: &Made, body: Json| {
        by.client.send(Method::POST, "/auth/keys", &headers, Some(body.to_string().into_bytes())).await
    };
    let lesser = made(&maker.client, &ask(&maker, json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await);
    for field in ["addresses", "origins", "expires_at"] {
        assert_eq!(lesser.key[field], maker.key[field], "{field}");
    }
    let with = |field: &str, value: Json| {
        let mut body = json!({"kind": "pat", "name": "k", "scopes": ["data.read"]});
        body[field] = value;
        body
    };
    for (body, reason, field) in [
        (with("scopes", json!(["data.read", "data.insert"])), (403, "scope_missing"), "scopes[1]"),
        (with("expires_in", json!("2h")), (400, "field_invalid"), "expires_in"),
        (with("expires_in", json!(null)), (400, "field_invalid"), "expires_in"),
        (with("addresses", json!(["192.0.0.0/16"])), (400, "field_invalid"), "addresses"),
        (with("addresses", json!([])), (400, "field_invalid"), "addresses"),
        (with("origins", json!(["https://b.com"])), (400, "field_invalid"), "origins"),
        (with("origins", json!([])), (400, "field_invalid"), "origins"),
    ] {
        let answer = ask(&maker, body.clone()).await;
        assert_eq!((answer.refusal(), answer.field()), (reason, field), "{body}: {}", answer.text);
    }
    let narrower =
        json!({"kind": "pk", "name": "k", "scopes": ["data.read"], "addresses": ["192.0.2.9"], "expires_in": "1m"});
    assert_eq!(ask(&maker, narrower).await.status, 201);
    // Without the scope for it, and by what acts as no user.
    assert_eq!(ask(&lesser, with("name", json!("k"))).await.refusal(), (403, "scope_missing"));
    let server = json!({"kind": "sk", "name": "k", "scopes": ["keys.manage", "data.read"], "group": "users"});
    let server = make(&ada, &server).await;
    let by_server = async |body: Json| server.client.post("/auth/keys", &body).await;
    assert_eq!(by_server(with("kind", json!("pat"))).await.field(), "kind");
    let answer = by_server(json!({"kind": "sk", "name": "k", "scopes": ["data.read"], "group": "moderators"})).await;
    assert_eq!((answer.refusal(), answer.field()), ((403, "power_too_low"), "group"));
    let child = made(&server.client, &by_server(with("kind", json!("sk"))).await);
    assert_eq!((&child.key["group"], &child.key["username"]), (&json!("users"), &json!("ada")));
    assert_eq!(myself(&child.client).await.body["user_id"], json!(null));
    world.end().await;
}

async fn a_key_reaches_only_lesser_keys(backend: Backend) {
    let world = world(backend).await;
    let ada = world.user("ada", "administrators").await;
    let scopes = json!(["keys.manage", "data.read"]);
    let by = make(&ada, &json!({"kind": "pat", "name": "by", "scopes": scopes})).await;
    let equal = make(&by.client, &json!({"kind": "pat", "name": "equal", "scopes": scopes})).await;
    let more = make(&ada, &json!({"kind": "pat", "name": "more", "scopes": ["data.read", "data.insert"]})).await;
    let foreign = {
        let uma = world.user("uma", "users").await;
        make(&uma, &json!({"kind": "pat", "name": "foreign", "scopes": ["data.read"]})).await
    };
    // To take over a key that may do more by rotating it would be a way to more rights.
    let refused = (403, "scope_missing");
    assert_eq!(by.client.post(&format!("{}/rotate", path(&more)), &json!({})).await.refusal(), refused);
    assert_eq!(patch(&by.client, &path(&more), &json!({"name": "x"})).await.refusal(), refused);
    assert_eq!(delete(&by.client, &path(&more)).await.refusal(), refused);
    for client in [&by.client, &ada] {
        assert_eq!(client.post(&format!("{}/rotate", path(&foreign)), &json!({})).await.refusal(), (404, "not_found"));
        assert_eq!(patch(client, &path(&foreign), &json!({"name": "x"})).await.refusal(), (404, "not_found"));
    }
    assert_eq!(by.client.get(&path(&foreign)).await.refusal(), (404, "not_found"));
    assert_eq!(delete(&by.client, &path(&foreign)).await.refusal(), (404, "not_found"));
    assert_eq!(by.client.get("/auth/keys?all=true").await.refusal(), (403, "scope_missing"));
    // It sees its user's keys, and does as it likes with those that may do no more.
    assert_eq!(by.client.get("/auth/keys").await.body["keys"].as_array().unwrap().len(), 3);
    assert_eq!(patch(&by.client, &path(&equal), &json!({"name": "x"})).await.body["key"]["name"], "x");
    assert_eq!(patch(&by.client, &path(&by), &json!({"expires_in": "300d"})).await.field(), "expires_in");
    let heir = made(&by.client, &by.client.post(&format!("{}/rotate", path(&by)), &json!({"overlap": "1h"})).await);
    assert_eq!(heir.key["expires_at"], by.key["expires_at"], "a key cannot outlive itself by rotating");
    assert_eq!(delete(&heir.client, &path(&equal)).await.status, 204);
    assert_eq!(delete(&heir.client, &path(&heir)).await.status, 204);
    assert_eq!(myself(&heir.client).await.refusal(), (401, "key_revoked"));
    world.end().await;
}

async fn one_of_two_rotations_wins(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    for _ in 0..5 {
        let key = make(&uma, &json!({"kind": "sk", "name": "CI", "scopes": ["data.read"]})).await;
        let (path, body) = (format!("{}/rotate", path(&key)), json!({}));
        let answers = tokio::join!(uma.post(&path, &body), uma.post(&path, &body), uma.post(&path, &body));
        let mut statuses = [answers.0.status, answers.1.status, answers.2.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        assert_eq!(uma.post(&path, &body).await.refusal(), (409, "conflict"));
    }
    world.end().await;
}

async fn the_old_key_lives_for_the_overlap(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let body =
        json!({"kind": "sk", "name": "CI", "scopes": ["data.read"], "expires_in": "10d", "addresses": ["127.0.0.0/8"]});
    let key = make(&uma, &body).await;
    let rotate = |made: &Made| format!("{}/rotate", path(made));
    assert_eq!(uma.post(&rotate(&key), &json!({"overlap": "31d"})).await.field(), "overlap");
    let heir = made(&uma, &uma.post(&rotate(&key), &json!({"overlap": "1s"})).await);
    assert_eq!(heir.key["rotated_from"], json!(key.id));
    for field in ["kind", "name", "scopes", "addresses", "group"] {
        assert_eq!(heir.key[field], key.key[field], "{field}");
    }
    assert!(heir.secret != key.secret && heir.key["expires_at"].as_str() >= key.key["expires_at"].as_str());
    assert_eq!((myself(&key.client).await.status, myself(&heir.client).await.status), (200, 200));
    let old = uma.get(&path(&key)).await;
    assert!(old.body["key"]["rotated_at"].is_string());
    // What is being replaced cannot be made to live on.
    assert_eq!(patch(&uma, &path(&key), &json!({"expires_in": "20d"})).await.field(), "expires_in");
    until("the overlap ends", Duration::from_secs(4), async || {
        myself(&key.client).await.refusal() == (401, "key_expired")
    })
    .await;
    assert_eq!(myself(&heir.client).await.status, 200);
    // Without a body; and at once.
    let third = made(&uma, &uma.send(Method::POST, &rotate(&heir), &[], None).await);
    assert_eq!(myself(&heir.client).await.status, 200);
    let fourth = made(&uma, &uma.post(&rotate(&third), &json!({"overlap": "0s"})).await);
    assert_eq!(myself(&third.client).await.refusal(), (401, "key_expired"));
    assert_eq!(delete(&uma, &path(&fourth)).await.status, 204);
    assert_eq!(uma.post(&rotate(&fourth), &json!({})).await.refusal(), (409, "conflict"));
    world.end().await;
}

async fn what_changes_of_a_key(backend: Backend) {
    let class = RateClass { per_second: NonZeroU32::MAX, per_minute: NonZeroU32::MAX };
    let world = configured(backend, |config| {
        config.identity.key_rate_classes = [("fast".to_owned(), class)].into();
        config.identity.allow_unending_keys = true;
    })
    .await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"], "expires_in": null})).await;
    assert_eq!(key.key["expires_at"], json!(null));
    assert_eq!(myself(&key.client).await.body["scopes"], json!(["data.read"]));
    let change = json!({
        "name": "kk", "scopes": ["data.insert", "account.read"], "addresses": ["10.0.0.1"],
        "origins": ["https://a.com"], "rate_class": "fast", "expires_in": "1d",
    });
    let changed = patch(&uma, &path(&key), &change).await;
    let expected = json!({
        "name": "kk", "scopes": ["data.insert", "account.read"], "addresses": ["10.0.0.1/32"],
        "origins": ["https://a.com"], "rate_class": "fast",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&changed.body["key"][field], value, "{}", changed.text);
    }
    assert!(changed.body["key"]["expires_at"].is_string());
    // In force at once.
    assert_eq!(myself(&key.client).await.refusal(), (403, "address_not_allowed"));
    let back = json!({"addresses": [], "origins": [], "rate_class": null, "expires_in": null});
    let back = patch(&uma, &path(&key), &back).await;
    assert_eq!((&back.body["key"]["rate_class"], &back.body["key"]["expires_at"]), (&json!(null), &json!(null)));
    assert_eq!(myself(&key.client).await.body["scopes"], json!(["data.insert", "account.read"]));
    assert_eq!(patch(&uma, &path(&key), &json!({})).await.body["key"]["name"], "kk");
    assert_eq!(
        patch(&uma, &path(&key), &json!({"scopes": ["users.manage"]})).await.refusal(),
        (403, "ability_missing")
    );
    assert_eq!(patch(&uma, &path(&key), &json!({"kind": "sk"})).await.refusal(), (400, "field_unknown"));
    assert_eq!(delete(&uma, &path(&key)).await.status, 204);
    assert_eq!(patch(&uma, &path(&key), &json!({"name": "x"})).await.refusal(), (409, "conflict"));
    world.end().await;
}

async fn wrong_requests_name_their_field(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let with = |field: &str, value: Json| {
        let mut body = json!({"kind": "sk", "name": "k", "scopes": ["data.read"]});
        body[field] = value;
        body
    };
    for (body, refusal, field) in [
        (json!({"name": "k", "scopes": ["data.read"]}), (400, "field_missing"), "kind"),
        (with("kind", json!("xk")), (400, "field_invalid"), "kind"),
        (with("name", json!("")), (400, "field_invalid"), "name"),
        (with("name", json!("a\u{0}")), (400, "field_invalid"), "name"),
        (with("scopes", json!([])), (400, "field_invalid"), "scopes"),
        (with("scopes", json!(["*"])), (400, "field_invalid"), "scopes[0]"),
        (with("scopes", json!(["reload"])), (403, "ability_missing"), "scopes[0]"),
        (with("group", json!("administrators")), (403, "power_too_low"), "group"),
        (with("group", json!("nobody")), (400, "field_invalid"), "group"),
        (with("addresses", json!(["10.0.0.0/33"])), (400, "field_invalid"), "addresses[0]"),
        (with("origins", json!(["https://a.com"])), (400, "field_invalid"), "origins"),
        (with("rate_class", json!("fast")), (400, "field_invalid"), "rate_class"),
        (with("expires_in", json!("0s")), (400, "field_invalid"), "expires_in"),
        (with("expires_in", json!("10y")), (400, "field_invalid"), "expires_in"),
        (with("expires_in", json!("367d")), (400, "field_invalid"), "expires_in"),
        (with("expires_in", json!("99999999999d")), (400, "field_invalid"), "expires_in"),
        (with("expires_in", json!(null)), (400, "field_invalid"), "expires_in"),
        (with("color", json!(1)), (400, "field_unknown"), "color"),
        (json!({"kind": "pk", "name": "k", "scopes": ["account.read"]}), (400, "field_invalid"), "scopes[0]"),
        (
            json!({"kind": "pat", "name": "k", "scopes": ["data.read"], "group": "users"}),
            (400, "field_invalid"),
            "group",
        ),
    ] {
        let answer = uma.post("/auth/keys", &body).await;
        assert_eq!((answer.refusal(), answer.field()), (refusal, field), "{body}: {}", answer.text);
    }
    let invalid = "field_invalid";
    for (query, reason, field) in [
        ("limit=x", invalid, "limit"),
        ("all=maybe", invalid, "all"),
        ("color=1", "field_unknown", "color"),
        ("offset=-1", invalid, "offset"),
    ] {
        let answer = uma.get(&format!("/auth/keys?{query}")).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, reason), field), "{query}");
    }
    assert_eq!(uma.get("/auth/keys?offset=18446744073709551615&limit=0").await.status, 200);
    for id in ["x", "..%2f", "%00", "'; DROP TABLE _api_keys; --", &"a".repeat(5_000)] {
        let answer = uma.get(&format!("/auth/keys/{id}")).await;
        assert!(matches!(answer.status, 400 | 404), "{id}: {}", answer.text);
    }
    let nobody = world.user("nobody", "anonymous").await;
    assert_eq!(nobody.get("/auth/keys").await.refusal(), (403, "ability_missing"));
    world.end().await;
}

async fn use_is_written_once_a_minute(backend: Backend) {
    let world = configured(backend, |config| {
        config.identity.session_flush_interval = Span(Duration::from_millis(100));
    })
    .await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    assert_eq!(uma.get(&path(&key)).await.body["key"]["last_used_at"], json!(null));
    assert_eq!(myself(&key.client).await.status, 200);
    let used = async || uma.get(&path(&key)).await.body["key"]["last_used_at"].clone();
    until("the use is written", Duration::from_secs(5), async || used().await.is_string()).await;
    let first = used().await;
    // Read anew and used again some seconds later, which is within the minute.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        assert_eq!(myself(&key.client).await.status, 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(used().await, first);
    world.end().await;
}

async fn a_rate_class_limits_a_key(backend: Backend) {
    let count = |number: u32| NonZeroU32::new(number).unwrap();
    let class = RateClass { per_second: count(1_000), per_minute: count(5) };
    let world =
        configured(backend, |config| config.identity.key_rate_classes = [("slow".to_owned(), class)].into()).await;
    let uma = world.user("uma", "users").await;
    let body = json!({"kind": "pat", "name": "k", "scopes": ["data.read"], "rate_class": "slow"});
    let (one, two) = (make(&uma, &body).await, make(&uma, &body).await);
    let free = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    for _ in 0..5 {
        assert_eq!(myself(&one.client).await.status, 200);
    }
    let refused = myself(&one.client).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], refused.body["retry_after"].to_string());
    for _ in 0..6 {
        assert_eq!(myself(&free.client).await.status, 200);
    }
    assert_eq!(myself(&two.client).await.status, 200);
    world.end().await;
}

async fn a_key_is_of_one_tenant(backend: Backend) {
    let world = world(backend).await;
    let other = world.another_tenant().await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "sk", "name": "k", "scopes": ["data.read"]})).await;
    let theirs = world.user_of(&other, "uma", "users").await;
    let their_key = make(&theirs, &json!({"kind": "sk", "name": "k", "scopes": ["data.read"]})).await;
    let mismatch = (403, "tenant_mismatch");
    assert_eq!(myself(&world.at(&other).with_token(&key.secret)).await.refusal(), mismatch);
    assert_eq!(myself(&world.at(&world.tenant).with_token(&their_key.secret)).await.refusal(), mismatch);
    // At a direct address the key leads to its tenant.
    for (secret, id) in [(&key.secret, &key.id), (&their_key.secret, &their_key.id)] {
        assert_eq!(myself(&world.anonymous().with_token(secret)).await.body["id"], json!(id));
    }
    assert_eq!(theirs.get(&path(&key)).await.refusal(), (404, "not_found"));
    assert_eq!(delete(&theirs, &path(&key)).await.refusal(), (404, "not_found"));
    world.end().await;
}

async fn administrators_see_and_revoke(backend: Backend) {
    let world = world(backend).await;
    let ada = world.user("ada", "administrators").await;
    let uma = world.user("uma", "users").await;
    let keeper = GroupChange {
        name: "keepers".into(),
        power: Some(20),
        abilities: Some(vec!["keys.admin".into()]),
        ..GroupChange::default()
    };
    world.change_group(keeper).await;
    let kim = world.user("kim", "keepers").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    let mighty = make(&ada, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    assert_eq!(uma.get("/auth/keys?all=true").await.refusal(), (403, "ability_missing"));
    assert_eq!(ada.get("/auth/keys").await.body["keys"].as_array().unwrap().len(), 1);
    let all = kim.get("/auth/keys?all=true").await;
    assert_eq!(all.body["keys"].as_array().unwrap().len(), 2);
    assert_eq!(kim.get("/auth/keys?all=true&limit=1&offset=1").await.body["keys"][0]["id"], all.body["keys"][1]["id"]);
    assert_eq!(kim.get(&path(&key)).await.body["key"]["username"], "uma");
    // But not those of whoever has more power.
    assert_eq!(delete(&kim, &path(&mighty)).await.refusal(), (403, "power_too_low"));
    assert_eq!(delete(&kim, &path(&key)).await.status, 204);
    assert_eq!(myself(&key.client).await.refusal(), (401, "key_revoked"));
    // The same with a key that has the scope alone.
    let by = make(&kim, &json!({"kind": "pat", "name": "k", "scopes": ["keys.admin"]})).await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    assert_eq!(by.client.get("/auth/keys").await.refusal(), (403, "scope_missing"));
    assert_eq!(delete(&by.client, &path(&key)).await.status, 204);
    world.end().await;
}

async fn a_group_goes_and_its_keys_with_it(backend: Backend) {
    let world = world(backend).await;
    let ada = world.user("ada", "administrators").await;
    let robots = GroupChange { name: "robots".into(), power: Some(5), ..GroupChange::default() };
    world.change_group(robots).await;
    let body = json!({"kind": "sk", "name": "k", "scopes": ["data.read"], "group": "robots"});
    let (live, revoked) = (make(&ada, &body).await, make(&ada, &body).await);
    assert_eq!(delete(&ada, &path(&revoked)).await.status, 204);
    assert_eq!(myself(&live.client).await.body["group"], "robots");
    let open = world.open(&world.tenant).await;
    world.server.installation().features.identity.remove_group(&open, &Actor::operator(), "robots").await.unwrap();
    // A key without its group does not act as its maker.
    assert_eq!(myself(&live.client).await.refusal(), (401, "key_revoked"));
    assert_eq!(ada.post(&format!("{}/rotate", path(&live)), &json!({})).await.refusal(), (409, "conflict"));
    assert_eq!(patch(&ada, &path(&live), &json!({"scopes": ["data.read"]})).await.refusal(), (409, "conflict"));
    assert_eq!(ada.get(&path(&live)).await.body["key"]["group"], json!(null));
    world.end().await;
}

async fn a_user_has_a_hundred_keys(backend: Backend) {
    let world = world(backend).await;
    let uma = world.user("uma", "users").await;
    let body = json!({"kind": "pat", "name": "k", "scopes": ["data.read"]});
    let mut keys = Vec::new();
    for _ in 0..98 {
        keys.push(make(&uma, &body).await);
    }
    // Of many at once only as many get one as there is room for.
    let at_once: Vec<_> = (0..6)
        .map(|_| {
            let (uma, body) = (uma.clone(), body.clone());
            tokio::spawn(async move { uma.post("/auth/keys", &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in at_once {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409, 409, 409]);
    assert_eq!(uma.post(&format!("{}/rotate", path(&keys[0])), &json!({})).await.status, 201);
    assert_eq!(delete(&uma, &path(&keys[1])).await.status, 204);
    assert_eq!(uma.post("/auth/keys", &body).await.refusal(), (409, "conflict"));
    assert_eq!(delete(&uma, &path(&keys[2])).await.status, 204);
    assert_eq!(uma.post("/auth/keys", &body).await.status, 201);
    world.end().await;
}

/// What is revoked on one node is revoked on the other within five seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_on_one_node_is_revoked_on_the_other() {
    let postgres = OwnPostgres::new().await;
    let (master, url) = (Secret::new(SealingKey::generate().to_text()), Secret::new(&postgres.url));
    let shared = move |config: &mut Config| {
        (config.store.control, config.store.database) = (url.clone(), url);
        config.master_key = Some(master);
    };
    let world = configured(Backend::Postgres, shared).await;
    let data = tempfile::tempdir().unwrap();
    let config = Config { data: data.path().to_owned(), ..world.server.installation().config.clone() };
    let second = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    let there = Client::of(second.url()).at_host(host).with_token(&key.secret);
    assert_eq!((myself(&key.client).await.status, myself(&there).await.status), (200, 200));
    assert_eq!(delete(&uma, &path(&key)).await.status, 204);
    assert_eq!(myself(&key.client).await.refusal(), (401, "key_revoked"));
    until("it bites on the other node", Duration::from_secs(5), async || {
        myself(&there).await.refusal() == (401, "key_revoked")
    })
    .await;
    second.stop().await.unwrap();
    world.end().await;
    postgres.end().await;
}

/// What was read of a key is believed for a moment, and a slip of the hand needs nobody to be asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_a_key_is_believed_and_a_slip_refused() {
    let postgres = OwnPostgres::new().await;
    let url = Secret::new(&postgres.url);
    let world = configured(Backend::Postgres, |config| config.store.database = url).await;
    let uma = world.user("uma", "users").await;
    let key = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    let unused = make(&uma, &json!({"kind": "pat", "name": "k", "scopes": ["data.read"]})).await;
    // Whoever may come in is told that there is nothing; no database is asked for that.
    let ask = async |secret: &str| uma.with_token(secret).get("/nothing").await;
    assert_eq!(ask(&key.secret).await.refusal(), (404, "route_not_found"));
    postgres.end().await;
    assert_eq!(ask(&key.secret).await.refusal(), (404, "route_not_found"));
    assert_eq!(ask(&unused.secret).await.status, 503);
    let slip = format!("{}{}", &key.secret[..key.secret.len() - 1], if key.secret.ends_with('0') { '1' } else { '0' });
    assert_eq!(ask(&slip).await.refusal(), (401, "key_invalid"));
    until("the key is doubted", Duration::from_secs(5), async || ask(&key.secret).await.status == 503).await;
    assert_eq!(ask(&slip).await.refusal(), (401, "key_invalid"));
    world.server.stop().await.unwrap();
}
