//! Files with mistakes: at the first request, and at a reload.

use std::time::{Duration, Instant};

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::stage::{OPEN, kit, toolkit};

on_all_databases!(
    a_broken_file_takes_down_nobody_else,
    a_reload_is_all_or_nothing,
    what_the_database_lacks_is_a_mistake,
    a_reload_is_quick_and_of_one_tenant
);

const COUNT: &str = "[[endpoints]]\npath = \"count\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"count\"]\nanswer = \"count\"\n\
                     [pseudo_querys.count]\naction = \"count\"\ntable = \"items\"\n";

/// Some ways to be wrong, each with the line and the words that it is told with.
const WRONG: [(&str, &str); 11] = [
    (
        "name = \"t0\"\n[endpoints.0]\npath = \"a\"\ntype = \"internal\"\n",
        "toolkits/t0.toml line 2: endpoints.0.pseudo_querys: ",
    ),
    ("name = \"t1\"\ntabels = []\n", "toolkits/t1.toml line 2: tabels: there is no such key; did you mean `tables`?"),
    ("name = \"other\"\n", "toolkits/t2.toml line 1: name: the name must be that of the file"),
    (
        "name = \"t3\"\nread_only_tables = [\"others\"]\n",
        "toolkits/t3.toml line 2: read_only_tables[0]: others is not among",
    ),
    (
        "name = \"t4\"\ntables = [\"items\"]\n[groups.a]\npermissions = [\"items:rx\"]\n",
        "toolkits/t4.toml line 4: groups.a.permissions[0]: ",
    ),
    (
        "name = \"t5\"\n[endpoints.0]\npath = \"a\"\ntype = \"http\"\nurl = \"ftp://a/\"\n",
        "toolkits/t5.toml line 5: endpoints.0.url: ",
    ),
    (
        "name = \"t6\"\n[endpoints.0]\npath = \"a\"\ntype = \"executable\"\ncommand = [\"sh\"]\n",
        "toolkits/t6.toml line 5: endpoints.0.command: ",
    ),
    (
        "name = \"t7\"\n[scheduled_queries.a]\ncron = \"often\"\npseudo_querys = []\n",
        "toolkits/t7.toml line 3: scheduled_queries.a.cron: ",
    ),
    (
        "name = \"t8\"\ntables = [\"items\"]\n[pseudo_querys.a]\naction = \"delete\"\ntable = \"items\"\n",
        "toolkits/t8.toml line 3: pseudo_querys.a.where: ",
    ),
    ("name = \"t9\"\n[x", "toolkits/t9.toml line 2: this is not TOML"),
    (
        "name = \"t10\"\ntables = [\"items\"]\n[pseudo_querys.a]\naction = \"count\"\ntable = \"items\"\n[endpoints.0]\npath = \"a\"\n\
         type = \"http\"\nurl = \"http://a/\"\nmethod = \"GET\"\ninject_db_context = [\"a\"]\n",
        "toolkits/t10.toml line 11: endpoints.0.inject_db_context: a service that is called with GET or HEAD gets no context",
    ),
];

async fn a_broken_file_takes_down_nobody_else(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{COUNT}")).await;
    for (number, (text, _)) in WRONG.iter().enumerate() {
        toolkit(&world, &format!("t{number}"), text);
    }
    // What protects is in force all the same, as far as it can be read.
    let broken = "name = \"guard\"\ntables = [\"log\", \"items\"]\nread_only_tables = [\"log\"]\n\
                  write_protected_columns = [\"items.price\"]\nread_only_override_power = 0\nno_such_key = 1\n[db_fallback_permissions.10]\npermissions = [\"items:rw\"]\n[groups";
    toolkit(&world, "guard", broken);
    world.group("users", &["log:rw", "items:rw"], &[]).await;
    let (root, uma) = (world.user("root", "administrators").await, world.user("uma", "users").await);
    assert_eq!(uma.post("/tk/app/kit/count", &json!({})).await.data(), &json!(0));
    assert_eq!(uma.post("/tk/app/t0/a", &json!({})).await.refusal(), (404, "toolkit_unknown"));
    let write = json!({"action": "insert", "table": "log", "data": {"what": "x"}});
    assert_eq!(uma.query(write).await.refusal(), (403, "table_denied"));
    let made = uma.query(json!({"action": "insert", "table": "items", "data": {"name": "saw", "price": 1}})).await;
    assert_eq!(made.body["warning"], "columns stripped: price", "{}", made.text);
    let listed = root.get("/admin/toolkits").await;
    let broken = listed.body["broken"].as_array().unwrap();
    assert_eq!(broken.len(), WRONG.len() + 1, "{}", listed.text);
    for (number, (_, told)) in WRONG.iter().enumerate() {
        let entry = broken.iter().find(|broken| broken["toolkit"] == format!("t{number}")).unwrap();
        let mistakes = entry["mistakes"].as_array().unwrap();
        assert!(mistakes.iter().any(|mistake| mistake.as_str().unwrap().starts_with(told)), "{told} in {mistakes:#?}");
    }
    world.end().await;
}

async fn a_reload_is_all_or_nothing(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{COUNT}")).await;
    let root = world.user("root", "administrators").await;
    assert_eq!(root.post("/tk/app/kit/count", &json!({})).await.status, 200);
    toolkit(&world, "new", &format!("{OPEN}{COUNT}").replace("\"kit\"", "\"new\""));
    toolkit(&world, "kit", &format!("{OPEN}{COUNT}").replace("path = \"count\"", "path = \"number\""));
    for (number, (text, told)) in WRONG.iter().enumerate() {
        let file = world.tenant.folder.join(format!("toolkits/t{number}.toml"));
        toolkit(&world, &format!("t{number}"), text);
        let refused = root.post("/reload", &json!({})).await;
        assert_eq!(refused.refusal(), (500, "reload_failed"));
        assert!(refused.body["error"].as_str().unwrap().contains(told), "{told}: {}", refused.text);
        std::fs::remove_file(file).unwrap();
        assert_eq!(root.post("/tk/app/kit/count", &json!({})).await.status, 200, "the old is in force");
        assert_eq!(root.post("/tk/app/new/count", &json!({})).await.refusal(), (404, "toolkit_unknown"));
    }
    // A mistake of another room leaves these in force too.
    world.rules("[[rules]]\n");
    assert_eq!(root.post("/reload", &json!({})).await.refusal(), (500, "reload_failed"));
    assert_eq!(root.post("/tk/app/new/count", &json!({})).await.refusal(), (404, "toolkit_unknown"));
    world.rules("");
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(root.post("/tk/app/new/count", &json!({})).await.status, 200);
    assert_eq!(root.post("/tk/app/kit/count", &json!({})).await.refusal(), (404, "endpoint_unknown"));
    assert_eq!(root.post("/tk/app/kit/number", &json!({})).await.status, 200);
    // Two toolkits that fill in one column differently cannot both be right.
    let fills = "[auto_generation.items.status]\nkind = \"now\"\n";
    for name in ["kit", "new"] {
        toolkit(&world, name, &format!("{OPEN}{fills}{COUNT}").replace("\"kit\"", &format!("\"{name}\"")));
    }
    let refused = root.post("/reload", &json!({})).await;
    assert!(
        refused.body["error"].as_str().unwrap().contains("another toolkit fills in this column"),
        "{}",
        refused.text
    );
    world.end().await;
}

/// Tables and columns that the database does not have, each with what it is told with.
const LACKING: [(&str, &str); 4] = [
    (
        "[auto_generation.items]\nstatsu = { kind = \"now\" }\n",
        "toolkits/kit.toml line 6: auto_generation.items.statsu: the table items has no column statsu; did you mean `status`?",
    ),
    (
        "[auto_generation.assets]\ntag = { kind = \"now\" }\n",
        "toolkits/kit.toml line 6: auto_generation.assets.tag: the database has no table assets; ",
    ),
    ("", "toolkits/kit.toml line 3: read_only_tables[0]: the database has no table assets; "),
    (
        "",
        "toolkits/kit.toml line 3: write_protected_columns[1]: the table items has no column prize; did you mean `price`?",
    ),
];

async fn what_the_database_lacks_is_a_mistake(backend: Backend) {
    let text = |rest: &str| format!("{OPEN}{rest}{COUNT}").replace("\"log\"]", "\"log\", \"assets\"]");
    let world = kit(backend, &text(LACKING[0].0)).await;
    let root = world.user("root", "administrators").await;
    // At the first request it is left out, and nothing else fails because of it.
    let made = root.query(json!({"action": "insert", "table": "items", "data": {"name": "saw"}})).await;
    assert_eq!((made.status, made.body.get("generated")), (200, None), "{}", made.text);
    for (number, (rest, told)) in LACKING.iter().enumerate() {
        let mut text = text(rest);
        for (at, line) in [
            (2, "read_only_tables = [\"assets\"]"),
            (3, "write_protected_columns = [\"items.price\", \"items.prize\"]"),
        ] {
            if at == number {
                // Also where it is switched off.
                text = text.replace("\n[db_fall", &format!("\n{line}\nenabled = false\n[db_fall"));
            }
        }
        toolkit(&world, "kit", &text);
        let refused = root.post("/reload", &json!({})).await;
        assert_eq!(refused.refusal(), (500, "reload_failed"), "{told}");
        assert!(refused.body["error"].as_str().unwrap().contains(told), "{told}: {}", refused.text);
        let checked = world.server.installation().features.toolkits.check(&world.tenant).await.unwrap();
        assert!(checked.iter().any(|mistake| mistake.to_string().starts_with(told)), "{told}: {checked:?}");
    }
    // Once the database has it, it is in force.
    toolkit(&world, "kit", &text(LACKING[1].0));
    world.tables("CREATE TABLE assets (id SERIAL, name VARCHAR(40), tag VARCHAR(40))").await;
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    let made = root.query(json!({"action": "insert", "table": "assets", "data": {"name": "saw"}})).await;
    assert!(made.body["generated"]["tag"].is_string(), "{}", made.text);
    world.end().await;
}

async fn a_reload_is_quick_and_of_one_tenant(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{COUNT}")).await;
    for number in 0..10 {
        toolkit(
            &world,
            &format!("kit{number}"),
            &format!("{OPEN}{COUNT}").replace("\"kit\"", &format!("\"kit{number}\"")),
        );
    }
    let other = world.another_tenant().await;
    std::fs::create_dir_all(other.folder.join("toolkits")).unwrap();
    std::fs::write(other.folder.join("toolkits/kit.toml"), "name = \"kit\"\n[").unwrap();
    let root = world.user("root", "administrators").await;
    assert_eq!(root.post("/reload", &json!({})).await.status, 200, "mistakes of other tenants are theirs");
    // The files alone: what a catalogue costs is for the database to say. The quickest of some, for a busy machine.
    let toolkits = &world.server.installation().features.toolkits;
    let mut quickest = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(toolkits.check(&world.tenant).await.unwrap(), []);
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_millis(20), "eleven files took {quickest:?}");
    world.end().await;
}
