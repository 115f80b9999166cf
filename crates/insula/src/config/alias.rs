//! SeckelAPI's names of settings, which work beside Insula's own.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::{Mistake, Origin, layer::Leaf};

/// Gives the values of one layer their own names. A setting under both names is a mistake, and so is a value that is not
/// in SeckelAPI's unit.
pub(super) fn resolve(leaves: Vec<Leaf>, mistakes: &mut Vec<Mistake>) -> Vec<Leaf> {
    let mut seen: BTreeMap<String, (String, Origin)> = BTreeMap::new();
    let mut resolved = Vec::new();
    for leaf in leaves {
        let (written, origin) = (leaf.key(), leaf.origin.clone());
        // What the environment may not set under its own name it may not set under another.
        let is_closed =
            |setting: &&seckelapi::Setting| matches!(origin, Origin::Variable(_)) && !setting.ours.contains('.');
        let leaf = match seckelapi::alias(&leaf.path).filter(|setting| !is_closed(setting)) {
            None => leaf,
            Some(setting) => match turned(setting, leaf) {
                Ok(leaf) => leaf,
                Err(mistake) => {
                    mistakes.push(mistake);
                    continue;
                }
            },
        };
        if let Some((other, place)) = seen.get(&leaf.key()).filter(|(other, _)| *other != written) {
            let problem = format!("is the same setting as {other} at {place}");
            let suggestion = Some(format!("keep one of them, best {}", leaf.key()));
            mistakes.push(Mistake { origin, key: written, problem, suggestion });
            continue;
        }
        seen.insert(leaf.key(), (written, origin));
        resolved.push(leaf);
    }
    resolved
}

fn turned(setting: &seckelapi::Setting, leaf: Leaf) -> Result<Leaf, Mistake> {
    // One library's value becomes the other's by way of its text.
    let theirs = leaf.value.to_string().parse();
    let ours = theirs.map_err(|_| String::new()).and_then(|theirs| setting.to_ours(&theirs));
    let value = ours.and_then(|ours| {
        let reader = toml::de::ValueDeserializer::parse(ours.to_string().trim()).map(Value::deserialize);
        reader.and_then(|value| value).map_err(|error| error.message().to_owned())
    });
    match value {
        Ok(value) => {
            Ok(Leaf { path: setting.ours.split('.').map(str::to_owned).collect(), value, origin: leaf.origin })
        }
        Err(wanted) => Err(Mistake {
            key: leaf.key(),
            problem: format!("expected {wanted}").trim().to_owned(),
            suggestion: Some(format!("this is SeckelAPI's name of {}", setting.ours)),
            origin: leaf.origin,
        }),
    }
}
