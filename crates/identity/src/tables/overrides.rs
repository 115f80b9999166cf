//! `_users.toolkit_overrides`: places in toolkits that a user has whatever the group has.

use std::sync::Arc;

use kernel::ToolkitOverride;
use store::{Result, Row, Value};

/// The overrides in a column. What cannot be read is none, which is logged.
pub(crate) fn from_row(row: &Row, index: usize, user: i64) -> Result<Arc<[ToolkitOverride]>> {
    let Some(text) = row.maybe_text(index)? else { return Ok(Arc::default()) };
    match serde_json::from_str::<Option<Vec<ToolkitOverride>>>(text) {
        Ok(overrides) => Ok(overrides.unwrap_or_default().into()),
        Err(error) => {
            tracing::error!(user, %error, "toolkit_overrides cannot be read; the user has none");
            Ok(Arc::default())
        }
    }
}

/// Overrides as the column has them; null for none.
pub(crate) fn value(overrides: &[ToolkitOverride]) -> Value {
    if overrides.is_empty() { Value::Null } else { Value::from(serde_json::json!(overrides).to_string()) }
}

#[cfg(test)]
mod tests {
    use super::{from_row, value};
    use kernel::ToolkitOverride;
    use store::{Row, Value};

    #[test]
    fn what_is_written_reads_back_and_what_is_broken_is_none() {
        let one = vec![ToolkitOverride { toolkit: "kiosk".into(), group: "staff".into() }];
        assert_eq!(*from_row(&Row(vec![value(&one)]), 0, 1).unwrap(), *one);
        for none in
            [Value::Null, value(&[]), Value::from("null"), Value::from("[{}]"), Value::from("{"), Value::from("[]")]
        {
            assert!(from_row(&Row(vec![none]), 0, 1).unwrap().is_empty());
        }
    }
}
