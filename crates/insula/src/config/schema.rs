//! JSON Schemas of the configuration files, made from the types that read them.

use std::sync::LazyLock;

use identity::IdentityConfig;
use query::rules::RuleBook;
use serde_json::{Map, Value as Json, json};

use super::Config;

/// A configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// `insula.toml`.
    Insula,
    /// `identity.toml` of a tenant.
    Identity,
    /// `rules.toml` of a tenant.
    Rules,
    /// `columns.toml` of a tenant.
    Columns,
    /// `toolkits/NAME.toml` of a tenant.
    Toolkit,
}

impl SchemaOf {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Insula, Self::Identity, Self::Rules, Self::Columns, Self::Toolkit];

    /// The file that it is of.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Insula => "insula.toml",
            Self::Identity => "identity.toml",
            Self::Rules => "rules.toml",
            Self::Columns => columns::FILE,
            Self::Toolkit => "toolkit.toml",
        }
    }

    /// The schema, draft 2020-12.
    pub fn schema(self) -> Json {
        let schema = match self {
            Self::Insula => insula(),
            Self::Identity => of_tenant(),
            Self::Rules => RuleBook::schema().to_value(),
            Self::Columns => of::<columns::TenantColumns>(),
            Self::Toolkit => toolkits::schema(),
        };
        titled(schema, self.file())
    }
}

fn titled(mut schema: Json, file: &str) -> Json {
    schema["title"] = file.into();
    unwrap(&mut schema);
    schema
}

/// Takes the line breaks of the source out of descriptions.
fn unwrap(schema: &mut Json) {
    match schema {
        Json::Object(fields) => fields.iter_mut().for_each(|(key, value)| match value {
            Json::String(text) if key == "description" => {
                let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
                *text = paragraphs.join("\n\n");
            }
            other => unwrap(other),
        }),
        Json::Array(list) => list.iter_mut().for_each(unwrap),
        _ => {}
    }
}

/// The schema of a type, with secrets among the defaults.
fn of<T: schemars::JsonSchema>() -> Json {
    kernel::secret::exposed(|| schemars::schema_for!(T).to_value())
}

fn insula() -> Json {
    let mut schema = of::<Config>();
    each_object(&mut schema, secret_files);
    if let Some(server) = section(&mut schema, &["server"]) {
        server.insert("host".to_owned(), json!({ "description": "The address of `listen` alone.", "type": "string" }));
        let port =
            json!({ "description": "The port of `listen` alone.", "type": "integer", "minimum": 0, "maximum": 65_535 });
        server.insert("port".to_owned(), port);
    }
    aliases(&mut schema);
    if let Some(top) = section(&mut schema, &[]) {
        let kept = "SeckelAPI's files, for `insula config export --to seckelapi`.";
        top.insert(seckelapi::KEPT.to_owned(), json!({ "description": kept, "type": "object" }));
    }
    schema
}

/// SeckelAPI's names, wherever they may stand.
fn aliases(schema: &mut Json) {
    let own_section = |name: &str| {
        json!({ "description": format!("SeckelAPI's {name} settings."), "type": "object",
        "properties": {}, "additionalProperties": false })
    };
    for name in ["basics", "security"] {
        section(schema, &[]).map(|top| top.insert(name.to_owned(), own_section(name)));
    }
    for setting in seckelapi::SETTINGS {
        let alias = json!({ "description": format!("SeckelAPI's name of `{}`.", setting.ours), "deprecated": true })
            .as_object()
            .cloned()
            .map(|mut alias| {
                alias.extend(shape(setting.unit));
                Json::Object(alias)
            });
        let own: Vec<&str> = setting.ours.split('.').collect();
        let sections = (0..own.len()).map(|length| &own[..length]).chain([&["basics"][..], &["security"][..]]);
        for path in sections {
            if let (Some(properties), Some(alias)) = (section(schema, path), &alias) {
                properties.entry(setting.theirs).or_insert_with(|| alias.clone());
            }
        }
    }
}

fn shape(unit: seckelapi::Unit) -> Map<String, Json> {
    let shape = match unit {
        seckelapi::Unit::Bool => json!({ "type": "boolean" }),
        seckelapi::Unit::Number(least, most) | seckelapi::Unit::Seconds(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        seckelapi::Unit::Word(words) => json!({ "enum": words }),
        seckelapi::Unit::Networks => json!({ "type": "array", "items": { "type": "string" } }),
    };
    shape.as_object().cloned().unwrap_or_default()
}

fn of_tenant() -> Json {
    let mut schema = of::<IdentityConfig>();
    if let Some(top) = section(&mut schema, &[]) {
        for key in identity::OF_THE_INSTALLATION {
            top.shift_remove(key);
        }
    }
    schema
}

/// The properties of a section.
fn section<'s>(schema: &'s mut Json, path: &[&str]) -> Option<&'s mut Map<String, Json>> {
    let mut pointer = String::new();
    for part in path {
        let property = format!("{pointer}/properties/{part}");
        let reference = reference(schema.pointer(&property)?);
        pointer = reference.map_or(property, |reference| reference.trim_start_matches('#').to_owned());
    }
    schema.pointer_mut(&format!("{pointer}/properties"))?.as_object_mut()
}

/// What a schema refers to, alone or where `null` is the other choice.
fn reference(schema: &Json) -> Option<&str> {
    let mut choices = schema["anyOf"].as_array().into_iter().flatten();
    schema["$ref"].as_str().or_else(|| choices.find_map(|choice| choice["$ref"].as_str()))
}

/// Calls for the schema of every object.
fn each_object(schema: &mut Json, change: fn(&mut Map<String, Json>)) {
    match schema {
        Json::Object(fields) => {
            fields.values_mut().for_each(|inner| each_object(inner, change));
            if fields.get("properties").is_some_and(Json::is_object) {
                change(fields);
            }
        }
        Json::Array(list) => list.iter_mut().for_each(|inner| each_object(inner, change)),
        _ => {}
    }
}

/// Beside each secret, the file that it may be in.
fn secret_files(object: &mut Map<String, Json>) {
    let Some(properties) = object.get_mut("properties").and_then(Json::as_object_mut) else { return };
    let is_secret = |schema: &Json| reference(schema) == Some("#/$defs/Secret");
    let secrets: Vec<String> =
        properties.iter().filter(|(_, schema)| is_secret(schema)).map(|(key, _)| key.clone()).collect();
    for key in &secrets {
        let meaning = format!("The file that `{key}` is in, relative to this one. Only its owner may read it.");
        properties.insert(format!("{key}_file"), json!({ "description": meaning, "type": "string" }));
    }
    let Some(Json::Array(required)) = object.get_mut("required") else { return };
    let needed: Vec<String> = secrets.into_iter().filter(|key| required.iter().any(|other| other == key)).collect();
    required.retain(|key| !needed.iter().any(|needed| key == needed));
    let either = |key: String| json!({ "anyOf": [{ "required": [key] }, { "required": [format!("{key}_file")] }] });
    if !needed.is_empty() {
        object.insert("allOf".to_owned(), needed.into_iter().map(either).collect());
    }
}

/// Whether the value at a path of `insula.toml` is a secret.
pub(super) fn is_secret<S: AsRef<str>>(path: &[S]) -> bool {
    static SCHEMA: LazyLock<Json> = LazyLock::new(of::<Config>);
    let mut schema: &Json = &SCHEMA;
    for part in path {
        let inner = schema["properties"].get(part.as_ref());
        let inner = inner.or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()));
        let Some(inner) = inner else { return false };
        match reference(inner) {
            Some("#/$defs/Secret") => schema = &Json::Bool(true),
            Some(reference) => schema = SCHEMA.pointer(reference.trim_start_matches('#')).unwrap_or(&Json::Null),
            None => schema = inner,
        }
    }
    schema == &Json::Bool(true)
}
