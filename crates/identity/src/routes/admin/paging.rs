//! The parameters that all lists share: `limit`, `cursor`, `sort`, `count`, and how a cursor is written.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use kernel::{Error, Reason, Result, time::Timestamp};

use store::paging::{Key, KeyKind, Page, Sort};

const DEFAULT_LIMIT: u64 = 50;
const MOST: u64 = 200;
const MAX_CURSOR: usize = 2_000;
const MAX_TEXT: usize = 200;

/// The page that a query string asks for. Errors: 400 `field_invalid` that names the parameter.
pub(super) fn page<S: Sort>(limit: Option<&str>, cursor: Option<&str>, sort: Option<&str>) -> Result<Page<S>> {
    let word = sort.unwrap_or(S::ALL[0].0);
    let name = word.strip_prefix('-');
    let descending = name.is_some();
    let name = name.unwrap_or(word);
    let known = S::ALL.iter().find(|(known, _)| *known == name);
    let unknown = || {
        let names: Vec<_> = S::ALL.iter().map(|(name, _)| *name).collect();
        invalid("sort", &format!("A list is sorted by {}; with - before it the other way round", names.join(", ")))
    };
    let (_, sort) = *known.ok_or_else(unknown)?;
    let limit = match limit {
        None => DEFAULT_LIMIT,
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
            number.ok_or_else(|| invalid("limit", &format!("A page has 1 to {MOST} entries")))?
        }
    };
    let bad = || invalid("cursor", "This cursor is none of this list and order; begin again without it");
    let after = cursor.map(|cursor| read(cursor, word, sort.kind()).ok_or_else(bad)).transpose()?;
    Ok(Page { sort, descending, after, limit })
}

/// The cursor of a page's last row.
pub(super) fn cursor<S: Sort>(page: &Page<S>, (key, number): &(Key, i64)) -> String {
    let name = S::ALL.iter().find(|(_, sort)| *sort == page.sort).map_or("", |(name, _)| name);
    let word = if page.descending { format!("-{name}") } else { name.to_owned() };
    let key = match key {
        Key::Number(number) => number.to_string(),
        Key::Text(text) => text.clone(),
        Key::Moment(moment) => moment.to_string(),
    };
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::json!([word, key, number]).to_string())
}

fn read(cursor: &str, word: &str, kind: KeyKind) -> Option<(Key, i64)> {
    if cursor.len() > MAX_CURSOR {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (sort, key, number): (String, String, i64) = serde_json::from_slice(&bytes).ok()?;
    if sort != word || key.contains('\0') {
        return None;
    }
    let key = match kind {
        KeyKind::Number => Key::Number(key.parse().ok()?),
        KeyKind::Text => Key::Text(key),
        KeyKind::Moment => Key::Moment(key.parse().ok()?),
    };
    Some((key, number))
}

/// Text that is searched for, of 1 to 200 characters.
pub(super) fn text(field: &'static str, text: Option<String>) -> Result<Option<String>> {
    let fit = |text: &String| (1..=MAX_TEXT).contains(&text.chars().count()) && !text.contains('\0');
    match text {
        Some(text) if !fit(&text) => Err(invalid(field, &format!("Expected 1 to {MAX_TEXT} characters"))),
        text => Ok(text),
    }
}

/// `true` or `false`; false where absent.
pub(super) fn flag(field: &'static str, text: Option<&str>) -> Result<bool> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(invalid(field, "Expected true or false")),
    }
}

/// A moment as RFC 3339 has it.
pub(super) fn moment(field: &'static str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let parse = |text: &str| text.parse().map_err(|_| invalid(field, "Expected a moment such as 2026-11-21T23:27:06Z"));
    text.map(parse).transpose()
}

/// One of some words.
pub(super) fn word<T: Copy>(field: &'static str, text: Option<&str>, words: &[(&str, T)]) -> Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let expected = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.map(Some).ok_or_else(|| invalid(field, &format!("Expected one of {}", expected())))
}

fn invalid(field: &'static str, message: &str) -> Error {
    Error::new(Reason::FieldInvalid, message).at(field)
}

#[cfg(test)]
mod tests {
    use super::{cursor, flag, moment, page, text, word};
    use crate::admin::users::UserSort;
    use proptest::prelude::*;
    use store::paging::{Key, Page};

    fn field<T>(result: kernel::Result<T>) -> String {
        result.err().unwrap().field.unwrap()
    }

    #[test]
    fn a_page_has_defaults_and_bounds() {
        let first: Page<UserSort> = page(None, None, None).unwrap();
        assert_eq!((first.sort, first.descending, first.limit, first.after), (UserSort::Number, false, 50, None));
        let last: Page<UserSort> = page(Some("200"), None, Some("-name")).unwrap();
        assert_eq!((last.sort, last.descending, last.limit), (UserSort::Name, true, 200));
        for bad in ["0", "201", "-1", "x", "", "1.5"] {
            assert_eq!(field(page::<UserSort>(Some(bad), None, None)), "limit", "{bad}");
        }
        for bad in ["", "-", "--name", "password", "Name", "name,number"] {
            assert_eq!(field(page::<UserSort>(None, None, Some(bad))), "sort", "{bad}");
        }
    }

    #[test]
    fn a_cursor_is_of_one_list_and_order() {
        let asked: Page<UserSort> = page(None, None, Some("-created_at")).unwrap();
        let moment = "2026-11-21T23:27:06.894988Z".parse().unwrap();
        let here = cursor(&asked, &(Key::Moment(moment), 7));
        let next: Page<UserSort> = page(None, Some(&here), Some("-created_at")).unwrap();
        assert_eq!(next.after, Some((Key::Moment(moment), 7)));
        for other in ["created_at", "-number", "name"] {
            assert_eq!(field(page::<UserSort>(None, Some(&here), Some(other))), "cursor", "{other}");
        }
    }

    #[test]
    fn words_are_checked() {
        assert_eq!(field(flag("count", Some("yes"))), "count");
        assert_eq!(field(moment("created_after", Some("yesterday"))), "created_after");
        assert_eq!(field(text("q", Some(String::new()))), "q");
        assert_eq!(field(text("q", Some("a\0".into()))), "q");
        assert_eq!(field(word("status", Some("gone"), &[("active", 1)])), "status");
        assert_eq!(word("status", Some("active"), &[("active", 1)]).unwrap(), Some(1));
    }

    proptest! {
        #[test]
        fn every_key_comes_back(text in "[^\\x00]{0,200}", number in any::<i64>()) {
            let asked: Page<UserSort> = page(None, None, Some("name")).unwrap();
            let here = cursor(&asked, &(Key::Text(text.clone()), number));
            let next: Page<UserSort> = page(None, Some(&here), Some("name")).unwrap();
            prop_assert_eq!(next.after, Some((Key::Text(text), number)));
        }

        #[test]
        fn no_cursor_panics(text in ".*") {
            let _ = page::<UserSort>(None, Some(&text), None);
        }
    }
}
