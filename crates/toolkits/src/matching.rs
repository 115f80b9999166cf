//! Paths of endpoints, and which of them a request means.

/// Segments that a path may have.
const MOST_SEGMENTS: usize = 16;
/// The longest path of an endpoint.
const MOST_BYTES: usize = 200;
/// The name of what `*` stands for.
pub(crate) const REST: &str = "*";

/// The path of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As the file has it.
    pub(crate) text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Named(String),
    Rest,
}

/// How well a path fits: exact paths first, then named segments, the more exact ones first, then the longest prefix.
pub(crate) type Fit = (u8, Vec<bool>);

impl Pattern {
    /// Reads a path. Errors: what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') || text.ends_with('/') {
            return Err("write the path without a slash at its beginning or end".to_owned());
        }
        let segments = text.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        if segments.len() > MOST_SEGMENTS || text.len() > MOST_BYTES {
            return Err(format!("a path has at most {MOST_SEGMENTS} segments and {MOST_BYTES} characters"));
        }
        if segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest) {
            return Err("`*` stands for the rest of a path and comes last".to_owned());
        }
        let pattern = Self { text: text.to_owned(), segments };
        let names: Vec<_> = pattern.names().collect();
        if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
            return Err("two segments have the same name".to_owned());
        }
        Ok(pattern)
    }

    /// The names of what it takes out of a path; `*` for the rest.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Named(name) => Some(&**name),
            Segment::Rest => Some(REST),
        })
    }

    /// The same for paths that mean the same requests.
    pub(crate) fn shape(&self) -> String {
        let word = |segment: &Segment| match segment {
            Segment::Literal(text) => text.clone(),
            Segment::Named(_) => "{}".to_owned(),
            Segment::Rest => REST.to_owned(),
        };
        self.segments.iter().map(word).collect::<Vec<_>>().join("/")
    }

    /// What the path of a request is for the names, and how well it fits; none where it does not.
    pub(crate) fn matches(&self, path: &[String]) -> Option<(Fit, Vec<(String, String)>)> {
        let mut values = Vec::new();
        let mut exact = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            match (segment, path.get(index)) {
                (Segment::Literal(text), Some(given)) if text == given => exact.push(true),
                (Segment::Named(name), Some(given)) => {
                    exact.push(false);
                    values.push((name.clone(), given.clone()));
                }
                (Segment::Rest, Some(_)) => {
                    values.push((REST.to_owned(), path[index..].join("/")));
                    return Some(((0, exact), values));
                }
                _ => return None,
            }
        }
        let class = if values.is_empty() { 2 } else { 1 };
        (path.len() == self.segments.len()).then_some(((class, exact), values))
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        if text == REST {
            return Ok(Self::Rest);
        }
        if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            if kernel::identifier::is_identifier(name) {
                return Ok(Self::Named(name.to_owned()));
            }
            return Err(format!("{{{name}}} is not a name in braces; write letters, digits and _"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        if text.is_empty() || !text.bytes().all(plain) || is_climbing(text) {
            return Err(format!("{text:?} is no segment; write letters, digits, - _ . ~, {{name}} or a last *"));
        }
        Ok(Self::Literal(text.to_owned()))
    }
}

/// The segments of a request's path, decoded. None where one is empty, climbs, or hides a slash or a control character:
/// such a path would mean something else to whoever gets it next.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = path.split('/').map(|segment| {
        let text = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
        let hidden = text.contains(['/', '\\']) || text.chars().any(char::is_control);
        (!text.is_empty() && !hidden && !is_climbing(&text)).then(|| text.into_owned())
    });
    decoded.collect()
}

fn is_climbing(segment: &str) -> bool {
    segment == "." || segment == ".."
}

/// Whether a text is one that a permission means; `*` in it stands for any text.
pub(crate) fn permits(permission: &str, text: &str) -> bool {
    let mut parts = permission.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, permits, segments};
    use proptest::prelude::*;

    /// The path of the endpoint that a request means, and what it takes out of it.
    fn found(patterns: &[&str], path: &str) -> Option<(String, Vec<(String, String)>)> {
        let path = segments(path)?;
        let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap());
        let fitting = patterns.filter_map(|pattern| Some((pattern.matches(&path)?, pattern.text)));
        fitting.max_by(|(a, _), (b, _)| a.0.cmp(&b.0)).map(|((_, values), text)| (text, values))
    }

    #[test]
    fn exact_comes_before_named_and_named_before_the_longest_prefix() {
        let all = ["*", "files/*", "files/{name}", "files/list", "{kind}/list", "files/old/*"];
        let name = |path: &str| found(&all, path).unwrap().0;
        assert_eq!(name("files/list"), "files/list");
        assert_eq!(name("files/other"), "files/{name}");
        assert_eq!(name("books/list"), "{kind}/list");
        assert_eq!(name("files/old/a"), "files/old/*");
        assert_eq!(name("files/new/a"), "files/*");
        assert_eq!(name("x/y/z"), "*");
        let rest = found(&all, "files/new/a%20b").unwrap().1;
        assert_eq!(rest, [("*".to_owned(), "new/a b".to_owned())]);
        assert_eq!(found(&["files/*"], "files"), None);
        assert_eq!(found(&["a/b"], "a"), None);
    }

    #[test]
    fn nothing_climbs_or_hides() {
        for bad in ["", "a//b", "a/../b", ".", "%2e%2e/a", "a%2Fb", "a%5Cb", "a%00", "%ff", "a/"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
        for bad in ["", "/a", "a/", "a//b", "*/a", "{a}/{a}", "{}", "{a b}", "a b", "..", "a?b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (permission, text, is) in [
            ("*", "anything/at all", true),
            ("kiosk/*", "kiosk/scan", true),
            ("kiosk/*", "kiosk", false),
            ("report", "report", true),
            ("report", "reports", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "ae", false),
            ("*ab", "aab", true),
            ("a*a", "a", false),
            ("", "", true),
        ] {
            assert_eq!(permits(permission, text), is, "{permission} {text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(pattern in ".*", path in ".*") {
            let _ = permits(&pattern, &path);
            if let (Ok(pattern), Some(path)) = (Pattern::parse(&pattern), segments(&path)) {
                let _ = pattern.matches(&path);
            }
        }

        #[test]
        fn whatever_replaces_the_star_is_permitted(before in "[a-z/]{0,5}", any in "[a-z/]{0,5}", after in "[a-z/]{0,5}") {
            let (permission, text) = (format!("{before}*{after}"), format!("{before}{any}{after}"));
            prop_assert!(permits(&permission, &text));
        }
    }
}
