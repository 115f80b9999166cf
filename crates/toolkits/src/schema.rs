//! The JSON Schema of a toolkit's file.

use schemars::schema_for;
use serde_json::{Map, Value, json};
use upstream::{HttpConfig, ProgramConfig};

use crate::{file::ToolkitFile, reading::KEPT};

type Properties = Map<String, Value>;

/// What a toolkit's file may hold, draft 2020-12.
pub fn schema() -> Value {
    let mut schema = schema_for!(ToolkitFile).to_value();
    let (http, http_types) = parts(schema_for!(HttpConfig).to_value());
    let (program, program_types) = parts(schema_for!(ProgramConfig).to_value());
    for (name, definition) in http_types.into_iter().chain(program_types) {
        schema["$defs"][&name] = definition;
    }
    if let Some(object) = schema["$defs"]["Endpoint"].as_object_mut() {
        endpoint(object, http, program);
    }
    // The names of rules in other implementations.
    if let Some(properties) = schema["$defs"]["GroupRights"].as_object_mut().and_then(properties) {
        for (alias, own) in [("basic_rules", "permissions"), ("advanced_rules", "column_rules")] {
            let rules = properties.get(own).cloned().unwrap_or_default();
            properties.insert(alias.to_owned(), rules);
        }
    }
    if let Some(properties) = schema.as_object_mut().and_then(properties) {
        let endpoint = json!({ "$ref": "#/$defs/Endpoint" });
        let numbered = json!({
            "type": "object",
            "patternProperties": { "^(0|[1-9][0-9]*)$": endpoint },
            "additionalProperties": false,
        });
        let list = json!({ "type": "array", "items": endpoint });
        let endpoints = json!({ "description": "What can be called.", "anyOf": [list, numbered] });
        properties.insert("endpoints".to_owned(), endpoints);
        let meaning = "What is kept for SeckelAPI; it has no effect.";
        properties.insert(KEPT.to_owned(), json!({ "description": meaning, "type": "object" }));
    }
    schema["required"] = json!(["name"]);
    schema
}

/// Gives an endpoint the keys of services and programs, each where its type has them.
fn endpoint(object: &mut Map<String, Value>, http: Properties, program: Properties) {
    let meaning = "Another way to write `timeout`.";
    let seconds = json!({ "description": meaning, "type": "integer", "minimum": 1, "maximum": 3_600 });
    let timed = Properties::from_iter([("timeout_seconds".to_owned(), seconds)]);
    let Some(own) = properties(object) else { return };
    let refused = |kept: Option<&Properties>, others: &[&Properties]| {
        let is_kept = |key: &String| own.contains_key(key) || kept.is_some_and(|kept| kept.contains_key(key));
        let keys = others.iter().flat_map(|other| other.keys()).filter(|key| !is_kept(key));
        Value::Object(keys.map(|key| (key.clone(), Value::Bool(false))).collect())
    };
    let case = |kind: &str, required: &[&str], refused: Value| {
        let is_kind = json!({ "properties": { "type": { "const": kind } }, "required": ["type"] });
        json!({ "if": is_kind, "then": { "required": required, "properties": refused } })
    };
    let cases = json!([
        case("http", &["url"], refused(Some(&http), &[&program])),
        case("executable", &["command"], refused(Some(&program), &[&http])),
        case("internal", &[], refused(None, &[&http, &program, &timed])),
    ]);
    for (key, property) in timed.into_iter().chain(http).chain(program) {
        own.entry(key).or_insert(property);
    }
    object.insert("allOf".to_owned(), cases);
}

/// The properties of a type, and the types that they use.
fn parts(mut schema: Value) -> (Properties, Map<String, Value>) {
    let mut take = |key: &str| schema[key].take().as_object().cloned().unwrap_or_default();
    (take("properties"), take("$defs"))
}

fn properties(object: &mut Map<String, Value>) -> Option<&mut Properties> {
    object.get_mut("properties")?.as_object_mut()
}
