//! What callers send: filters, types, limits, and what becomes of it.

use insula_tests::{Backend, on_all_databases};
use reqwest::{Body, Method};
use serde_json::{Value as Json, json};

use crate::stage::{OPEN, kit};

on_all_databases!(what_a_filter_refuses_is_named, a_payload_adds_no_meaning, bodies_have_the_limit_of_their_endpoint);

const FIND: &str = r#"
[endpoints.0]
path = "find"
methods = ["GET", "POST"]
type = "internal"
rights = "toolkit"
pseudo_querys = ["find"]
answer = "find"
[endpoints.0.client_filter]
allowed_fields = ["name", "names", "most", "cheap", "deep"]
types = { most = "integer", cheap = "boolean" }
[pseudo_querys.find]
action = "select"
table = "items"
columns = ["name"]
where = { name = "$payload.name?" }
limit = "$payload.most?"
order_by = [{ column = "id" }]

[endpoints.1]
path = "among"
type = "internal"
rights = "toolkit"
pseudo_querys = ["among"]
answer = "among"
[pseudo_querys.among]
action = "select"
table = "items"
columns = ["name"]
filter = { and = [{ column = "name", op = "in", value = "$payload.names" }, { column = "price", op = "between", value = ["$payload.from", "$payload.deep.to"] }] }
order_by = [{ column = "id" }]

[endpoints.2]
path = "add"
type = "internal"
rights = "toolkit"
pseudo_querys = ["add", "added"]
answer = "added"
[pseudo_querys.add]
action = "insert"
table = "items"
data = { name = "$payload.name", price = "$payload.price?", extra = { by = "$username", power = "$power", sent = "$payload.extra?" }, status = "$$new", pinned_to = "$user_id" }
[pseudo_querys.added]
action = "select"
table = "items"
where = { id = "$add.id" }
single = true
"#;

async fn stock(backend: Backend) -> (insula_tests::World, insula_tests::Client) {
    let world = kit(backend, &format!("{OPEN}{FIND}")).await;
    let admin = world.user("root", "administrators").await;
    for (name, price) in [("saw", 20), ("axe", 30), ("nail", 1)] {
        let data = json!({"name": name, "price": price});
        admin.query(json!({"action": "insert", "table": "items", "data": data})).await.data();
    }
    let uma = world.user("uma", "users").await;
    (world, uma)
}

fn names(answer: &insula_tests::Answer) -> Vec<&str> {
    answer.data().as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

async fn what_a_filter_refuses_is_named(backend: Backend) {
    let (world, uma) = stock(backend).await;
    let post = async |body: Json| {
        let answer = uma.post("/tk/app/kit/find", &body).await;
        (answer.refusal().1.to_owned(), answer.field().to_owned())
    };
    let told = |reason: &str, field: &str| (reason.to_owned(), field.to_owned());
    assert_eq!(post(json!({"nmae": "saw"})).await, told("field_unknown", "nmae"));
    assert_eq!(post(json!({"most": "2"})).await, told("field_invalid", "most"));
    assert_eq!(post(json!({"cheap": 1})).await, told("field_invalid", "cheap"));
    assert_eq!(post(json!({"_path": {}})).await, told("field_unknown", "_path"));
    assert_eq!(names(&uma.post("/tk/app/kit/find", &json!({"most": 2})).await), ["saw", "axe"]);
    assert_eq!(names(&uma.post("/tk/app/kit/find", &json!({"name": "axe"})).await), ["axe"]);
    assert_eq!(names(&uma.send(Method::POST, "/tk/app/kit/find", &[], None).await).len(), 3, "no body is no field");
    // A query string is text, unless the filter says what it is.
    assert_eq!(names(&uma.get("/tk/app/kit/find?most=1").await), ["saw"]);
    assert_eq!(uma.get("/tk/app/kit/find?most=x").await.field(), "most");
    assert_eq!(uma.get("/tk/app/kit/find?name=saw&name=axe").await.refusal(), (400, "duplicate_key"));
    assert_eq!(uma.post_text("/tk/app/kit/find", "[]").await.refusal(), (400, "body_not_object"));
    assert_eq!(uma.post_text("/tk/app/kit/find", r#"{"name":"a","name":"b"}"#).await.refusal(), (400, "duplicate_key"));
    world.end().await;
}

async fn a_payload_adds_no_meaning(backend: Backend) {
    let (world, uma) = stock(backend).await;
    // Where a value is compared with, there is no object, no list and no null.
    for wrong in [json!({"op": "!=", "value": "x"}), json!(["saw", "axe"])] {
        let answer = uma.post("/tk/app/kit/find", &json!({"name": wrong})).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "name"));
    }
    assert_eq!(names(&uma.post("/tk/app/kit/find", &json!({"name": "x' OR '1'='1"})).await).len(), 0);
    assert_eq!(names(&uma.post("/tk/app/kit/find", &json!({"name": "$user_id"})).await).len(), 0);
    let among = async |body: Json| uma.post("/tk/app/kit/among", &body).await;
    let good = among(json!({"names": ["saw", "nail"], "from": 0, "deep": {"to": 10}})).await;
    assert_eq!(names(&good), ["nail"]);
    for (body, field) in [
        (json!({"names": "saw", "from": 0, "deep": {"to": 1}}), "names"),
        (json!({"names": [["saw"]], "from": 0, "deep": {"to": 1}}), "names"),
        (json!({"names": ["saw"], "from": 0, "deep": {}}), "deep.to"),
        (json!({"names": ["saw"], "from": 0, "deep": 5}), "deep.to"),
        (json!({"names": ["saw"], "from": null, "deep": {"to": 1}}), "from"),
    ] {
        let answer = among(body).await;
        assert_eq!((answer.status, answer.field()), (400, field), "{}", answer.text);
    }
    // What is written is a value as it came, and the rest is the file's.
    let made = uma.post("/tk/app/kit/add", &json!({"name": "$now", "extra": {"a": [1]}, "status": "mine"})).await;
    let row = made.data();
    assert_eq!((&row["name"], &row["status"], &row["price"]), (&json!("$now"), &json!("$new"), &Json::Null));
    assert_eq!(row["extra"], json!({"by": "uma", "power": 10, "sent": {"a": [1]}}));
    assert_eq!((&row["pinned_to"], &row["created_by"]), (&json!(2), &json!(2)), "the caller is who did it");
    let wrong = uma.post("/tk/app/kit/add", &json!({"name": "kite", "price": "cheap"})).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((400, "value_invalid"), "price"), "{}", wrong.text);
    let twice = uma.post("/tk/app/kit/add", &json!({"name": "saw"})).await;
    assert_eq!(twice.refusal(), (400, "unique_violation"));
    world.end().await;
}

const MB: usize = 1 << 20;

async fn bodies_have_the_limit_of_their_endpoint(backend: Backend) {
    let limits = [("small", "1KB"), ("large", "3MB")].map(|(path, limit)| {
        format!(
            "[[endpoints]]\npath = \"{path}\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"count\"]\n\
             max_body_size = \"{limit}\"\n"
        )
    });
    let rest = "[[endpoints]]\npath = \"own\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"count\"]\n\
                [pseudo_querys.count]\naction = \"count\"\ntable = \"items\"\n";
    let world = kit(backend, &[OPEN, &limits.concat(), rest].concat()).await;
    crate::stage::toolkit(
        &world,
        "wide",
        &[&OPEN.replace("\"kit\"", "\"wide\"").replace("tables", "max_body_size = \"2MB\"\ntables"), rest].concat(),
    );
    let uma = world.user("uma", "users").await;
    let body = |size: usize| json!({"x": "y".repeat(size)}).to_string();
    let whole = async |path: &str, size: usize| uma.post_text(&format!("/tk/app/{path}"), &body(size)).await.status;
    let chunked = async |path: &str, size: usize| {
        let pieces = body(size).into_bytes().chunks(8_000).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let stream = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let json = [("content-type", "application/json")];
        let path = format!("/tk/app/{path}");
        uma.try_send(Method::POST, &path, &json, Some(Body::wrap_stream(stream))).await.unwrap().status
    };
    for (path, size, status) in [
        ("kit/own", MB - 1_000, 200),
        ("kit/own", MB + 1, 413),
        ("kit/small", 900, 200),
        ("kit/small", 1_100, 413),
        ("kit/large", 2 * MB, 200),
        ("kit/large", 3 * MB, 413),
        ("wide/own", 2 * MB - 1_000, 200),
        ("wide/own", 2 * MB, 413),
    ] {
        assert_eq!(whole(path, size).await, status, "{path} {size}");
        assert_eq!(chunked(path, size).await, status, "{path} {size} in pieces without a length");
    }
    world.end().await;
}
