//! The answers of `POST /query`, written as bytes.

use axum::http::StatusCode;
use edge::Answer;
use kernel::{Error, Reason, RequestId};
use serde::Serialize;
use serde_json::{Value as Json, json};
use store::Value;
use utoipa::ToSchema;

use crate::Outcome;

/// What a query answers; which fields are there depends on the action.
#[derive(Serialize, ToSchema)]
pub(super) struct QueryAnswer {
    /// Whether all went well.
    success: bool,
    /// Rows of a select, the number of a count, the key of an inserted row.
    #[schema(value_type = Option<Object>)]
    data: Option<Json>,
    /// Rows that were written.
    rows_affected: Option<u64>,
    /// Values of an insert that toolkits have filled in, by column.
    #[schema(value_type = Option<Object>)]
    generated: Option<Json>,
    /// What was left out or cut.
    warning: Option<String>,
    /// What came of each statement of a batch.
    #[schema(value_type = Option<Vec<Object>>)]
    results: Option<Vec<Json>>,
    /// What would run, and why.
    #[schema(value_type = Option<Object>)]
    explain: Option<Json>,
}

/// Writes what came of a query.
pub(super) fn write(outcome: Outcome, request: RequestId) -> Answer {
    match outcome {
        Outcome::Explanation(explain) => Answer::ok(json!({ "explain": explain })),
        Outcome::Batch(results, undone) => batch(&results, undone, request),
        single => {
            let rows = if let Outcome::Rows(rows, _) = &single { rows.bytes.len() } else { 0 };
            let mut out = Vec::with_capacity(64 + rows);
            success(&mut out, &single);
            Answer::raw(out.into())
        }
    }
}

/// The object of one statement that went well, without `success`.
pub(crate) fn object(outcome: &Outcome) -> Result<Json, Error> {
    let mut out = Vec::with_capacity(64);
    success(&mut out, outcome);
    let mut object = kernel::json::value(&out).map_err(Error::internal)?;
    if let Json::Object(fields) = &mut object {
        fields.shift_remove("success");
    }
    Ok(object)
}

/// Appends the object of one statement that went well.
fn success(out: &mut Vec<u8>, outcome: &Outcome) {
    out.extend_from_slice(br#"{"success":true"#);
    let warnings = match outcome {
        Outcome::Rows(rows, warnings) => {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(&rows.bytes);
            warnings.as_slice()
        }
        Outcome::Count(number) => {
            out.extend_from_slice(br#","data":"#);
            json_into(out, number);
            &[]
        }
        Outcome::Written { key, rows, generated, warnings } => {
            if let Some(key) = key {
                out.extend_from_slice(br#","data":"#);
                json_into(out, &key_json(key));
            }
            out.extend_from_slice(br#","rows_affected":"#);
            json_into(out, rows);
            if !generated.is_empty() {
                out.extend_from_slice(br#","generated":"#);
                json_into(out, &generated.iter().cloned().collect::<serde_json::Map<_, _>>());
            }
            warnings.as_slice()
        }
        Outcome::Batch(..) | Outcome::Explanation(_) => &[],
    };
    if !warnings.is_empty() {
        out.extend_from_slice(br#","warning":"#);
        json_into(out, &warnings.join("; "));
    }
    out.push(b'}');
}

/// Appends JSON; writing to memory does not fail.
fn json_into<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

/// The key of a new row: its value, or an object where it has several columns.
fn key_json(key: &[(String, Value)]) -> Json {
    let value = |value: &Value| match value {
        Value::Int(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Null | Value::Bytes(_) => Json::Null,
    };
    match key {
        [(_, single)] => value(single),
        many => many.iter().map(|(name, part)| (name.clone(), value(part))).collect::<serde_json::Map<_, _>>().into(),
    }
}

/// The status of a batch: 200 where anything was committed, else that of its first failure.
pub(super) fn batch_status(results: &[Result<Outcome, Error>], undone: bool) -> StatusCode {
    match results.iter().find_map(|result| result.as_ref().err()) {
        Some(error) if undone || results.iter().all(Result::is_err) => {
            if error.reason.status() >= 500 {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::BAD_REQUEST
            }
        }
        _ => StatusCode::OK,
    }
}

fn batch(results: &[Result<Outcome, Error>], undone: bool, request: RequestId) -> Answer {
    let failures = results.iter().filter(|result| result.is_err()).count();
    let status = batch_status(results, undone);
    let mut out = Vec::with_capacity(256);
    if failures == 0 {
        out.extend_from_slice(br#"{"success":true"#);
    } else {
        let what =
            if undone { "Batch operation failed, all changes rolled back" } else { "Some queries of the batch failed" };
        let text = format!("{what} [request_id: {request}]");
        out.extend_from_slice(br#"{"success":false"#);
        for (name, value) in [
            ("reason", Reason::BatchFailed.word()),
            ("error", &text),
            ("message", &text),
            ("request_id", request.as_str()),
        ] {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            json_into(&mut out, value);
        }
        out.extend_from_slice(format!(",\"code\":{}", status.as_u16()).as_bytes());
    }
    out.extend_from_slice(br#","results":["#);
    for (index, result) in results.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match result {
            Ok(outcome) => success(&mut out, outcome),
            Err(error) => failure(&mut out, error),
        }
    }
    out.extend_from_slice(b"]}");
    Answer::raw_status(status, out.into())
}

/// Appends the object of one statement that failed.
fn failure(out: &mut Vec<u8>, error: &Error) {
    let mut object = json!({ "success": false, "error": error.message, "reason": error.reason.word() });
    if let (Some(field), Json::Object(fields)) = (&error.field, &mut object) {
        fields.insert("field".into(), json!(field));
    }
    json_into(out, &object);
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::Value;

    use super::{object, success};
    use crate::Outcome;

    #[test]
    fn an_insert_tells_its_key_and_what_was_filled_in() {
        let outcome = Outcome::Written {
            key: Some(vec![("id".into(), Value::Int(7))]),
            rows: 1,
            generated: vec![("number".into(), json!("T-0001"))],
            warnings: vec!["columns stripped: x".into()],
        };
        let mut out = Vec::new();
        success(&mut out, &outcome);
        let text = r#"{"success":true,"data":7,"rows_affected":1,"generated":{"number":"T-0001"},"warning":"columns stripped: x"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), text);
        let told =
            json!({"data": 7, "rows_affected": 1, "generated": {"number": "T-0001"}, "warning": "columns stripped: x"});
        assert_eq!(object(&outcome).unwrap(), told);
    }
}
