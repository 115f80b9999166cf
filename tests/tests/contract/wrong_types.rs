//! Whatever is sent in the place of a field or a parameter: the refusal names it and speaks of JSON, and not of the
//! language that the server is written in.

use insula_tests::{Answer, Backend, Client, World};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// What somebody may send where something else is wanted.
const WRONG: [&str; 9] = ["true", "-1", "1.5", "1e30", "\"\"", "[]", "[[]]", "{}", "{\"x\": 1}"];
/// Words of serde and of Rust.
const FOREIGN: [&str; 22] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i32",
    "i64",
    "f64",
    "struct",
    "enum",
    "variant",
    "untagged",
    "tuple",
    "newtype",
    "sequence",
    "map",
    "unit",
    "nonzero",
    "deserialize",
    "borrowed",
    "invalid",
    "identifier",
];
/// Where a good value would end the story.
const LEFT_OUT: [&str; 2] = ["/reload", "/auth/logout"];

/// The properties of a body.
fn properties<'d>(document: &'d Json, schema: &'d Json) -> Vec<&'d str> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let mut names: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
    for choice in ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|choice| schema[choice].as_array()).flatten() {
        names.extend(properties(document, choice));
    }
    names
}

fn check(answer: &Answer, what: &str, field: &str) {
    assert!(answer.status < 500 || what.contains("/link/"), "{what}: {}", answer.text);
    assert_ne!(answer.body["reason"], "malformed_json", "{what}: {}", answer.text);
    let said = answer.body["error"].as_str().unwrap_or_default().split(" [request_id").next().unwrap();
    let is_foreign = |word: &str| FOREIGN.contains(&word);
    let found = said.split(|letter: char| !letter.is_alphanumeric()).find(|word| is_foreign(word));
    assert_eq!(found, None, "{what}: {}", answer.text);
    if answer.body["reason"].as_str().is_some_and(|reason| reason.starts_with("field_")) {
        assert!(answer.body["field"].is_string(), "{what} names no field: {}", answer.text);
    }
    if said.contains("wrong type") {
        let named = answer.body["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{what} names {named}");
    }
}

async fn send(client: &Client, method: &str, path: &str, body: Option<String>) -> Answer {
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    let json = [("content-type", "application/json")];
    client.send(method, path, &json, body.map(String::into_bytes)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_speaks_of_rust() {
    let world = World::new(Backend::Sqlite).await;
    let document = world.anonymous().get("/openapi.json").await.body;
    let mut tried = 0;
    // An administrator for each route: some of them end the session.
    for (index, (path, operations)) in document["paths"].as_object().unwrap().iter().enumerate() {
        if LEFT_OUT.contains(&&**path) {
            continue;
        }
        let admin = world.user(&format!("ada{index}"), "administrators").await;
        let one = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let one = one.collect::<Vec<_>>().join("/");
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for name in properties(&document, schema) {
                for wrong in WRONG {
                    let answer = send(&admin, method, &one, Some(format!("{{\"{name}\": {wrong}}}"))).await;
                    check(&answer, &format!("{method} {path} {name} = {wrong}"), name);
                    tried += 1;
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] != "query" {
                    continue;
                }
                let name = parameter["name"].as_str().unwrap();
                for wrong in ["", "x", "-1", "1.5", "99999999999999999999999"] {
                    let body = operation.get("requestBody").map(|_| "{}".to_owned());
                    let answer = send(&admin, method, &format!("{one}?{name}={wrong}"), body).await;
                    check(&answer, &format!("{method} {path}?{name}={wrong}"), name);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "only {tried} were tried");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_filters_speak_of_json_too() {
    let world = World::new(Backend::Sqlite).await;
    world.tables("CREATE TABLE items (id SERIAL, name VARCHAR(40))").await;
    let admin = world.user("ada", "administrators").await;
    for setting in admin.get("/admin/settings").await.body["settings"].as_array().unwrap().clone() {
        let name = setting["setting"].as_str().unwrap();
        for wrong in WRONG {
            let body = format!("{{\"value\": {wrong}}}");
            let answer = send(&admin, "PUT", &format!("/admin/settings/{name}"), Some(body)).await;
            check(&answer, &format!("{name} = {wrong}"), "value");
        }
    }
    let query =
        |field: &str, wrong: &str| format!("{{\"action\": \"select\", \"table\": \"items\", \"{field}\": {wrong}}}");
    for wrong in WRONG {
        for (field, inner) in [
            ("filter", format!("{{\"column\": \"id\", \"op\": {wrong}, \"value\": 1}}")),
            ("filter", format!("{{\"and\": [{{\"column\": {wrong}}}]}}")),
            ("order_by", format!("[{{\"column\": \"id\", \"direction\": {wrong}}}]")),
            ("joins", format!("[{{\"table\": \"items\", \"on\": {wrong}}}]")),
        ] {
            let answer = send(&admin, "POST", "/query", Some(query(field, &inner))).await;
            check(&answer, &format!("{field} = {inner}"), field);
        }
    }
    let refused = admin.query(json!({"action": true, "table": "items"})).await;
    assert_eq!((refused.refusal(), refused.field()), ((400, "field_invalid"), "action"), "{}", refused.text);
    assert!(refused.text.contains("expected a string"), "{}", refused.text);
    let refused = admin.post("/admin/groups", &json!({"name": "guests", "power": 300})).await;
    assert_eq!((refused.refusal(), refused.field()), ((400, "field_invalid"), "power"), "{}", refused.text);
    assert!(refused.text.contains("whole number from"), "{}", refused.text);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reference_of_the_document_leads_somewhere() {
    let world = World::new(Backend::Sqlite).await;
    let document = world.anonymous().get("/openapi.json").await.body;
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} is not there");
    }
    world.end().await;
}
