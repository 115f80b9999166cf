//! Who has which place: by the group, by the table of groups, by the power.

use insula_tests::{Backend, Client, on_all_databases};
use serde_json::json;

use crate::stage::{TABLES, kit, toolkit};

on_all_databases!(
    the_database_comes_before_the_file_and_the_power_last,
    groups_come_from_a_table_of_the_tenant,
    rules_of_places_add_to_those_of_the_group,
    another_process_knows_within_seconds
);

const PLACES: &str = r#"
name = "kit"
tables = ["items", "log"]
[groups.readers]
permissions = ["items:r"]
endpoint_permissions = ["read", "note"]
[groups.writers]
permissions = ["items:rw"]
column_rules = ["items.price:block"]
endpoint_permissions = ["*"]
[associations]
moderators = "readers"
[db_fallback_permissions.20]
endpoint_permissions = ["read"]
[db_fallback_permissions.90]
basic_rules = ["log:r"]
endpoint_permissions = ["read", "write"]
[[endpoints]]
path = "read"
type = "internal"
rights = "toolkit"
pseudo_querys = ["count"]
answer = "count"
[[endpoints]]
path = "write"
type = "internal"
rights = "toolkit"
pseudo_querys = ["count"]
answer = "count"
[pseudo_querys.count]
action = "count"
table = "items"
"#;

/// Which of the two endpoints a caller may call.
async fn may(client: &Client) -> Vec<&'static str> {
    let mut may = Vec::new();
    for path in ["read", "write"] {
        let answer = client.post(&format!("/tk/app/kit/{path}"), &json!({})).await;
        match answer.refusal() {
            (200, _) => may.push(path),
            refusal => assert_eq!(refusal, (403, "endpoint_denied"), "{path}"),
        }
    }
    may
}

fn place(permissions: &insula_tests::Answer) -> &str {
    permissions.body["toolkits"]["kit"]["group"].as_str().unwrap_or("none")
}

async fn the_database_comes_before_the_file_and_the_power_last(backend: Backend) {
    let world = kit(backend, PLACES).await;
    let user = async |name: &str, group: &str| world.user(name, group).await;
    let (users, publishers) = (user("uma", "users").await, user("paul", "publishers").await);
    let (moderators, root) = (user("mona", "moderators").await, user("root", "administrators").await);
    let expect = async |client: &Client, group: &str, paths: &[&str]| {
        assert_eq!((place(&client.get("/permissions").await), may(client).await), (group, paths.to_vec()));
    };
    expect(&users, "none", &[]).await;
    expect(&publishers, "power:20", &["read"]).await;
    expect(&moderators, "readers", &["read"]).await;
    expect(&root, "power:90", &["read", "write"]).await;
    let associate = async |group: &str, to: &str| {
        let path = format!("/admin/toolkits/kit/associations/{group}");
        root.send(
            reqwest::Method::PUT,
            &path,
            &[("content-type", "application/json")],
            Some(json!({"toolkit_group": to}).to_string().into()),
        )
        .await
    };
    for group in ["moderators", "users"] {
        assert_eq!(associate(group, "writers").await.status, 200);
    }
    expect(&moderators, "writers", &["read", "write"]).await;
    expect(&users, "writers", &["read", "write"]).await;
    let gone = root.send(reqwest::Method::DELETE, "/admin/toolkits/kit/associations/moderators", &[], None).await;
    assert_eq!(gone.body["remaining"], json!({"group": "moderators", "place": "readers"}));
    expect(&moderators, "readers", &["read"]).await;
    // Rights by power are for whoever has no other place; they do not add to one.
    assert_eq!(associate("administrators", "readers").await.status, 200);
    expect(&root, "readers", &["read"]).await;
    // Who is removed with its group leaves nothing behind.
    let made = root.post("/admin/groups", &json!({"name": "guests", "power": 5})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(associate("guests", "readers").await.status, 200);
    assert_eq!(root.send(reqwest::Method::DELETE, "/admin/groups/guests", &[], None).await.status, 204);
    world.end().await;
}

async fn groups_come_from_a_table_of_the_tenant(backend: Backend) {
    let text = PLACES.replace("[groups.readers]", "groups_table = \"kit_groups\"\n[groups.readers]");
    let world = kit(backend, &text).await;
    let (root, mona) = (world.user("root", "administrators").await, world.user("mona", "moderators").await);
    // As long as there is no such table the groups of the file are in force.
    assert_eq!((place(&mona.get("/permissions").await), may(&mona).await), ("readers", vec!["read"]));
    world.tables("CREATE TABLE kit_groups (id SERIAL, name VARCHAR(40) NOT NULL, permissions JSON, endpoint_permissions JSON, column_rules JSON)").await;
    let insert = async |data: serde_json::Value| {
        root.query(json!({"action": "insert", "table": "kit_groups", "data": data})).await.data();
    };
    insert(json!({"name": "readers", "permissions": ["items:rw"], "endpoint_permissions": ["wri*"], "column_rules": ["items.price:block"]})).await;
    insert(json!({"name": "broken", "permissions": ["_users:r"], "endpoint_permissions": ["*"]})).await;
    insert(json!({"name": "odd", "permissions": {"items": "rw"}, "endpoint_permissions": ["*"]})).await;
    root.post("/reload", &json!({})).await;
    assert_eq!(may(&mona).await, ["write"]);
    let made = mona.query(json!({"action": "insert", "table": "items", "data": {"name": "saw", "price": 5}})).await;
    assert_eq!(made.body["warning"], "columns stripped: price", "{}", made.text);
    // Whoever could write it could give himself anything.
    world
        .change_group(identity::GroupChange {
            name: "moderators".into(),
            basic_rules: Some(vec!["*:rwa".into(), "kit_groups:rwa".into()]),
            power: Some(99),
            ..identity::GroupChange::default()
        })
        .await;
    let own =
        json!({"action": "insert", "table": "kit_groups", "data": {"name": "own", "endpoint_permissions": ["*"]}});
    for text in [text.replace("tables =", "enabled = false\ntables ="), text] {
        assert_eq!(mona.query(own.clone()).await.refusal(), (403, "table_denied"));
        toolkit(&world, "kit", &text);
        assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    }
    // A name that is there twice gives nothing: nobody can tell which one is meant.
    insert(json!({"name": "twice", "permissions": ["items:r"], "endpoint_permissions": ["*"]})).await;
    insert(json!({"name": "twice", "permissions": ["items:rw"], "endpoint_permissions": ["*"]})).await;
    root.post("/reload", &json!({})).await;
    // A row that cannot be read gives nothing, and takes nothing else with it.
    let listed = root.get("/admin/toolkits").await;
    let names: Vec<_> =
        listed.body["toolkits"][0]["groups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect();
    assert_eq!(names, ["readers"], "{}", listed.text);
    world.end().await;
}

async fn rules_of_places_add_to_those_of_the_group(backend: Backend) {
    let world =
        kit(backend, &PLACES.replace("moderators = \"readers\"", "users = \"writers\"\nmoderators = \"readers\""))
            .await;
    toolkit(
        &world,
        "other",
        &PLACES
            .replace("\"kit\"", "\"other\"")
            .replace("items:r\"", "items:rwo\"")
            .replace("moderators = \"readers\"", "users = \"readers\""),
    );
    let uma = world.user("uma", "users").await;
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "saw", "price": 5}});
    let made = uma.query(insert).await;
    assert_eq!(made.body["warning"], "columns stripped: price", "{}", made.text);
    let permissions = uma.get("/permissions").await;
    assert_eq!(permissions.body["toolkits"]["kit"]["permissions"], json!({"items": "rw"}));
    assert_eq!(permissions.body["toolkits"]["kit"]["column_rules"], json!({"items.price": "block"}));
    assert_eq!(permissions.body["toolkits"]["other"]["permissions"], json!({"items": "rwo"}));
    // A toolkit that is switched off gives nothing.
    toolkit(&world, "kit", &PLACES.replace("tables =", "enabled = false\ntables ="));
    let root = world.user("root", "administrators").await;
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    let query = json!({"action": "insert", "table": "items", "data": {"name": "axe", "price": 5}});
    uma.query(query).await.data();
    let stolen = json!({"action": "update", "table": "items", "data": {"name": "x"}, "where": {"name": "saw"}});
    assert_eq!(uma.query(stolen).await.body["rows_affected"], 1, "it is uma's own, by the other toolkit");
    assert_eq!(root.post("/tk/app/kit/read", &json!({})).await.refusal(), (404, "toolkit_unknown"));
    world.end().await;
}

/// The second server is the same program on the same data folder.
async fn another_process_knows_within_seconds(backend: Backend) {
    let program = insula_tests::Program::initialised(backend);
    program.tables(TABLES);
    program.user(&program.tenant, "uma", "users");
    program.file(&format!("data/tenants/{}/toolkits/kit.toml", program.tenant), PLACES);
    let server = program.serve().await;
    let uma = server.user(&program.tenant, "uma").await;
    assert_eq!(may(&uma).await, Vec::<&str>::new());
    program.ok(&["toolkit", "associate", "kit", "users", "readers"]);
    insula_tests::until("the association is known", std::time::Duration::from_secs(6), async || {
        may(&uma).await == ["read"]
    })
    .await;
    program.ok(&["toolkit", "dissociate", "kit", "users"]);
    insula_tests::until("the association is gone", std::time::Duration::from_secs(6), async || {
        may(&uma).await.is_empty()
    })
    .await;
    drop(server);
    program.end();
}
