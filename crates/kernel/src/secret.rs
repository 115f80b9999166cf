//! Values that must not be shown.

use std::{cell::Cell, fmt};

use serde::{Deserialize, Serialize, Serializer};

thread_local! {
    static EXPOSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function in which secrets are serialised as they are, for values that are read back at once: settings over
/// which others are laid.
pub fn exposed<T>(work: impl FnOnce() -> T) -> T {
    struct Cover;
    impl Drop for Cover {
        fn drop(&mut self) {
            EXPOSED.set(false);
        }
    }
    EXPOSED.set(true);
    let _cover = Cover;
    work()
}

/// A secret from the configuration. `Debug`, logs and `config show` see `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl schemars::JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A secret, which is never shown again.",
            "type": "string",
            "writeOnly": true,
        })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if EXPOSED.get() { &self.0 } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, exposed};

    #[test]
    fn a_secret_shows_only_where_it_is_exposed() {
        let secret = Secret::new("s3cret");
        let json = || serde_json::to_string(&secret).unwrap();
        assert_eq!((json().as_str(), exposed(json).as_str(), json().as_str()), ("\"***\"", "\"s3cret\"", "\"***\""));
        assert!(std::panic::catch_unwind(|| exposed(|| panic!("in between"))).is_err());
        assert_eq!(json(), "\"***\"");
        assert_eq!(format!("{secret:?}"), "***");
    }
}
