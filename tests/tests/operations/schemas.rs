//! The JSON Schemas of the configuration files say what the program reads, and what it does not.

use std::{fs, path::Path};

use insula_tests::{Backend, Program};
use jsonschema::Validator;
use serde_json::Value as Json;

const FILES: [&str; 5] = ["insula", "identity", "rules", "columns", "toolkit"];

/// What is wrong with each file, by the name of its schema.
const WRONG: [(&str, &str); 26] = [
    ("insula", "nmae = 1"),
    ("insula", "[server]\nlisten_on = \"127.0.0.1:80\""),
    ("insula", "[server]\nrequest_timeout = 30"),
    ("insula", "[server]\nrequest_timeout = \"30 s\""),
    ("insula", "[server]\nmax_body_size = \"1mb\""),
    ("insula", "[server]\ntrusted_proxies = \"10.0.0.0/8\""),
    ("insula", "[server]\ntrusted_proxies = [\"proxy\"]"),
    ("insula", "[identity]\nsession_timeout_minutes = 0"),
    ("insula", "[identity]\nregistration = \"maybe\""),
    ("insula", "[identity.captcha]\nprovider = \"turnstile\""),
    ("insula", "[store]\ndatabase = 5"),
    ("insula", "session_update_interval_seconds = \"30s\""),
    ("identity", "hash_queue = 5"),
    ("identity", "[mail]\nport = 25"),
    ("rules", "[[rules]]\ntable = \"a\"\nactions = [\"select\"]"),
    ("rules", "[[rules]]\ntable = \"a\"\ngroups = [\"g\"]\nactions = [\"fly\"]"),
    (
        "rules",
        "[[rules]]\ntable = \"a\"\ngroups = [\"g\"]\nactions = [\"select\"]\nwhen = { column = \"a\", op = \"~\", value = 1 }",
    ),
    ("rules", "[[rules]]\ntable = \"a\"\ngroups = [\"g\"]\nactions = [\"select\"]\nwhen = { and = [], or = [] }"),
    ("columns", "enabled = 1"),
    ("columns", "[overrides.logs]\npinned = false"),
    ("toolkit", "enabled = true"),
    ("toolkit", "name = \"a\"\ntabels = []"),
    ("toolkit", "name = \"a\"\ntype = \"app\""),
    ("toolkit", "name = \"a\"\n[endpoints.0]\npath = \"x\"\ntype = \"http\""),
    ("toolkit", "name = \"a\"\n[endpoints.0]\npath = \"x\"\ntype = \"internal\"\nurl = \"http://x/\""),
    ("toolkit", "name = \"a\"\n[endpoints.first]\npath = \"x\"\ntype = \"internal\""),
];

/// What fits.
const RIGHT: [(&str, &str); 10] = [
    ("insula", ""),
    ("insula", "[server]\nport = 80\nhost = \"::\"\nmax_body_size = \"2 MB\"\ntrusted_proxies = [\"fd00::/8\"]"),
    ("insula", "master_key_file = \"key\"\n[store]\ndatabase_file = \"url\"\n[identity.mail]\nsmtp_url_file = \"x\""),
    ("insula", "[identity.captcha]\nprovider = \"turnstile\"\nsecret_file = \"captcha\""),
    ("insula", "session_timeout_minutes = 5\n[security]\nenable_rate_limiting = true\n[x_seckelapi.\"a.toml\"]\nb = 1"),
    ("insula", "[identity.providers.google]\nclient_id = \"x\"\nclient_secret_file = \"y\""),
    (
        "toolkit",
        "name = \"a\"\n[endpoints.0]\npath = \"x\"\ntype = \"http\"\nurl = \"http://x/\"\ntimeout_seconds = 3\n\
        headers = { authorization = { file = \"key\" } }\n[db_fallback_permissions.100]\nbasic_rules = [\"a:rw\"]\n\
        [pseudo_querys.q]\naction = \"select\"\ntable = \"a\"\nlimit = \"$payload.n\"\n[x_seckelapi]\nold = 1",
    ),
    (
        "columns",
        "enabled = true\n[overrides.logs]\nall = false\n[core_system_column_overrides._users]\npinned_to = false",
    ),
    ("identity", "registration = \"closed\"\nwhitelisted_pin_ips = [\"192.0.2.7\", \"10.0.0.0/8\"]"),
    (
        "rules",
        "[[rules]]\ntable = \"a\"\npower = { min = 10 }\nactions = [\"delete\"]\nwhen = { not = { exists = { table = \"b\", \
        where = { x = \"$row.y\" }, filter = { or = [{ column = \"c\", op = \"is_null\" }] } } } }\nset = { by = \"$principal.id\" }",
    ),
];

struct Schemas(Vec<(&'static str, Json, Validator)>);

impl Schemas {
    fn read(program: &Program) -> Self {
        let read = |name| {
            let schema = program.json(&["config", "schema", name]);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            let validator = jsonschema::validator_for(&schema).unwrap();
            (name, schema, validator)
        };
        Self(FILES.map(read).into())
    }

    /// What a schema has against a file.
    fn problems(&self, name: &str, text: &str) -> Vec<String> {
        let value: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let value = serde_json::to_value(value).unwrap();
        let (_, _, validator) = self.0.iter().find(|(other, ..)| *other == name).unwrap();
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

#[test]
fn schemas_fit_what_is_right_and_refuse_what_is_wrong() {
    let schemas = Schemas::read(&Program::new(Backend::Sqlite));
    for (name, text) in RIGHT {
        assert_eq!(schemas.problems(name, text), Vec::<String>::new(), "{name}\n{text}");
    }
    for (name, text) in WRONG {
        assert!(!schemas.problems(name, text).is_empty(), "{name} allows\n{text}");
    }
    let rules = include_str!("../../../crates/insula/src/demo/rules.toml");
    assert_eq!(schemas.problems("rules", rules), Vec::<String>::new());
}

#[test]
fn every_setting_is_described() {
    let program = Program::new(Backend::Sqlite);
    let schemas = Schemas::read(&program);
    let shown = program.json(&["config", "show"])["config"].clone();
    let (_, schema, validator) = &schemas.0[0];
    let problems: Vec<String> = validator.iter_errors(&shown).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "the defaults do not fit: {problems:#?}");
    look(schema, schema, &shown, "");
    let timeout = &schema["$defs"]["EdgeConfig"]["properties"]["request_timeout"];
    assert_eq!(timeout["default"], "30s");
    assert_eq!(schema["$defs"]["StoreConfig"]["properties"]["database"]["default"], "sqlite");
}

/// Looks for every key of a section, and its description.
fn look(root: &Json, section: &Json, shown: &Json, path: &str) {
    for (key, value) in shown.as_object().unwrap() {
        let path = format!("{path}.{key}");
        let property = section["properties"].get(key).unwrap_or_else(|| panic!("the schema has no {path}"));
        assert!(property["description"].as_str().is_some_and(|text| text.len() > 5), "{path} is not described");
        assert!(property.get("default").is_some(), "{path} has no default");
        if let Some(reference) = property["$ref"].as_str().filter(|_| value.is_object()) {
            look(root, root.pointer(reference.trim_start_matches('#')).unwrap(), value, &path);
        }
    }
}

#[test]
fn the_examples_of_the_book_fit() {
    let schemas = Schemas::read(&Program::new(Backend::Sqlite));
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut examples = 0;
    for page in fs::read_dir(book).unwrap().map(|entry| entry.unwrap().path()) {
        if page.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("\n```").skip(1).step_by(2) {
            let (info, body) = block.split_once('\n').unwrap_or((block, ""));
            if info == "toml" {
                let fits = |name: &&str| schemas.problems(name, body).is_empty();
                assert!(FILES.iter().any(fits), "{}:\n{body}", page.display());
                examples += 1;
            }
            for (name, file, refused) in written(body) {
                let problems = schemas.problems(name, &file);
                assert_eq!(!problems.is_empty(), refused, "{}: {problems:#?}\n{file}", page.display());
                examples += 1;
            }
        }
    }
    assert!(examples >= 8, "only {examples} examples were found");
}

/// The files that a script writes, with the name of their schema, and whether it shows what is refused.
fn written(script: &str) -> Vec<(&'static str, String, bool)> {
    let mut files = Vec::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let Some((command, end)) = line.strip_prefix("cat >").and_then(|rest| rest.split_once(" <<")) else { continue };
        let end = end.trim_matches('\'');
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        let name = FILES
            .into_iter()
            .find(|name| command.trim_start_matches('>').trim().rsplit('/').next() == Some(&format!("{name}.toml")));
        let refused = script.contains("config check") && script.contains("||");
        files.extend(name.map(|name| (name, body.join("\n"), refused)));
    }
    files
}
