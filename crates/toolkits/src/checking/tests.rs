use std::{path::Path, sync::Arc};

use kernel::{Error, QueryCheck, Reason, Result, RuleCheck};
use serde_json::Value;
use upstream::Clients;

use super::{Checked, Checker};

/// Takes every rule but `bad`, and every query but of the table `bad`.
struct Anything;

impl RuleCheck for Anything {
    fn check_rules(&self, basic: &[String], advanced: &[String]) -> Result<()> {
        if basic.iter().chain(advanced).any(|rule| rule.ends_with(":bad")) {
            return Err(Error::new(Reason::FieldInvalid, "no such code"));
        }
        Ok(())
    }
}

impl QueryCheck for Anything {
    fn check_query(&self, query: &Value) -> Result<()> {
        if query["table"] == "bad" {
            return Err(Error::new(Reason::WhereRequired, "it needs a condition").at("where"));
        }
        Ok(())
    }
}

fn mistakes(text: &str) -> Vec<String> {
    let clients = Arc::new(Clients::new());
    let checker = Checker { grammar: &Anything, clients: &clients, folder: Path::new("/nowhere") };
    match checker.check("kit", &format!("name = \"kit\"\ntables = [\"items\", \"bad\"]\n{text}"), None) {
        Checked::Good(_) => Vec::new(),
        Checked::Broken(_, mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

const QUERIES: &str = r#"
[pseudo_querys.find]
action = "select"
table = "items"
columns = ["items.id"]
where = { name = "$payload.name" }
[pseudo_querys.take]
action = "update"
table = "items"
data = { owner = "$user_id" }
where = { id = "$find.id" }
[pseudo_querys.odd]
action = "update"
table = "items"
data = { owner = "$find.owner" }
where = { id = 1 }
"#;

fn endpoint(rest: &str) -> String {
    format!("[endpoints.0]\npath = \"a/{{x}}\"\n{rest}\n{QUERIES}")
}

/// The only mistake begins and ends with words.
fn only(text: &str, key: &str, words: &str) {
    let told = mistakes(text);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(&format!(": {key}: ")) && told[0].contains(words), "{key}, {words}: {}", told[0]);
    assert!(!told[0].contains(" line 0"), "{}", told[0]);
}

#[test]
fn queries_speak_of_what_ran_before_them() {
    let internal =
        |queries: &str| endpoint(&format!("type = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [{queries}]"));
    assert_eq!(mistakes(&internal("\"find\", \"take\"")), Vec::<String>::new());
    only(&internal("\"take\", \"find\""), "endpoints.0.pseudo_querys[0]", "find does not run before it here");
    only(&internal("\"find\", \"odd\""), "endpoints.0.pseudo_querys[1]", "which find does not tell");
    only(&internal("\"find\", \"find\""), "endpoints.0.pseudo_querys[1]", "there twice");
    only(&internal("\"fnid\""), "endpoints.0.pseudo_querys[0]", "did you mean `find`?");
    only(&internal(""), "endpoints.0.pseudo_querys", "at least one query");
    only(
        &endpoint("type = \"internal\"\npseudo_querys = [\"find\"]\nanswer = \"take\""),
        "endpoints.0.answer",
        "not among its pseudo_querys",
    );
    only(
        &endpoint("type = \"internal\"\npseudo_querys = [\"find\"]\ninject_db_context = [\"find\", \"take\"]"),
        "endpoints.0.inject_db_context[1]",
        "take writes",
    );
}

#[test]
fn queries_are_looked_at_one_by_one() {
    let query = |rest: &str| format!("[pseudo_querys.q]\n{rest}");
    only(&query("action = \"delete\"\ntable = \"bad\""), "pseudo_querys.q.where", "it needs a condition");
    only(&query("action = \"select\"\ntable = \"_users\""), "pseudo_querys.q.table", "Insula's own");
    only(
        &query("action = \"select\"\ntable = \"items\"\nwhere = { a = \"$pyload.a\" }"),
        "pseudo_querys.q.where.a",
        "stands for nothing",
    );
    only(
        &query("action = \"delete\"\ntable = \"items\"\nwhere = { a = \"$payload.a?\" }"),
        "pseudo_querys.q.where",
        "cannot be left out",
    );
    only(
        &query(
            "action = \"select\"\ntable = \"items\"\nfilter = { not = { column = \"a\", op = \"=\", value = \"$payload.a?\" } }",
        ),
        "pseudo_querys.q.filter",
        "cannot be left out",
    );
    only(&query("action = \"count\"\ntable = \"items\"\nsingle = true"), "pseudo_querys.q.single", "only a select");
    only(
        &query("action = \"count\"\ntable = \"items\"\nexpect = { min = 2, max = 1 }"),
        "pseudo_querys.q.expect",
        "min is above max",
    );
    only(
        &query("action = \"count\"\ntable = \"items\"\nexpect = { message = \"x\" }"),
        "pseudo_querys.q.expect",
        "nothing is expected",
    );
    only(
        "[pseudo_querys.payload]\naction = \"count\"\ntable = \"items\"",
        "pseudo_querys.payload",
        "name of a placeholder",
    );
}

#[test]
fn endpoints_are_told_apart_and_fit_their_type() {
    only(&endpoint("type = \"http\"\nurl = \"http://a/{y}\""), "endpoints.0.url", "the path has no {y}");
    assert_eq!(mistakes(&endpoint("type = \"http\"\nurl = \"http://a/{x}\"")), Vec::<String>::new());
    only(
        &endpoint("type = \"http\"\nurl = \"http://a/\"\nrights = \"toolkit\""),
        "endpoints.0.rights",
        "for internal endpoints",
    );
    only(
        &endpoint("type = \"executable\"\ncommand = [\"/a\"]\nresponse_format = \"passthrough\""),
        "endpoints.0.response_format",
        "http endpoints",
    );
    only(
        &endpoint("type = \"internal\"\npseudo_querys = [\"find\"]\noverwrite_wrapping = true"),
        "endpoints.0.overwrite_wrapping",
        "leave it out",
    );
    only(&endpoint("type = \"internal\"\npseudo_querys = [\"find\"]\nmethods = []"), "endpoints.0.methods", "both");
    let twice = endpoint(
        "type = \"internal\"\npseudo_querys = [\"find\"]\n[endpoints.1]\npath = \"a/{y}\"\ntype = \"internal\"\npseudo_querys = [\"find\"]",
    );
    only(&twice, "endpoints.1.path", "endpoints.0 answers POST at this path already");
    let filter = "type = \"internal\"\npseudo_querys = [\"find\"]\nclient_filter = { allowed_fields = [\"a\"], required_fields = [\"b\"] }";
    only(&endpoint(filter), "endpoints.0.client_filter.required_fields", "b is not among allowed_fields");
}

#[test]
fn rights_and_columns_are_about_the_own_tables() {
    only("[groups.a]\npermissions = [\"items:bad\"]", "groups.a.permissions[0]", "no such code");
    only("[groups.a]\nbasic_rules = [\"others:r\"]", "groups.a.basic_rules[0]", "others is not among");
    only("[groups.a]\npermissions = [\"*:r\"]", "groups.a.permissions[0]", "name the table");
    only("[groups.\"a b\"]\n", "groups.a b", "letters");
    only("[associations]\nusers = \"staff\"", "associations.users", "no group \"staff\"");
    only("[db_fallback_permissions.101]\n", "db_fallback_permissions.101", "from 1 to 100");
    only("write_protected_columns = [\"items\"]", "write_protected_columns[0]", "table.column");
    only("[system_column_overrides.others]\nall = false", "system_column_overrides.others", "others is not among");
    only(
        "[auto_generation.items.a]\nkind = \"uuid\"\ndigits = 3",
        "auto_generation.items.a.digits",
        "goes with the kind sequence",
    );
    only(
        "[auto_generation.items.a]\nkind = \"random\"\nalphabet = \"aa\"",
        "auto_generation.items.a.alphabet",
        "each once",
    );
    assert_eq!(
        mistakes("[auto_generation.items]\na = { kind = \"random\" }\nb = { kind = \"now\", on = [\"update\"] }"),
        Vec::<String>::new()
    );
}

#[test]
fn a_schedule_has_one_rhythm_and_reaches_the_own_tables() {
    let schedule = |rest: &str| format!("[scheduled_queries.s]\n{rest}\n{QUERIES}");
    assert_eq!(
        mistakes(&schedule("cron = \"0 6 * * 1-5\"\ntimezone = \"Europe/Berlin\"\npseudo_querys = [\"find\"]")),
        Vec::<String>::new()
    );
    only(&schedule("pseudo_querys = [\"find\"]"), "scheduled_queries.s.cron", "write cron");
    only(
        &schedule("cron = \"0 6 * * *\"\nevery = \"1h\"\npseudo_querys = [\"find\"]"),
        "scheduled_queries.s.every",
        "either",
    );
    only(&schedule("every = \"1s\"\npseudo_querys = [\"find\"]"), "scheduled_queries.s.every", "10s");
    only(
        &schedule("every = \"1h\"\ntimeout = \"1h\"\npseudo_querys = [\"find\"]"),
        "scheduled_queries.s.timeout",
        "10m",
    );
}
