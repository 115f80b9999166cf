//! Queries that are asked one after the other: all or none, each in knowledge of those before it.

use insula_tests::{Backend, on_all_databases};
use sea_query::{Alias, Expr, Query};
use serde_json::json;
use store::Value;

use crate::stage::{OPEN, kit};

on_all_databases!(
    a_failing_step_undoes_all,
    a_toolkit_reaches_its_tables_alone,
    a_toolkit_writes_all_columns,
    json_in_json_is_not_read,
    keys_call_within_their_scopes
);

const STEPS: &str = r#"
[endpoints.0]
path = "sell"
type = "internal"
rights = "toolkit"
pseudo_querys = ["before", "take", "note", "after"]
[pseudo_querys.before]
action = "count"
table = "items"
[pseudo_querys.take]
action = "update"
table = "items"
data = { status = "sold" }
where = { status = "free" }
filter = { column = "name", op = "like", value = "$payload.like" }
expect = { min = 1, max = 2, message = "One or two at once" }
[pseudo_querys.note]
action = "insert"
table = "log"
data = { what = "$payload.note", who = "$take.rows_affected" }
[pseudo_querys.after]
action = "select"
table = "items"
columns = ["name"]
where = { status = "sold" }
order_by = [{ column = "id" }]
"#;

async fn a_failing_step_undoes_all(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{STEPS}")).await;
    let admin = world.user("root", "administrators").await;
    for name in ["saw 1", "saw 2", "saw 3", "axe"] {
        let data = json!({"name": name, "status": "free"});
        admin.query(json!({"action": "insert", "table": "items", "data": data})).await.data();
    }
    let uma = world.user("uma", "users").await;
    let sold = async || {
        admin.query(json!({"action": "count", "table": "items", "where": {"status": "sold"}})).await.data().clone()
    };
    for (like, note, refusal) in [
        ("saw%", json!("x"), (409, "step_refused")),
        ("none", json!("x"), (409, "step_refused")),
        ("axe", json!("x".repeat(300)), (400, "value_invalid")),
        ("axe", json!({"x": 1}), (400, "value_invalid")),
    ] {
        let answer = uma.post("/tk/app/kit/sell", &json!({"like": like, "note": note})).await;
        let refused = (answer.refusal().0, answer.refusal().1);
        // SQLite keeps texts of any length.
        if refused.0 >= 400 {
            assert_eq!(refused, refusal, "{like} {note}: {}", answer.text);
            assert_eq!(sold().await, json!(0), "{like} {note}");
        } else {
            admin.query(json!({"action": "update", "table": "items", "data": {"status": "free"}, "where": {"status": "sold"}})).await;
        }
    }
    let missing = uma.post("/tk/app/kit/sell", &json!({"like": "axe"})).await;
    assert_eq!((missing.refusal(), missing.field()), ((400, "field_missing"), "note"));
    assert_eq!(sold().await, json!(0), "what was done before the field was missed is undone");
    let good = uma.post("/tk/app/kit/sell", &json!({"like": "saw 1", "note": "one"})).await;
    assert_eq!(good.data()["before"], 4);
    assert_eq!(good.data()["take"], json!({"rows_affected": 1}));
    assert_eq!(good.data()["after"], json!([{"name": "saw 1"}]));
    let log = admin
        .query(json!({"action": "select", "table": "log", "columns": ["what", "who"], "where": {"what": "one"}}))
        .await;
    assert_eq!(log.data(), &json!([{"what": "one", "who": 1}]));
    world.end().await;
}

/// What is refused when a file is read cannot be asked: a table of somebody else, or of Insula.
async fn a_toolkit_reaches_its_tables_alone(backend: Backend) {
    let text = "[endpoints.0]\npath = \"x\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"q\"]\n\
                [pseudo_querys.q]\naction = \"select\"\ntable = \"TABLE\"\n";
    let world = kit(backend, OPEN).await;
    world.tables("CREATE TABLE secrets (id SERIAL, word VARCHAR(20))").await;
    let admin = world.user("root", "administrators").await;
    for table in ["secrets", "_users", "jde_users", "_associations"] {
        crate::stage::toolkit(&world, "kit", &format!("{OPEN}{}", text.replace("TABLE", table)));
        let refused = admin.post("/reload", &json!({})).await;
        assert_eq!(refused.refusal(), (500, "reload_failed"), "{table}");
        assert!(refused.body["error"].as_str().unwrap().contains("pseudo_querys.q.table"), "{}", refused.text);
    }
    let joined =
        text.replace("\"TABLE\"", "\"items\"\njoins = [{ table = \"secrets\", on = \"items.id = secrets.id\" }]");
    crate::stage::toolkit(&world, "kit", &format!("{OPEN}{joined}"));
    let refused = admin.post("/reload", &json!({})).await;
    assert!(refused.body["error"].as_str().unwrap().contains("pseudo_querys.q.joins[0].table"), "{}", refused.text);
    // With the caller's rights it is the caller who may or may not.
    crate::stage::toolkit(&world, "kit", &format!("{OPEN}{joined}").replace("rights = \"toolkit\"", ""));
    assert_eq!(admin.post("/reload", &json!({})).await.status, 200);
    assert_eq!(admin.post("/tk/app/kit/x", &json!({})).await.status, 200);
    let uma = world.user("uma", "users").await;
    assert_eq!(uma.post("/tk/app/kit/x", &json!({})).await.refusal(), (403, "table_denied"));
    world.end().await;
}

async fn a_toolkit_writes_all_columns(backend: Backend) {
    let text = "[endpoints.0]\npath = \"add\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"add\"]\n\
                [pseudo_querys.add]\naction = \"insert\"\ntable = \"items\"\n\
                data = { name = \"saw\", price = 5, created_by = 77 }\n";
    let head = OPEN
        .replace("tables =", "read_only_tables = [\"items\"]\nwrite_protected_columns = [\"items.price\"]\ntables =");
    let world = kit(backend, &format!("{head}{text}")).await;
    let (uma, admin) = (world.user("uma", "users").await, world.user("root", "administrators").await);
    let added = uma.post("/tk/app/kit/add", &json!({})).await;
    assert_eq!((added.status, added.body.get("warning")), (200, None), "{}", added.text);
    let rows = json!({"action": "select", "table": "items", "columns": ["name", "price"]});
    assert_eq!(admin.query(rows).await.data()[0]["name"], "saw");
    let priced = json!({"action": "count", "table": "items", "where": {"price": 5}});
    assert_eq!(admin.query(priced).await.data(), &json!(1));
    world.end().await;
}

async fn keys_call_within_their_scopes(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{STEPS}")).await;
    let admin = world.user("root", "administrators").await;
    let key = async |scopes: serde_json::Value| {
        let made = admin.post("/auth/keys", &json!({"kind": "pat", "name": "one", "scopes": scopes})).await;
        admin.with_token(made.body["secret"].as_str().unwrap_or_else(|| panic!("{}", made.text)))
    };
    let body = json!({"like": "none", "note": "x"});
    let narrow = key(json!(["data.read"])).await;
    assert_eq!(narrow.post("/tk/app/kit/sell", &body).await.refusal(), (403, "scope_missing"));
    // What the toolkit does with its own rights needs no scope of the key.
    let right = key(json!(["toolkits.call"])).await;
    assert_eq!(right.post("/tk/app/kit/sell", &body).await.refusal(), (409, "step_refused"));
    world.end().await;
}

/// A column of JSON that others fill may hold what the reader of JSON would take for JSON in JSON, deeper than any stack.
async fn json_in_json_is_not_read(backend: Backend) {
    let endpoint = "[endpoints.0]\npath = \"list\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"list\"]\n\
         [pseudo_querys.list]\naction = \"select\"\ntable = \"items\"\n";
    let world = kit(backend, &format!("{OPEN}{endpoint}")).await;
    let uma = world.user("uma", "users").await;
    for (name, key, status) in [("plain", "key", 200), ("hostile", "$serde_json::private::RawValue", 500)] {
        let extra = json!({ key: "[".repeat(200_000) }).to_string();
        let mut insert = Query::insert();
        let database = &world.open(&world.tenant).await.data;
        insert.into_table(database.schema().table("items").unwrap().reference());
        insert.columns(["name", "extra"].map(Alias::new));
        insert.values([name.into(), Expr::from(Value::from(extra))]).unwrap();
        database
            .transaction(&kernel::WriteContext::system(), move |transaction| {
                let insert = insert.clone();
                Box::pin(async move { transaction.execute(&insert).await })
            })
            .await
            .unwrap();
        let answer = uma.post("/tk/app/kit/list", &json!({})).await;
        assert_eq!(answer.status, status, "{name}: {:.300}", answer.text);
    }
    assert_eq!(uma.get("/permissions").await.status, 200, "the server lives");
    world.end().await;
}
