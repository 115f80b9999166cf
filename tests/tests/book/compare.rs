//! Compares what came with what a page shows.

use serde_json::{Map, Value as Json};

/// What stands for anything.
const ANYTHING: &str = "…";

/// Whether JSON is as it is shown.
pub(crate) fn json(shown: &Json, came: &Json) -> bool {
    match (shown, came) {
        (Json::String(shown), _) if shown == ANYTHING => true,
        (Json::String(shown), Json::String(came)) => text(shown, came),
        (Json::Array(shown), Json::Array(came)) => list(shown, came),
        (Json::Object(shown), Json::Object(came)) => object(shown, came),
        _ => shown == came,
    }
}

fn list(shown: &[Json], came: &[Json]) -> bool {
    match shown.split_last() {
        Some((last, first)) if last == ANYTHING => {
            came.len() >= first.len() && first.iter().zip(came).all(|(shown, came)| json(shown, came))
        }
        _ => shown.len() == came.len() && shown.iter().zip(came).all(|(shown, came)| json(shown, came)),
    }
}

fn object(shown: &Map<String, Json>, came: &Map<String, Json>) -> bool {
    let open = shown.contains_key(ANYTHING);
    let named = shown.iter().filter(|(name, _)| *name != ANYTHING);
    named.clone().all(|(name, shown)| came.get(name).is_some_and(|came| json(shown, came)))
        && (open || named.count() == came.len())
}

/// Whether text is as it is shown, line breaks and blanks at the end aside.
pub(crate) fn text(shown: &str, came: &str) -> bool {
    let (shown, came) = (shown.trim_end(), came.trim_end());
    let mut pieces = shown.split(ANYTHING);
    let Some(mut rest) = pieces.next().and_then(|first| came.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{json, text};
    use serde_json::json as value;

    #[test]
    fn only_what_is_left_open_may_differ() {
        assert!(text("a … c", "a b c\n") && text("…", "") && text("a", "a") && text("a…b…c", "a1b2c"));
        assert!(!text("a … c", "a b d") && !text("a", "ab") && !text("a…", "b") && !text("…b", "a"));
        assert!(json(&value!({"a": "…", "…": "…"}), &value!({"a": [1], "b": 2})));
        assert!(!json(&value!({"a": "…"}), &value!({"a": 1, "b": 2})));
        assert!(!json(&value!({"a": "…", "…": "…"}), &value!({"b": 2})));
        assert!(json(&value!([1, "…"]), &value!([1, 2, 3])) && !json(&value!([1]), &value!([1, 2])));
        assert!(!json(&value!(1), &value!("1")));
    }
}
