//! A database that was there before Insula, with keys, names and columns as people really make them.

use insula_tests::{Backend, Client, Outside, Program, Serving, on_all_databases};
use serde_json::{Value as Json, json};

use crate::{adopted, tenant};

on_all_databases!(an_old_shop_gets_an_api);

const SHOP: &str = r#"
CREATE TABLE "Customer" (code VARCHAR(10) NOT NULL PRIMARY KEY, "Name" VARCHAR(40) NOT NULL);
CREATE TABLE "order" (year INTEGER NOT NULL, number INTEGER NOT NULL, customer VARCHAR(10) NOT NULL,
    net DECIMAL(10,2) NOT NULL, gross DECIMAL(10,2) GENERATED ALWAYS AS (net * 2) STORED, state STATE,
    "group" VARCHAR(20), PRIMARY KEY (year, number), FOREIGN KEY (customer) REFERENCES "Customer" (code));
CREATE VIEW "Totals" AS SELECT customer, count(*) AS orders FROM "order" GROUP BY customer;
INSERT INTO "Customer" (code, "Name") VALUES ('ACME', 'Acme'), ('bcme', 'Other');
INSERT INTO "order" (year, number, customer, net, "group") VALUES
    (2025, 1, 'ACME', 10.25, 'a'), (2026, 1, 'ACME', 7.5, NULL), (2026, 2, 'bcme', 1, 'b');
"#;

fn shop(backend: Backend) -> String {
    match backend {
        Backend::Sqlite => SHOP.replace("STATE", "VARCHAR(10) NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'paid'))"),
        Backend::Postgres => {
            "CREATE TYPE progress AS ENUM ('new', 'paid');".to_owned()
                + &SHOP.replace("STATE", "progress NOT NULL DEFAULT 'new'")
        }
        Backend::Mariadb => SHOP.replace("STATE", "ENUM('new', 'paid') NOT NULL DEFAULT 'new'").replace('"', "`"),
    }
}

async fn open(program: &Program, name: &str) -> (Serving, Client) {
    program.user(name, "ada", "administrators");
    let serving = program.serve().await;
    let ada = serving.user(name, "ada").await;
    (serving, ada)
}

async fn an_old_shop_gets_an_api(backend: Backend) {
    let outside = Outside::new(backend).await;
    outside.run(&shop(backend)).await;
    let program = adopted(&outside, &[]);
    let name = tenant(&outside);
    let (serving, ada) = open(&program, &name).await;
    reading(&ada).await;
    writing(&ada).await;
    refusals(&ada).await;
    drop(serving);

    // Insula's own tables came beside the old ones, of which nothing is lost when the tenant goes.
    let quoted = if backend == Backend::Mariadb { "`order`" } else { "\"order\"" };
    assert!(outside.number("SELECT count(*) FROM _users").await == 1);
    program.ok(&["tenant", "delete", &name, "--yes"]);
    assert_eq!(outside.number(&format!("SELECT count(*) FROM {quoted}")).await, 3);
    program.end();
    outside.end().await;
}

async fn rows(client: &Client, query: Json) -> Json {
    let answer = client.query(query).await;
    answer.data().clone()
}

async fn reading(ada: &Client) {
    let one = json!({"action": "select", "table": "order", "where": {"year": 2026, "number": 2},
        "columns": ["customer", "state", "group"]});
    assert_eq!(rows(ada, one).await, json!([{"customer": "bcme", "state": "new", "group": "b"}]));
    let computed = json!({"action": "select", "table": "order", "columns": ["gross"], "where": {"year": 2025}});
    assert_eq!(rows(ada, computed).await[0]["gross"].as_f64(), Some(20.5));
    let key = json!({"action": "select", "table": "Customer", "where": {"code": "ACME"}});
    assert_eq!(rows(ada, key).await, json!([{"code": "ACME", "Name": "Acme"}]));
    let joined = json!({"action": "select", "table": "order", "columns": ["number", "Customer.Name"],
        "joins": [{"table": "Customer", "on": "order.customer = Customer.code"}],
        "filter": {"column": "order.group", "op": "is_not_null"},
        "order_by": [{"column": "order.year", "direction": "DESC"}]});
    assert_eq!(rows(ada, joined).await, json!([{"number": 2, "Name": "Other"}, {"number": 1, "Name": "Acme"}]));
    let view = json!({"action": "select", "table": "Totals", "order_by": [{"column": "orders"}]});
    assert_eq!(rows(ada, view).await, json!([{"customer": "bcme", "orders": 1}, {"customer": "ACME", "orders": 2}]));
}

async fn writing(ada: &Client) {
    let insert = json!({"action": "insert", "table": "order", "data":
        {"year": 2026, "number": 3, "customer": "ACME", "net": "2.25", "state": "paid", "group": "c"}});
    let answer = ada.query(insert).await;
    assert_eq!((answer.status, &answer.body["rows_affected"]), (200, &json!(1)), "{}", answer.text);
    let code = json!({"action": "insert", "table": "Customer", "data": {"code": "ccme", "Name": "Third"}});
    assert_eq!(ada.query(code).await.body["rows_affected"], 1);
    // So many rows and no more, of a table whose key has two columns.
    let some = json!({"action": "update", "table": "order", "data": {"state": "paid"}, "where": {"customer": "ACME", "state": "new"}, "limit": 1});
    assert_eq!(ada.query(some).await.body["rows_affected"], 1);
    assert_eq!(rows(ada, json!({"action": "count", "table": "order", "where": {"state": "paid"}})).await, 2);
    let gone = json!({"action": "delete", "table": "order", "where": {"year": 2026, "number": 3}});
    assert_eq!(ada.query(gone).await.body["rows_affected"], 1);
}

async fn refusals(ada: &Client) {
    for (reasons, query) in [
        (&["unknown_table"][..], json!({"action": "select", "table": "Order"})),
        (&["unknown_table"], json!({"action": "select", "table": "customer"})),
        (&["unknown_column"], json!({"action": "select", "table": "Customer", "columns": ["name"]})),
        (&["view_read_only"], json!({"action": "insert", "table": "Totals", "data": {"customer": "x", "orders": 1}})),
        (&["view_read_only"], json!({"action": "delete", "table": "Totals", "where": {"customer": "ACME"}})),
        (
            &["unique_violation"],
            json!({"action": "insert", "table": "Customer", "data": {"code": "ACME", "Name": "x"}}),
        ),
        (
            &["unique_violation"],
            json!({"action": "insert", "table": "order", "data": {"year": 2025, "number": 1, "customer": "ACME", "net": 1}}),
        ),
        (
            &["foreign_key_violation"],
            json!({"action": "insert", "table": "order", "data": {"year": 2027, "number": 1, "customer": "nobody", "net": 1}}),
        ),
        (&["foreign_key_violation"], json!({"action": "delete", "table": "Customer", "where": {"code": "ACME"}})),
        (
            &["check_violation", "value_invalid"],
            json!({"action": "update", "table": "order", "data": {"state": "lost"}, "where": {"year": 2025}}),
        ),
        (
            &["nothing_to_write", "field_invalid"],
            json!({"action": "update", "table": "order", "data": {"gross": 1}, "where": {"year": 2025}}),
        ),
    ] {
        let answer = ada.query(query.clone()).await;
        assert!(answer.status == 400 && reasons.contains(&answer.refusal().1), "{query}: {}", answer.text);
    }
}
