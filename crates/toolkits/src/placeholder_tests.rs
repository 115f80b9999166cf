use kernel::{Reason, time::Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Known, Scope, Slot, Source, Template};
use crate::context::Context;

fn context(payload: &Value) -> Context {
    Context {
        user_id: None,
        username: "ada".into(),
        power: 10,
        core_group_id: 2,
        core_group_name: "users".into(),
        toolkit_group: None,
        request_id: "1".into(),
        payload: payload.as_object().unwrap().clone(),
        db_context: serde_json::Map::new(),
    }
}

fn resolve(text: &Value, slot: Slot, payload: &Value) -> Result<Option<Value>, (Reason, String)> {
    let context = context(payload);
    let rows = json!({"data": [{"id": 7, "none": null}], "warning": "x"});
    let (empty, count, made) =
        (json!({"data": []}), json!({"data": 3}), json!({"data": 9, "rows_affected": 1, "generated": {"tag": "A-1"}}));
    let answers = [("rows", &rows), ("empty", &empty), ("count", &count), ("made", &made)];
    let answers = answers.map(|(name, answer)| Known { name, answer });
    let now: Timestamp = "2026-11-21T23:27:06Z".parse().unwrap();
    let scope = Scope { context: &context, now, answers: &answers };
    let template = Template::parse(text).unwrap();
    template
        .resolve(slot, &|source, slot| source.value(slot, &scope))
        .map_err(|error| (error.reason, error.field.unwrap_or_default()))
}

fn data(text: &str) -> Value {
    resolve(&json!(text), Slot::Data, &json!({"a": {"b": 5}, "list": [1]})).unwrap().unwrap()
}

#[test]
fn every_placeholder_stands_for_a_typed_value() {
    assert_eq!(data("$payload.a.b"), json!(5));
    assert_eq!(data("$payload.list"), json!([1]));
    assert_eq!(data("$payload"), json!({"a": {"b": 5}, "list": [1]}));
    assert_eq!((data("$user_id"), data("$username"), data("$power")), (json!(null), json!("ada"), json!(10)));
    assert_eq!(data("$now"), "2026-11-21T23:27:06Z");
    assert_eq!((data("$now+7d"), data("$now-90m")), (json!("2026-11-28T23:27:06Z"), json!("2026-11-21T21:57:06Z")));
    assert_eq!((data("$today"), data("$today+1h")), (json!("2026-11-21"), json!("2026-11-22")));
    assert_eq!((data("$rows.id"), data("$count.data"), data("$made.id")), (json!(7), json!(3), json!(9)));
    assert_eq!(
        (data("$made.data"), data("$made.tag"), data("$made.rows_affected")),
        (json!(9), json!("A-1"), json!(1))
    );
    assert_eq!((data("$$now"), data("no $now")), (json!("$now"), json!("no $now")));
    let whole = json!({"by": "$username", "list": ["$power", 1], "gone": "$payload.x?"});
    let resolved = resolve(&whole, Slot::Data, &json!({})).unwrap();
    assert_eq!(resolved, Some(json!({"by": "ada", "list": [10, 1]})));
}

#[test]
fn a_condition_takes_a_single_value_alone() {
    let condition = |text: &str, payload: Value| resolve(&json!(text), Slot::Condition, &payload);
    let refused = |reason, field: &str| Err((reason, field.to_owned()));
    assert_eq!(condition("$payload.x", json!({"x": "y"})), Ok(Some(json!("y"))));
    for wrong in [json!(null), json!([1]), json!({"op": "!="})] {
        assert_eq!(condition("$payload.x", json!({"x": wrong})), refused(Reason::FieldInvalid, "x"));
    }
    assert_eq!(condition("$payload.x", json!({})), refused(Reason::FieldMissing, "x"));
    assert_eq!(condition("$payload.x.y", json!({"x": 1})), refused(Reason::FieldMissing, "x.y"));
    assert_eq!(condition("$payload.x?", json!({"x": null})), Ok(None));
    // Nobody's rows are not the rows of nobody in particular.
    assert_eq!(condition("$user_id", json!({})), Ok(Some(json!(0))));
    assert_eq!(condition("$rows.none", json!({})), refused(Reason::StepRefused, ""));
    assert_eq!(condition("$rows.gone", json!({})), refused(Reason::StepRefused, ""));
    assert_eq!(condition("$empty.id", json!({})), refused(Reason::StepRefused, ""));
}

#[test]
fn lists_and_numbers_are_what_they_say() {
    let list = |value: Value| resolve(&json!("$payload.x"), Slot::List, &json!({"x": value}));
    assert_eq!(list(json!([1, "a"])), Ok(Some(json!([1, "a"]))));
    for wrong in [json!(1), json!([[1]]), json!([null]), json!([{}]), json!(vec![1; 1_001])] {
        assert_eq!(list(wrong).unwrap_err().0, Reason::FieldInvalid);
    }
    let number = |value: Value| resolve(&json!("$payload.x"), Slot::Number, &json!({"x": value}));
    assert_eq!((number(json!(5)), number(json!("5"))), (Ok(Some(json!(5))), Ok(Some(json!(5)))));
    for wrong in [json!(-1), json!(1.5), json!("x"), json!([]), json!(null)] {
        assert_eq!(number(wrong).unwrap_err().0, Reason::FieldInvalid);
    }
}

#[test]
fn what_stands_for_nothing_is_refused() {
    for wrong in
        ["$", "$usr_id", "$payloadx", "$payload.", "$payload..a", "$now+", "$now+7", "$now*2", "$a b.c", "$x", "$.x"]
    {
        assert!(Template::parse(&json!(wrong)).is_err(), "{wrong}");
    }
    assert!(Template::parse(&json!("$usr_id")).unwrap_err().contains("did you mean `user_id`?"));
    let optional = Source::Payload { path: vec!["a".into()], optional: true };
    assert_eq!(Template::parse(&json!("$payload.a?")), Ok(Template::Source(optional)));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\$?.{0,20}", payload in ".{0,20}") {
        if let Ok(template) = Template::parse(&json!(text)) {
            let context = context(&json!({"payload": payload}));
            let scope = Scope { context: &context, now: kernel::time::now(), answers: &[] };
            let _ = template.resolve(Slot::Condition, &|source, slot| source.value(slot, &scope));
        }
    }
}
