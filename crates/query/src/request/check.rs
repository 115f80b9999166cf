//! Queries that are kept in files are checked before they are.

use kernel::{Error, QueryCheck, Result};
use serde_json::Value as Json;

use super::{Query, QueryRequest};
use crate::rules::Grammar;

impl QueryCheck for Grammar {
    fn check_query(&self, query: &Json) -> Result<()> {
        let text = serde_json::to_vec(query).map_err(Error::internal)?;
        let edge::Json(request) = edge::Json::<QueryRequest>::parse(&text)?;
        Query::try_from(request).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, QueryCheck};
    use serde_json::json;

    #[test]
    fn what_does_not_go_with_the_action_is_named() {
        let check = |query| Grammar.check_query(&query).err().map(|error| error.field.unwrap_or_default());
        assert_eq!(check(json!({"action": "select", "table": "t", "where": {"a": 1}})), None);
        assert_eq!(check(json!({"action": "delete", "table": "t"})).as_deref(), Some("where"));
        assert_eq!(check(json!({"action": "fly", "table": "t"})).as_deref(), Some("action"));
    }
}
