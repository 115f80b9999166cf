//! What callers may send to an endpoint.

use kernel::{Error, Reason, Result, json::RESERVED};
use serde_json::{Map, Value, json};

use crate::file::{ClientFilter, FieldType};

/// The field of the payload with what was taken out of the path.
pub(crate) const PATH: &str = "_path";

/// The pairs of a query string as a payload. Errors: 400 `duplicate_key`, `field_unknown`.
pub(crate) fn pairs(query: &str) -> Result<Map<String, Value>> {
    let mut payload = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name.starts_with(RESERVED) {
            return Err(Error::new(Reason::FieldUnknown, "This field is reserved").at(shortened(&name)));
        }
        if payload.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(Error::new(Reason::DuplicateKey, "A parameter is there twice").at(shortened(&name)));
        }
    }
    Ok(payload)
}

impl ClientFilter {
    /// Refuses a payload that has what it may not have, or lacks what it must have. `typed` turns texts of a query
    /// string into what they must be.
    ///
    /// Errors: 400 `field_unknown`, `field_missing`, `field_invalid`, each with the field.
    pub(crate) fn check(&self, payload: &mut Map<String, Value>, typed: bool) -> Result<()> {
        for name in payload.keys() {
            let unknown = |message: &str| Error::new(Reason::FieldUnknown, message).at(shortened(name));
            if name == PATH {
                return Err(unknown("This field is reserved"));
            }
            if let Some(allowed) = &self.allowed_fields
                && !allowed.contains(name)
            {
                return Err(unknown(&format!("There is no such field; expected one of {}", allowed.join(", "))));
            }
        }
        for name in &self.required_fields {
            if payload.get(name).is_none_or(Value::is_null) {
                return Err(Error::new(Reason::FieldMissing, "This field is required").at(name));
            }
        }
        for (name, expected) in &self.types {
            let Some(value) = payload.get_mut(name).filter(|value| !value.is_null()) else { continue };
            if typed
                && let Value::String(text) = value
                && let Some(read) = expected.read(text)
            {
                *value = read;
            }
            if !expected.fits(value) {
                let message = format!("The field has the wrong type: expected {}", expected.article());
                return Err(Error::new(Reason::FieldInvalid, message).at(name));
            }
        }
        Ok(())
    }
}

impl FieldType {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer => text.parse::<i64>().ok().map(|number| json!(number)),
            Self::Number => serde_json::from_str(text).ok().filter(Value::is_number),
            Self::Boolean => text.parse::<bool>().ok().map(|flag| json!(flag)),
            Self::String | Self::Object | Self::Array => None,
        }
    }

    const fn article(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }
}

/// A name that a stranger chose, for an answer.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::pairs;
    use crate::file::{ClientFilter, FieldType};
    use kernel::Reason;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn refusal(payload: &Value, typed: bool) -> Option<(Reason, String)> {
        let filter = ClientFilter {
            allowed_fields: Some(vec!["code".into(), "count".into()]),
            required_fields: vec!["code".into()],
            types: BTreeMap::from([("count".into(), FieldType::Integer), ("code".into(), FieldType::String)]),
        };
        let mut payload = payload.as_object().unwrap().clone();
        filter.check(&mut payload, typed).err().map(|error| (error.reason, error.field.unwrap()))
    }

    #[test]
    fn every_refusal_names_its_field() {
        let told = |reason, field: &str| Some((reason, field.to_owned()));
        assert_eq!(refusal(&json!({"code": "a", "count": 2}), false), None);
        assert_eq!(refusal(&json!({"code": "a", "count": null}), false), None);
        assert_eq!(refusal(&json!({"code": "a", "count": "2"}), true), None);
        assert_eq!(refusal(&json!({"code": "a", "count": "2"}), false), told(Reason::FieldInvalid, "count"));
        assert_eq!(refusal(&json!({"code": "a", "count": 2.5}), false), told(Reason::FieldInvalid, "count"));
        assert_eq!(refusal(&json!({"code": 5}), false), told(Reason::FieldInvalid, "code"));
        assert_eq!(refusal(&json!({"code": null}), false), told(Reason::FieldMissing, "code"));
        assert_eq!(refusal(&json!({}), false), told(Reason::FieldMissing, "code"));
        assert_eq!(refusal(&json!({"code": "a", "x": 1}), false), told(Reason::FieldUnknown, "x"));
        assert_eq!(refusal(&json!({"code": "a", "_path": {}}), false), told(Reason::FieldUnknown, "_path"));
    }

    #[test]
    fn a_query_string_has_each_parameter_once() {
        assert_eq!(Value::Object(pairs("a=1&b=x%20y&c").unwrap()), json!({"a": "1", "b": "x y", "c": ""}));
        assert_eq!(pairs("a=1&a=2").unwrap_err().reason, Reason::DuplicateKey);
        assert_eq!(pairs("%24serde_json::private::RawValue=[[").unwrap_err().reason, Reason::FieldUnknown);
    }
}
