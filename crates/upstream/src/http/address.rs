//! The address of a service: what callers fill in can never change its scheme, host or port.

use std::{borrow::Cow, collections::BTreeMap};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use kernel::{Error, Reason, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// All that is not unreserved in RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of the part that takes the rest of a path.
const REST: &str = "*";

/// An address with places for values.
#[derive(Debug)]
pub(super) struct Address {
    scheme: Scheme,
    authority: Authority,
    segments: Vec<Segment>,
    query: Option<String>,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    Named(String),
    Rest,
}

impl Address {
    /// Reads an address. Errors: what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is missing".to_owned());
        }
        if text.contains('#') || !text.is_ascii() {
            return Err("it must be ASCII and without a fragment".to_owned());
        }
        let uri: Uri = text.parse().map_err(|error| format!("it is not an address: {error}"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err("it must begin with http:// or https:// and name a host".to_owned());
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err("it must begin with http:// or https://".to_owned());
        }
        if authority.as_str().contains(['@', '{', '}']) || authority.host().is_empty() {
            return Err("its host must be fixed and without a user; credentials belong into a header".to_owned());
        }
        if authority.as_str() != authority.host() && authority.port_u16().is_none() {
            return Err("its port is not one".to_owned());
        }
        let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        let query = path.query().map(str::to_owned);
        if query.as_ref().is_some_and(|query| query.contains(['{', '}'])) {
            return Err("its query must be fixed; the caller's is added to it".to_owned());
        }
        let texts: Vec<&str> = path.path().split('/').skip(1).collect();
        let last = texts.len().saturating_sub(1);
        let segments = texts
            .iter()
            .enumerate()
            .map(|(place, text)| Segment::parse(text, place == last))
            .collect::<Result<_, _>>()?;
        Ok(Self { scheme, authority, segments, query })
    }

    /// Whether it is `https`.
    pub(super) fn secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The host and port, for messages to the operator.
    pub(super) fn host(&self) -> &str {
        self.authority.as_str()
    }

    /// The names that must be filled in; the rest of a path is `*`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Fixed(_) => None,
            Segment::Named(name) => Some(name.as_str()),
            Segment::Rest => Some(REST),
        })
    }

    /// Fills in values and adds the caller's query. Errors: 400 `field_invalid` for a value that may not be there.
    pub(super) fn fill(&self, values: &BTreeMap<String, String>, query: Option<&str>) -> Result<Uri> {
        let value = |name: &str| {
            let missing = || Error::internal(format!("nothing is there for {{{name}}} in the address of the service"));
            values.get(name).ok_or_else(missing)
        };
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Fixed(text) => path.push_str(text),
                Segment::Named(name) => {
                    let value = value(name)?;
                    if value.is_empty() || !harmless(value) {
                        return Err(refused(name));
                    }
                    path.extend(utf8_percent_encode(value, ENCODED));
                }
                Segment::Rest => path.push_str(&rest(value(REST)?)?),
            }
        }
        if let Some(query) = self.joined(query)? {
            path.push('?');
            path.push_str(&query);
        }
        let malformed = |error| Error::plain(Reason::BadRequest).because(error);
        let path = PathAndQuery::try_from(path).map_err(|error| malformed(http::Error::from(error)))?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(malformed)
    }

    /// The caller's query and the fixed one, which comes last and whose names the caller may not use.
    ///
    /// The caller's is written anew, so that the service reads the very pairs that were read, and checked, here.
    fn joined<'a>(&'a self, query: Option<&str>) -> Result<Option<Cow<'a, str>>> {
        let Some(own) = query.filter(|query| !query.is_empty()) else {
            return Ok(self.query.as_deref().map(Cow::Borrowed));
        };
        let fixed = self.query.as_deref().unwrap_or_default();
        let mut joined = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(own.as_bytes()) {
            if form_urlencoded::parse(fixed.as_bytes()).any(|(fixed, _)| fixed == name) {
                return Err(Error::new(Reason::FieldInvalid, "This field is not the caller's to choose").at(name));
            }
            joined.append_pair(&name, &value);
        }
        let mut joined = joined.finish();
        if !joined.is_empty() && !fixed.is_empty() {
            joined.push('&');
        }
        joined.push_str(fixed);
        Ok(Some(joined.into()))
    }
}

impl Segment {
    fn parse(text: &str, last: bool) -> Result<Self, String> {
        let named = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match named {
            Some(REST) if last => Ok(Self::Rest),
            Some(REST) => Err("{*} must be its last segment".to_owned()),
            Some(name) if !name.is_empty() && !name.contains(['{', '}', '*']) => Ok(Self::Named(name.to_owned())),
            None if !text.contains(['{', '}']) => Ok(Self::Fixed(text.to_owned())),
            _ => Err(format!("its segment {text:?} must be either fixed or one {{name}}")),
        }
    }
}

/// Segments of a path, the last of which may be empty.
fn rest(value: &str) -> Result<String> {
    let segments: Vec<&str> = value.split('/').collect();
    let inner = &segments[..segments.len() - 1];
    if inner.iter().any(|segment| segment.is_empty()) || !harmless(value) {
        return Err(refused(REST));
    }
    let encoded: Vec<String> =
        segments.iter().map(|segment| utf8_percent_encode(segment, ENCODED).to_string()).collect();
    Ok(encoded.join("/"))
}

/// Whether a value climbs nowhere, even for a service that decodes `%2F` or `%5C` too early.
fn harmless(value: &str) -> bool {
    !value.chars().any(char::is_control) && !value.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
}

fn refused(name: &str) -> Error {
    Error::new(Reason::FieldInvalid, "This part of the path may not be so").at(format!("_path.{name}"))
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
