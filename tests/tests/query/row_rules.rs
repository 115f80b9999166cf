//! Row rules: which rows, in the filter language.

use insula_tests::{Backend, Client, World, on_all_databases};
use serde_json::{Value as Json, json};

on_all_databases!(
    a_chat_with_rooms,
    a_rule_narrows_a_code,
    columns_and_forced_values,
    a_broken_rule_leaves_the_old_ones
);

const TABLES: &str = "CREATE TABLE rooms (id SERIAL, name VARCHAR(40)); \
    CREATE TABLE room_members (room BIGINT, member BIGINT, PRIMARY KEY (room, member)); \
    CREATE TABLE messages (id SERIAL, room BIGINT NOT NULL, author BIGINT, body VARCHAR(200), state VARCHAR(10) DEFAULT 'new')";

const CHAT: &str = r#"
[[rules]]
table = "messages"
groups = ["users"]
actions = ["select", "insert", "update"]
when = { exists = { table = "room_members", where = { room = "$row.room", member = "$principal.id" } } }
set = { author = "$principal.id" }

[[rules]]
table = "messages"
groups = ["users"]
actions = ["delete"]
when = { column = "author", op = "=", value = "$principal.id" }
"#;

async fn chat(backend: Backend, rules: &str) -> (World, Client, Client) {
    let world = World::new(backend).await;
    world.tables(TABLES).await;
    world.rules(rules);
    let (uma, otto) = (world.user("uma", "users").await, world.user("otto", "users").await);
    let admin = world.user("root", "administrators").await;
    for (room, member) in [(1, 1), (2, 1), (2, 2)] {
        let data = json!({"room": room, "member": member});
        admin.query(json!({"action": "insert", "table": "room_members", "data": data})).await.data();
    }
    (world, uma, otto)
}

async fn say(client: &Client, room: i64, body: &str) -> insula_tests::Answer {
    client
        .query(json!({"action": "insert", "table": "messages", "data": {"room": room, "body": body, "author": 99}}))
        .await
}

async fn bodies(client: &Client) -> Vec<Json> {
    let query = json!({"action": "select", "table": "messages", "order_by": [{"column": "id"}]});
    crate::column(client.query(query).await.data(), "body")
}

async fn a_chat_with_rooms(backend: Backend) {
    let (world, uma, otto) = chat(backend, CHAT).await;
    say(&uma, 1, "alone").await.data();
    say(&uma, 2, "hello").await.data();
    say(&otto, 2, "hi").await.data();
    let refused = say(&otto, 1, "let me in").await;
    assert_eq!(refused.refusal(), (403, "rule_denied"));
    assert_eq!(bodies(&uma).await, ["alone", "hello", "hi"]);
    assert_eq!(bodies(&otto).await, ["hello", "hi"]);
    let authors =
        json!({"action": "select", "table": "messages", "columns": ["author"], "order_by": [{"column": "id"}]});
    assert_eq!(crate::column(uma.query(authors).await.data(), "author"), [1, 1, 2], "the author is forced");
    // A message cannot be moved into a room that the mover is not in.
    let moved = json!({"action": "update", "table": "messages", "data": {"room": 1}, "where": {"body": "hi"}});
    assert_eq!(otto.query(moved).await.refusal(), (403, "rule_denied"));
    let hidden = json!({"action": "update", "table": "messages", "data": {"body": "x"}, "where": {"body": "alone"}});
    assert_eq!(otto.query(hidden).await.body["rows_affected"], 0, "rows out of reach do not exist");
    let foreign = json!({"action": "delete", "table": "messages", "where": {"body": "hello"}});
    assert_eq!(otto.query(foreign.clone()).await.body["rows_affected"], 0);
    assert_eq!(uma.query(foreign).await.body["rows_affected"], 1);
    assert_eq!(otto.query(json!({"action": "count", "table": "messages"})).await.data(), 1);
    let batch = json!({"action": "insert", "table": "messages", "rollback_on_error": true, "queries": [
        {"data": {"room": 2, "body": "fine"}}, {"data": {"room": 1, "body": "not fine"}},
    ]});
    let answer = otto.query(batch).await;
    assert_eq!(answer.body["results"][1]["reason"], "rule_denied");
    assert_eq!(bodies(&otto).await, ["hi"], "half a batch was kept");
    world.end().await;
}

async fn a_rule_narrows_a_code(backend: Backend) {
    let rules = "[[rules]]\ntable = \"messages\"\npower = { max = 20 }\nactions = [\"select\"]\n\
        when = { or = [{ column = \"room\", op = \"=\", value = 2 }, { column = \"body\", op = \"like\", value = \"a%\" }] }\n";
    let (world, uma, _) = chat(backend, rules).await;
    world.group("users", &["messages:rw"], &[]).await;
    for (room, body) in [(1, "alone"), (1, "secret"), (2, "hello")] {
        say(&uma, room, body).await.data();
    }
    assert_eq!(bodies(&uma).await, ["alone", "hello"]);
    let admin = world.user("ada", "administrators").await;
    assert_eq!(bodies(&admin).await.len(), 3, "the rule is for low powers alone");
    world.group("users", &["messages:rw", "room_members:r", "rooms:r"], &[]).await;
    let joined = json!({"action": "count", "table": "room_members", "joins": [
        {"table": "messages", "on": "messages.room = room_members.room", "type": "LEFT"},
    ]});
    assert_eq!(uma.query(joined).await.data(), 3, "a hidden row cannot be counted through a join");
    world.end().await;
}

async fn columns_and_forced_values(backend: Backend) {
    let rules = r#"
[[rules]]
name = "own messages"
table = "messages"
groups = ["users"]
actions = ["select", "insert", "update"]
when = { column = "author", op = "=", value = "$principal.id" }
set = { author = "$principal.id", state = "sent" }

[[rules]]
name = "others in short"
table = "messages"
groups = ["users"]
actions = ["select"]
columns = ["id", "room"]
"#;
    let (world, uma, otto) = chat(backend, rules).await;
    say(&uma, 1, "mine").await.data();
    say(&otto, 1, "yours").await.data();
    let answer = uma.query(json!({"action": "select", "table": "messages", "order_by": [{"column": "id"}]})).await;
    let expected = json!([
        {"id": 1, "room": 1, "author": 1, "body": "mine", "state": "sent"},
        {"id": 2, "room": 1},
    ]);
    assert_eq!(answer.data(), &expected);
    world.end().await;
}

async fn a_broken_rule_leaves_the_old_ones(backend: Backend) {
    let (world, uma, otto) = chat(backend, CHAT).await;
    say(&uma, 2, "hello").await.data();
    let admin = world.user("ada", "administrators").await;
    assert_eq!(uma.post("/reload", &json!({})).await.refusal(), (403, "ability_missing"));
    world.rules(&CHAT.replace("\"author\"", "\"writer\""));
    let answer = admin.post("/reload", &json!({})).await;
    assert_eq!(answer.refusal(), (500, "reload_failed"));
    let text = answer.body["error"].as_str().unwrap();
    assert!(text.contains("rules.toml line 9") && text.contains("no column \"writer\""), "{text}");
    assert_eq!(bodies(&otto).await, ["hello"], "the old rules are in force");
    world.rules("");
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    let answer = otto.query(json!({"action": "select", "table": "messages"})).await;
    assert_eq!(answer.refusal(), (403, "table_denied"));
    world.end().await;
}
