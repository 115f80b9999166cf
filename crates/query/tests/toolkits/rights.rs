//! Codes of places in toolkits, read-only tables and protected columns.

use kernel::toolkits::TableTerms;
use serde_json::json;
use testkit::{Backend, on_all_databases};

use crate::{
    terms::Terms,
    world::{TICKETS, World, group, reason},
};

on_all_databases!(
    places_in_toolkits_add_to_the_group,
    a_toolkit_makes_a_table_read_only,
    a_toolkit_protects_columns,
    row_rules_know_toolkits_by_name_alone
);

async fn places_in_toolkits_add_to_the_group(backend: Backend) {
    let terms = Terms::default().place("uma", &["tickets:rwo", "_users:rwa"], &["tickets.code:block"]);
    let world = World::new(backend, TICKETS, terms).await;
    let own = || group("users", 10, &["tickets:r"]);
    let (uma, otto) = (world.user("uma", 2, own()), world.user("otto", 3, own()));
    let of_admin = json!({"action": "insert", "table": "tickets", "data": {"title": "of ada", "code": "x"}});
    world.query(&world.admin(), of_admin).await.unwrap();
    let insert = json!({"action": "insert", "table": "tickets", "data": {"title": "of uma"}});
    assert_eq!(reason(world.query(&otto, insert.clone()).await), "table_denied");
    world.query(&uma, insert.clone()).await.unwrap();
    let update = json!({"action": "update", "table": "tickets", "data": {"title": "seen"},
        "filter": {"column": "id", "op": ">", "value": 0}});
    assert_eq!(world.query(&uma, update).await.unwrap()["rows"], 1, "writes reach one's own row");
    let select = |columns: &[&str]| json!({"action": "select", "table": "tickets", "columns": columns, "order_by": [{"column": "id"}]});
    assert_eq!(world.query(&uma, select(&["id"])).await.unwrap().as_array().unwrap().len(), 2, "reads reach all");
    assert_eq!(reason(world.query(&uma, select(&["code"])).await), "columns_denied");
    assert_eq!(world.query(&otto, select(&["code"])).await.unwrap()[0]["code"], "x");
    let system = json!({"action": "count", "table": "_sequences"});
    assert_eq!(reason(world.query(&uma, system).await), "table_denied");
    let abilities = ["explain".to_owned()].into();
    let curious = world.user("uma", 2, kernel::Group { abilities, ..own() });
    let explain = json!({"action": "select", "table": "tickets", "explain": true});
    let table = world.query(&curious, explain).await.unwrap()["queries"][0]["tables"][0].clone();
    assert_eq!(table["access"]["code"], "r+rwo");
    assert_eq!(table["access"]["codes"], json!({"group": "r", "toolkit kit as staff": "rwo"}));
    let because = &table["columns_with_rules"][0];
    assert_eq!(because["because"], "column rule block of toolkit kit as staff");
    // A reload takes the place away.
    world.retell(Terms::default());
    assert_eq!(reason(world.query(&uma, insert).await), "table_denied");
    assert_eq!(world.query(&uma, select(&["code"])).await.unwrap()[0]["code"], "x");
    world.end().await;
}

async fn a_toolkit_makes_a_table_read_only(backend: Backend) {
    let read_only = || TableTerms { read_only_below: Some(50), ..TableTerms::default() };
    let terms = Terms::default().table("tickets", read_only()).table("notes", read_only());
    let tables = format!("{TICKETS} CREATE TABLE notes (id SERIAL, note VARCHAR(40));");
    let world = World::new(backend, &tables, terms).await;
    let rules = "[[rules]]\ntable = \"notes\"\npower = { min = 1 }\nactions = [\"select\", \"insert\"]\n";
    std::fs::write(world.tenant.folder.join("rules.toml"), rules).unwrap();
    let insert = |table: &str, column: &str| json!({"action": "insert", "table": table, "data": {column: "x"}});
    let count = |table: &str| json!({"action": "count", "table": table});
    let strong = world.user("moderator", 4, group("moderators", 50, &["tickets:rw"]));
    world.query(&strong, insert("tickets", "title")).await.unwrap();
    for code in ["rwa", "rw", "rwo"] {
        let weak = world.user("uma", 2, group("users", 49, &[&format!("tickets:{code}")]));
        assert_eq!(reason(world.query(&weak, insert("tickets", "title")).await), "table_denied", "{code}");
        let rows = i32::from(code != "rwo");
        assert_eq!(world.query(&weak, count("tickets")).await.unwrap(), rows, "{code}");
    }
    // A row rule alone lets read, and no longer write.
    let weak = world.user("uma", 2, group("users", 10, &[]));
    assert_eq!(reason(world.query(&weak, insert("notes", "note")).await), "table_denied");
    assert_eq!(world.query(&weak, count("notes")).await.unwrap(), 0);
    world.query(&strong, insert("notes", "note")).await.unwrap();
    // The toolkit itself is not held to it.
    let itself = world.user("uma", 2, group("toolkit:kit", 0, &["tickets:rw"]));
    let program = crate::programs::Steps(vec![insert("tickets", "title")]);
    world.transact(&itself, program).await.unwrap();
    let explain = json!({"action": "insert", "table": "tickets", "data": {"title": "x"}, "explain": true});
    let abilities = ["explain".to_owned()].into();
    let weak = world.user("uma", 2, kernel::Group { abilities, ..group("users", 10, &["tickets:rw"]) });
    let query = world.query(&weak, explain).await.unwrap()["queries"][0].clone();
    assert_eq!(query["refused"]["why"], "a toolkit lets groups of a power below 50 only read it");
    assert_eq!(query["tables"][0]["access"]["code"], "r");
    assert_eq!(query["tables"][0]["access"]["read_only"], query["refused"]["why"]);
    world.end().await;
}

async fn a_toolkit_protects_columns(backend: Backend) {
    let terms = TableTerms { write_protected: vec!["number".into()], ..TableTerms::default() };
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", terms)).await;
    let insert =
        |number: &str| json!({"action": "insert", "table": "tickets", "data": {"title": "x", "number": number}});
    let user = world.user("uma", 2, group("users", 10, &["tickets:rw"]));
    let answer = world.query(&user, insert("A")).await.unwrap();
    assert_eq!(answer["warnings"], json!(["columns stripped: number"]));
    assert_eq!(world.query(&world.admin(), insert("B")).await.unwrap()["warnings"], json!([]));
    let mut opened = group("users", 10, &["tickets:rw"]);
    opened.advanced_rules = vec!["tickets.number:rwa".into()];
    assert_eq!(world.query(&world.user("uma", 2, opened), insert("C")).await.unwrap()["warnings"], json!([]));
    let select = json!({"action": "select", "table": "tickets", "columns": ["number"], "order_by": [{"column": "id"}]});
    let rows = world.query(&user, select).await.unwrap();
    assert_eq!(rows, json!([{"number": null}, {"number": "B"}, {"number": "C"}]), "it can be read all the same");
    let abilities = ["explain".to_owned()].into();
    let curious = world.user("uma", 2, kernel::Group { abilities, ..group("users", 10, &["tickets:rw"]) });
    let mut explain = insert("D");
    explain["explain"] = json!(true);
    let columns =
        world.query(&curious, explain).await.unwrap()["queries"][0]["tables"][0]["columns_with_rules"].clone();
    let number = columns.as_array().unwrap().iter().find(|column| column["column"] == "number").unwrap();
    assert_eq!(number["because"], "a toolkit protects it, so that only rwa may write it");
    world.end().await;
}

async fn row_rules_know_toolkits_by_name_alone(backend: Backend) {
    let world = World::new(backend, TICKETS, Terms::default()).await;
    let rules = "[[rules]]\ntable = \"tickets\"\npower = { min = 0 }\nactions = [\"select\"]\n\n\
        [[rules]]\ntable = \"tickets\"\ngroups = [\"toolkit:named\"]\nactions = [\"select\"]\n";
    std::fs::write(world.tenant.folder.join("rules.toml"), rules).unwrap();
    let count = || crate::programs::Steps(vec![json!({"action": "count", "table": "tickets"})]);
    let itself = |name: &str| world.user("uma", 2, group(name, 0, &[]));
    assert_eq!(world.transact(&itself("toolkit:named"), count()).await.unwrap(), [json!({"data": 0})]);
    assert_eq!(reason(world.transact(&itself("toolkit:other"), count()).await), "table_denied");
    let user = world.user("uma", 2, group("users", 10, &[]));
    assert_eq!(world.transact(&user, count()).await.unwrap(), [json!({"data": 0})]);
    world.end().await;
}
