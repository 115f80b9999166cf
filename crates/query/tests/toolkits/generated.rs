//! Columns that are filled in.

use kernel::toolkits::{GeneratedColumn, GeneratedValue};
use serde_json::{Value as Json, json};
use testkit::{Backend, on_all_databases};

use crate::{
    terms::{Terms, generated, numbers, random, with_generated},
    world::{TICKETS, World, group, reason},
};

on_all_databases!(
    an_insert_is_filled_in,
    values_of_the_caller_give_way_where_it_says_so,
    an_update_is_filled_in,
    random_values_are_tried_again,
    rows_of_a_batch_keep_to_their_own_rules,
    a_value_that_does_not_fit_is_never_written
);

fn insert(data: &Json) -> Json {
    json!({"action": "insert", "table": "tickets", "data": data})
}

async fn an_insert_is_filled_in(backend: Backend) {
    let columns = vec![
        generated("number", numbers("T-", 4, 1)),
        generated("seat", numbers("", 3, 7)),
        generated("code", random("abcdefgh", 8)),
        generated("token", GeneratedValue::Uuid),
        generated("opened", GeneratedValue::Now),
        generated("owner", GeneratedValue::User),
    ];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let mut user = group("users", 10, &["tickets:rw"]);
    user.advanced_rules = vec!["tickets.seat:r".into(), "tickets.token:block".into(), "tickets.owner:boi".into()];
    let uma = world.user("uma", 2, user);
    // Nothing is given, and still there is something to write.
    let answer = world.query(&uma, insert(&json!({}))).await.unwrap();
    let told = answer["generated"].as_object().unwrap();
    assert_eq!((&told["number"], &told["seat"], &told["owner"]), (&json!("T-0001"), &json!(7), &json!(2)));
    assert!(!told.contains_key("token"), "what the caller may not see is not told");
    let select = json!({"action": "select", "table": "tickets", "order_by": [{"column": "id"}]});
    let row = world.query(&world.admin(), select.clone()).await.unwrap()[0].clone();
    for column in ["number", "seat", "code", "opened", "owner"] {
        assert_eq!(row[column], told[column], "{column}");
    }
    assert_eq!(row["code"].as_str().unwrap().len(), 8);
    assert_eq!(row["token"].as_str().unwrap().parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    // A value that is given stays; one that is left out is not lost on it.
    let given = world.query(&uma, insert(&json!({"number": "mine", "seat": 99}))).await.unwrap();
    assert_eq!(given["warnings"], json!(["columns stripped: seat"]));
    assert_eq!(given["generated"]["seat"], 8, "what the caller may not write is filled in");
    assert_eq!(given["generated"].get("number"), None);
    let rows = world.query(&world.admin(), select).await.unwrap();
    assert_eq!((&rows[1]["number"], &rows[1]["seat"]), (&json!("mine"), &json!(8)));
    // Batches: merged ones, and ones that fall apart.
    let batch = |queries: Json| json!({"action": "insert", "table": "tickets", "queries": queries});
    let three = batch(json!([{"data": {"title": "a"}}, {"data": {"title": "b"}}, {"data": {"title": "c"}}]));
    let results = world.query(&uma, three).await.unwrap()["results"].clone();
    let seats: Vec<_> = (0..3).map(|index| results[index]["generated"]["number"].clone()).collect();
    assert_eq!(seats, ["T-0002", "T-0003", "T-0004"]);
    let taken =
        batch(json!([{"data": {"number": "new"}}, {"data": {"number": "mine"}}, {"data": {"number": "newer"}}]));
    let results = world.query(&uma, taken).await.unwrap()["results"].clone();
    assert_eq!(results[1], "unique_violation");
    let seat = |index: usize| results[index]["generated"]["seat"].as_i64().unwrap();
    assert!(seat(0) > 8 && seat(2) > seat(0));
    world.end().await;
}

async fn values_of_the_caller_give_way_where_it_says_so(backend: Backend) {
    let columns = vec![
        GeneratedColumn { always: true, ..generated("number", numbers("N", 1, 5)) },
        GeneratedColumn { on_insert: false, ..generated("token", GeneratedValue::Uuid) },
    ];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let rules = "[[rules]]\ntable = \"tickets\"\ngroups = [\"users\"]\nactions = [\"insert\"]\n\
        set = { number = \"forced\" }\n";
    std::fs::write(world.tenant.folder.join("rules.toml"), rules).unwrap();
    let answer = world.query(&world.admin(), insert(&json!({"number": "mine"}))).await.unwrap();
    assert_eq!(answer["generated"], json!({"number": "N5"}));
    assert_eq!(answer["warnings"], json!(["columns stripped: number"]));
    // What a row rule forces comes first.
    let uma = world.user("uma", 2, group("users", 10, &["tickets:rw"]));
    assert_eq!(world.query(&uma, insert(&json!({"title": "x"}))).await.unwrap()["generated"], json!({}));
    let select = json!({"action": "select", "table": "tickets", "columns": ["number"], "order_by": [{"column": "id"}]});
    assert_eq!(world.query(&uma, select).await.unwrap(), json!([{"number": "N5"}, {"number": "forced"}]));
    world.end().await;
}

async fn an_update_is_filled_in(backend: Backend) {
    let on_update = |column| GeneratedColumn { on_insert: false, on_update: true, ..column };
    let columns = vec![
        on_update(generated("token", random("abc", 36))),
        on_update(generated("opened", GeneratedValue::Now)),
        on_update(generated("seat", numbers("", 1, 40))),
    ];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let admin = world.admin();
    for title in ["a", "b"] {
        world.query(&admin, insert(&json!({"title": title}))).await.unwrap();
    }
    let update = |data: Json, title: &str| json!({"action": "update", "table": "tickets", "data": data, "where": {"title": title}});
    assert_eq!(world.query(&admin, update(json!({}), "a")).await.unwrap()["rows"], 1);
    assert_eq!(world.query(&admin, update(json!({"seat": 3}), "b")).await.unwrap()["rows"], 1);
    let select = json!({"action": "select", "table": "tickets", "order_by": [{"column": "id"}]});
    let rows = world.query(&admin, select).await.unwrap();
    assert_eq!((&rows[0]["seat"], &rows[1]["seat"]), (&json!(40), &json!(3)));
    assert!(rows[0]["opened"].is_string() && rows[0]["token"] != rows[1]["token"]);
    world.end().await;
}

async fn random_values_are_tried_again(backend: Backend) {
    // Two values there are: once one is taken, the other is found; once both are, nobody can be served.
    let columns = vec![generated("code", random("ab", 1)), generated("number", numbers("", 1, 1))];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let admin = world.admin();
    let first = world.query(&admin, insert(&json!({"code": "a"}))).await.unwrap();
    assert_eq!(first["generated"].get("code"), None);
    // Ten tries miss the free one once in a thousand times.
    let second = world.query(&admin, insert(&json!({}))).await.unwrap();
    assert_eq!(second["generated"]["code"], "b");
    assert_eq!(reason(world.query(&admin, insert(&json!({}))).await), "conflict");
    let batch = json!({"action": "insert", "table": "tickets", "queries": [{"data": {"code": "z"}}, {"data": {}}]});
    let results = world.query(&admin, batch).await.unwrap()["results"].clone();
    assert_eq!(results[1], "conflict");
    assert_eq!(world.count("tickets").await, 3);
    // A value of the caller's that is taken is the caller's matter.
    assert_eq!(reason(world.query(&admin, insert(&json!({"code": "z"}))).await), "unique_violation");
    world.end().await;
}

async fn rows_of_a_batch_keep_to_their_own_rules(backend: Backend) {
    let columns = vec![generated("owner", GeneratedValue::User)];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let rules = "[[rules]]\ntable = \"tickets\"\ngroups = [\"users\"]\nactions = [\"insert\"]\ncolumns = [\"title\"]\n\n\
        [[rules]]\ntable = \"tickets\"\ngroups = [\"users\"]\nactions = [\"insert\"]\ncolumns = [\"title\", \"owner\"]\n\
        when = { column = \"owner\", op = \"=\", value = \"$principal.id\" }\n";
    std::fs::write(world.tenant.folder.join("rules.toml"), rules).unwrap();
    let uma = world.user("uma", 2, group("users", 10, &["tickets:rw"]));
    // Both write the same columns in the end, but one of them by itself.
    let queries = json!([{"data": {"title": "mine"}}, {"data": {"title": "not mine", "owner": 99}}]);
    let batch = json!({"action": "insert", "table": "tickets", "queries": queries});
    let results = world.query(&uma, batch).await.unwrap()["results"].clone();
    assert_eq!((&results[0]["generated"]["owner"], &results[1]), (&json!(2), &json!("rule_denied")));
    assert_eq!(world.count("tickets").await, 1);
    world.end().await;
}

async fn a_value_that_does_not_fit_is_never_written(backend: Backend) {
    let wrong = [
        generated("seat", numbers("T-", 1, 1)),
        generated("code", numbers("much-too-long-", 1, 1)),
        generated("opened", numbers("", 1, 1)),
        generated("opened", GeneratedValue::Uuid),
        generated("seat", GeneratedValue::Now),
        generated("code", random("", 3)),
        generated("seat", numbers("", 1, u64::MAX)),
    ];
    let world = World::new(backend, TICKETS, Terms::default()).await;
    for column in wrong {
        let named = format!("{column:?}");
        world.retell(Terms::default().table("tickets", with_generated(vec![column])));
        let refused = world.query(&world.admin(), insert(&json!({"title": "x"}))).await.unwrap_err();
        assert_eq!(refused.reason.word(), "internal", "{named}: {refused}");
        assert!(!refused.message.contains("tickets"), "the caller learns nothing of it: {}", refused.message);
        let batch = json!({"action": "insert", "table": "tickets", "queries": [{"data": {"title": "a"}}, {"data": {"title": "b"}}]});
        let results = world.query(&world.admin(), batch).await.unwrap()["results"].clone();
        assert_eq!(results, json!(["internal", "internal"]), "{named}");
    }
    assert_eq!(world.count("tickets").await, 0);
    // What is not there cannot be filled in; whoever reads the toolkit tells.
    world.retell(Terms::default().table("tickets", with_generated(vec![generated("missing", GeneratedValue::User)])));
    let made = world.query(&world.admin(), insert(&json!({"title": "x"}))).await.unwrap();
    assert_eq!(made["generated"], json!({}), "{made}");
    world.end().await;
}
