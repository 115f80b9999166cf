//! The layers of a user's preferences, and what may be in them.

use kernel::{Error, Reason, Result};
use serde_json::{Map, Value as Json};

use super::{Layer, View};

/// The name of the layer of all clients.
const GLOBAL: &str = "global";
/// Where other implementations keep a user's places in toolkits. Here those have a column of their own, and a name that
/// may mean rights elsewhere is not kept at all.
const OVERRIDES: &str = "toolkit_overrides";
/// How deep data may nest.
const MAX_DEPTH: usize = 16;
const MAX_CLIENT: usize = 128;

/// All preferences of a user: layers by the names of their clients.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Document(Map<String, Json>);

impl Document {
    /// Preferences as they are stored.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        Self(text.and_then(|text| kernel::json::object(text.as_bytes()).ok()).unwrap_or_default())
    }

    /// How they are stored: not at all where there are none.
    pub(crate) fn to_text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| Json::Object(self.0.clone()).to_string())
    }

    /// What a client sees.
    pub(crate) fn view(&self, view: View, client: &str) -> Map<String, Json> {
        match view {
            View::Global => self.layer(GLOBAL),
            View::Client => self.layer(client),
            View::Normal => {
                let mut both = self.layer(GLOBAL);
                merge(&mut both, self.layer(client));
                both
            }
        }
    }

    fn layer(&self, name: &str) -> Map<String, Json> {
        self.0.get(name).and_then(Json::as_object).cloned().unwrap_or_default()
    }

    /// Merges data into a layer.
    pub(crate) fn merge(&mut self, layer: Layer, client: &str, data: Map<String, Json>) {
        let name = layer.name(client);
        let mut merged = self.layer(name);
        merge(&mut merged, data);
        self.0.insert(name.to_owned(), Json::Object(merged));
    }

    /// Removes a layer.
    pub(crate) fn forget(&mut self, layer: Layer, client: &str) {
        self.0.shift_remove(layer.name(client));
    }
}

impl Layer {
    fn name(self, client: &str) -> &str {
        match self {
            Self::Client => client,
            Self::Global => GLOBAL,
        }
    }
}

/// Objects are merged, everything else takes the place of what was there; null is a value like others.
fn merge(into: &mut Map<String, Json>, from: Map<String, Json>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(known)), Json::Object(new)) => merge(known, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// Checks the name of a client. Errors: 400 `field_invalid`.
pub(super) fn check_client(client: &str) -> Result<()> {
    let invalid = |message: String| Err(Error::new(Reason::FieldInvalid, message).at("client"));
    let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !(1..=MAX_CLIENT).contains(&client.len()) || !client.bytes().all(fit) {
        return invalid(format!("The name of a client is 1 to {MAX_CLIENT} letters, digits and underscores"));
    }
    if client == GLOBAL || client == OVERRIDES {
        return invalid(format!("No client can be called {client}"));
    }
    Ok(())
}

/// Checks data that is to be kept. Errors: 400 `field_invalid`.
pub(super) fn check_data(data: &Map<String, Json>) -> Result<()> {
    check_object(data, "data", 1)
}

fn check_object(object: &Map<String, Json>, path: &str, depth: usize) -> Result<()> {
    for (key, value) in object {
        if key == OVERRIDES {
            let message = "Preferences have no toolkit_overrides; an administrator sets those";
            return Err(Error::new(Reason::FieldInvalid, message).at(format!("{path}.{OVERRIDES}")));
        }
        check_value(value, path, depth)?;
    }
    check_depth(depth)
}

fn check_value(value: &Json, path: &str, depth: usize) -> Result<()> {
    match value {
        Json::Object(object) => check_object(object, path, depth + 1),
        Json::Array(values) => {
            check_depth(depth + 1)?;
            values.iter().try_for_each(|value| check_value(value, path, depth + 1))
        }
        _ => Ok(()),
    }
}

fn check_depth(depth: usize) -> Result<()> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(Error::new(Reason::FieldInvalid, format!("Preferences nest at most {MAX_DEPTH} levels deep")).at("data"))
}

#[cfg(test)]
mod tests {
    use super::{Document, check_client, check_data};
    use crate::preferences::{Layer, View};
    use serde_json::{Map, Value as Json, json};

    fn map(value: Json) -> Map<String, Json> {
        let Json::Object(map) = value else { panic!("{value} is no object") };
        map
    }

    fn nested(depth: usize, leaf: Json) -> Map<String, Json> {
        map((0..depth).fold(leaf, |inner, _| json!({"a": inner})))
    }

    #[test]
    fn layers_are_merged_deeply() {
        let mut document = Document::default();
        assert_eq!(document.to_text(), None);
        document.merge(
            Layer::Global,
            "app",
            map(json!({"theme": "dark", "list": [1, 2], "a": {"b": {"c": 1, "d": 2}}})),
        );
        document.merge(Layer::Client, "app", map(json!({"list": [3], "a": {"b": {"d": null}, "e": 5}})));
        document.merge(Layer::Client, "other", map(json!({"theme": "light"})));
        let both = json!({"theme": "dark", "list": [3], "a": {"b": {"c": 1, "d": null}, "e": 5}});
        assert_eq!(Json::from(document.view(View::Normal, "app")), both);
        assert_eq!(
            Json::from(document.view(View::Client, "app")),
            json!({"list": [3], "a": {"b": {"d": null}, "e": 5}})
        );
        // An object takes the place of a scalar, and the other way round.
        document.merge(Layer::Client, "app", map(json!({"list": {"x": 1}, "a": 7})));
        assert_eq!(Json::from(document.view(View::Client, "app")), json!({"list": {"x": 1}, "a": 7}));
        let again = Document::parse(document.to_text().as_deref());
        assert_eq!(again, document);
        document.forget(Layer::Client, "app");
        assert_eq!(Json::from(document.view(View::Client, "app")), json!({}));
        assert_eq!(document.view(View::Normal, "app")["theme"], "dark");
        document.forget(Layer::Global, "app");
        document.forget(Layer::Client, "other");
        assert_eq!(document.to_text(), None);
    }

    #[test]
    fn clients_have_names() {
        for good in ["a", "emoegui", "Emo_2", "Global", &"x".repeat(128)] {
            assert!(check_client(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a-b", "ä", "global", "toolkit_overrides", &"x".repeat(129)] {
            assert_eq!(check_client(bad).unwrap_err().field.unwrap(), "client", "{bad}");
        }
    }

    #[test]
    fn data_is_bounded() {
        assert!(check_data(&nested(16, json!(1))).is_ok());
        assert!(check_data(&nested(15, json!([1]))).is_ok());
        for bad in [nested(17, json!(1)), nested(16, json!([])), nested(16, json!({}))] {
            assert_eq!(check_data(&bad).unwrap_err().field.unwrap(), "data");
        }
        for bad in [json!({"toolkit_overrides": []}), json!({"a": [{"b": {"toolkit_overrides": 1}}]})] {
            assert_eq!(check_data(&map(bad)).unwrap_err().field.unwrap(), "data.toolkit_overrides");
        }
    }
}
