use http::HeaderMap;
use kernel::Reason;
use serde::Deserialize;
use serde_json::Value;

use super::{parse, require_json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is of interest")]
struct Query {
    action: Action,
    limit: Option<u64>,
    tables: Option<Vec<Table>>,
    anything: Option<Value>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Select,
    Count,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is of interest")]
struct Table {
    name: String,
    on: Option<bool>,
}

fn refusal(body: &str) -> (Reason, String, String) {
    let error = parse::<Query>(body.as_bytes()).unwrap_err();
    (error.reason, error.field.unwrap_or_default(), error.message)
}

fn check(body: &str, reason: Reason, field: &str, message: &str) {
    assert_eq!(refusal(body), (reason, field.to_owned(), message.to_owned()), "{body}");
}

#[test]
fn a_good_body() {
    let query: Query = parse(br#" {"action":"select","limit":18446744073709551615,"anything":{"x":1.50}} "#).unwrap();
    assert!(matches!(query.action, Action::Select));
    assert_eq!(query.limit, Some(u64::MAX));
    assert_eq!(query.anything.unwrap()["x"].to_string(), "1.50");
}

#[test]
fn fields_that_are_missing_or_unknown() {
    check("{}", Reason::FieldMissing, "action", "This field is required");
    check(
        r#"{"action":"count","tables":[{"name":"a"},{}]}"#,
        Reason::FieldMissing,
        "tables[1].name",
        "This field is required",
    );
    check(
        r#"{"action":"count","tables":[{"name":"a","of":1}]}"#,
        Reason::FieldUnknown,
        "tables[0].of",
        "There is no such field; expected `name` or `on`",
    );
    let (reason, field, message) = refusal(r#"{"actoin":1}"#);
    assert_eq!((reason, field.as_str()), (Reason::FieldUnknown, "actoin"));
    assert!(message.contains("`action`"), "{message}");
}

#[test]
fn fields_of_the_wrong_type() {
    let invalid = Reason::FieldInvalid;
    check(
        r#"{"action":"count","limit":"7"}"#,
        invalid,
        "limit",
        "The field has the wrong type: expected a whole number that is not negative, got a string",
    );
    check(
        r#"{"action":"count","tables":[{"name":5}]}"#,
        invalid,
        "tables[0].name",
        "The field has the wrong type: expected a string, got a number",
    );
    check(
        r#"{"action":"count","tables":{}}"#,
        invalid,
        "tables",
        "The field has the wrong type: expected an array, got an object",
    );
    check(
        r#"{"action":"count","tables":[null]}"#,
        invalid,
        "tables[0]",
        "The field has the wrong type: expected an object, got null",
    );
    check(
        r#"{"action":"drop"}"#,
        invalid,
        "action",
        "The field has a value that is not allowed: expected `select` or `count`",
    );
    for action in ["true", "null", "7", "[]", "{}"] {
        let body = format!(r#"{{"action":{action}}}"#);
        check(&body, invalid, "action", "The field has the wrong type: expected a string");
    }
    check(
        r#"{"action":"count","tables":[[]]}"#,
        invalid,
        "tables[0]",
        "The field has the wrong type: expected an object, got an array",
    );
    for number in ["-1", "1.5", "1e400", "99999999999999999999999"] {
        let (reason, field, _) = refusal(&format!(r#"{{"action":"count","limit":{number}}}"#));
        assert_eq!((reason, field.as_str()), (invalid, "limit"), "{number}");
    }
}

#[test]
fn shapes_that_are_refused() {
    for (body, reason) in [
        ("", Reason::MalformedJson),
        ("{", Reason::MalformedJson),
        (r#"{"action":5, nonsense"#, Reason::MalformedJson),
        (r#"{"action":"select"} {}"#, Reason::MalformedJson),
        (r#"{"action":"select",}"#, Reason::MalformedJson),
        (r#"{"action":NaN}"#, Reason::MalformedJson),
        ("\u{feff}{}", Reason::MalformedJson),
        ("[]", Reason::BodyNotObject),
        ("7", Reason::BodyNotObject),
        ("null", Reason::BodyNotObject),
        (r#""text""#, Reason::BodyNotObject),
    ] {
        assert_eq!(refusal(body).0, reason, "{body}");
    }
    let error = parse::<Query>(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(error.reason, Reason::MalformedJson);
    check(r#"{"anything":{"a":1,"a":2}}"#, Reason::DuplicateKey, "anything.a", "A key is there twice in one object");
    let (reason, field, _) = refusal(r#"{"anything":{"$serde_json::private::RawValue":"[[[["}}"#);
    assert_eq!((reason, field.as_str()), (Reason::FieldUnknown, "anything.$serde_json::private::RawValue"));
}

#[test]
fn depth_counts_containers_not_numbers() {
    let body = |depth: usize| format!(r#"{{"action":"count","anything":{}7{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(parse::<Query>(body(63).as_bytes()).is_ok());
    assert_eq!(refusal(&body(64)).0, Reason::TooDeep);
    assert_eq!(refusal(&"[".repeat(10_000_000)).0, Reason::TooDeep);
    assert_eq!(refusal(&r#"{"a":"#.repeat(1_000_000)).0, Reason::TooDeep);
}

#[test]
fn what_was_sent_is_not_echoed() {
    let long = "x".repeat(100_000);
    for body in [
        format!(r#"{{"action":"count","limit":"{long}"}}"#),
        format!(r#"{{"action":"{long}"}}"#),
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"action":"count","tables":[{{"{long}":1}}]}}"#),
        format!(r#"{{"action":"count","name":[1],"{long}":1,"{long}":1}}"#),
    ] {
        let (_, field, message) = refusal(&body);
        assert!(field.len() < 300 && message.len() < 300, "{} {}", field.len(), message.len());
    }
    let (_, _, message) = refusal(r#"{"action":"count","limit":"secret, expected `more"}"#);
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn content_types() {
    let accepts = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", value.parse().unwrap());
        require_json(&headers).is_ok()
    };
    for good in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/merge-patch+json",
    ] {
        assert!(accepts(good), "{good}");
    }
    for bad in
        ["", "text/plain", "text/json", "application/jsonp", "application/json; charset=latin1", "json", "text/a+json"]
    {
        assert!(!accepts(bad), "{bad}");
    }
    assert!(require_json(&HeaderMap::new()).is_err());
}
