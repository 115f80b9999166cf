//! JSON bodies: capped, checked for shape, then typed, with the path of the field that is wrong.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
};
use http_body_util::BodyExt;
use kernel::{ByteSize, Error, Reason, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::{
    Failure,
    context::Context,
    scan::{Flaw, MAX_DEPTH, scan},
    untyped,
};

/// A JSON object as a typed body. Refuses with 400 and the field that is wrong, or 413.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// The same, but a body that is absent or empty is none.
#[derive(Debug, Clone)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> std::result::Result<Self, Failure> {
        let body = read_json(request, None).await?;
        Ok(Self(body.ok_or_else(|| Error::new(Reason::MalformedJson, "The body is empty; send a JSON object"))?))
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> std::result::Result<Self, Failure> {
        Ok(Self(read_json(request, None).await?))
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// The same out of a text that was no body, with the same refusals.
    pub fn parse(text: &[u8]) -> Result<Self> {
        parse(text).map(Self)
    }
}

/// A JSON object as a typed body, of at most so many bytes in place of what the configuration allows; none where the body
/// is absent or empty. For routes whose limit is known only once they are matched.
///
/// Errors: 400 with the field that is wrong, 413.
pub async fn read_json<T: DeserializeOwned>(request: Request, cap: Option<ByteSize>) -> Result<Option<T>> {
    let text = read(request, cap).await?;
    text.map(|text| parse(&text)).transpose()
}

/// The whole body; none where it is empty.
async fn read(request: Request, cap: Option<ByteSize>) -> Result<Option<Bytes>> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(None);
    }
    require_json(&parts.headers)?;
    let cap = match cap {
        Some(cap) => cap,
        None => Context::of(&parts)?.core.config.max_body_size,
    };
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > cap.0) {
        // Who waits for a word before sending has sent nothing yet.
        if !parts.headers.contains_key(EXPECT) && declared.is_some_and(|length| length <= DISCARDED) {
            // Boxed, as is all that is rare: each request's own work is as large as what it may await.
            Box::pin(discard(body)).await;
        }
        return Err(too_large(cap));
    }
    let whole = collect(body, cap, declared.unwrap_or(0)).await?;
    Ok((!whole.is_empty()).then_some(whole))
}

/// Bytes of a refused body that are read all the same: a client that is still sending would not see the refusal.
const DISCARDED: u64 = 32 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Reads the rest of a refused body, within bounds.
async fn discard(mut body: Body) {
    let mut left = DISCARDED;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}

async fn collect(mut body: Body, cap: ByteSize, declared: u64) -> Result<Bytes> {
    const FIRST_BUFFER: u64 = 64 << 10;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::new(Reason::BadRequest, "The body broke off").because(error))?;
        let Ok(data) = frame.into_data() else { continue };
        if (first.len() + rest.len() + data.len()) as u64 > cap.0 {
            Box::pin(discard(body)).await;
            return Err(too_large(cap));
        }
        // Nearly every body comes in one piece, which is then used as it is.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(declared.clamp(first.len() as u64, FIRST_BUFFER.max(first.len() as u64)) as usize);
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn too_large(cap: ByteSize) -> Error {
    Error::new(Reason::BodyTooLarge, format!("The body is larger than {cap}"))
}

/// `application/json` or `…+json`, in UTF-8 if it names a charset, and not compressed.
fn require_json(headers: &HeaderMap) -> Result<()> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if value == "application/json" && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    let utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if json && utf8 && plain {
        return Ok(());
    }
    Err(Error::new(Reason::MediaType, "A body must be sent as Content-Type: application/json, not compressed"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let malformed = |error: &serde_json::Error| {
        let message = format!("The body is not well-formed JSON (line {}, column {})", error.line(), error.column());
        Error::new(Reason::MalformedJson, message)
    };
    let text =
        std::str::from_utf8(body).map_err(|_| Error::new(Reason::MalformedJson, "The body is not UTF-8 text"))?;
    let flaw = scan(text).err();
    let is_object = text.trim_start().starts_with('{');
    // Nearly every body is good, and then looked at twice in all.
    if let (None, true, Ok(typed)) = (&flaw, is_object, serde_json::from_str(text)) {
        return Ok(typed);
    }
    if flaw == Some(Flaw::TooDeep) {
        return Err(Error::new(Reason::TooDeep, format!("The body nests more than {MAX_DEPTH} levels deep")));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))?;
    match flaw {
        Some(Flaw::Duplicate(path)) => {
            return Err(Error::new(Reason::DuplicateKey, "A key is there twice in one object").at(path));
        }
        Some(Flaw::Reserved(path)) => return Err(Error::new(Reason::FieldUnknown, "This key is reserved").at(path)),
        Some(Flaw::TooDeep) | None => {}
    }
    if !is_object {
        return Err(Error::new(Reason::BodyNotObject, "The body must be a JSON object"));
    }
    // Once more, now with the path of what is wrong; keeping one costs too much where nothing is.
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| match error.inner().classify() {
        // Some of the grammar shows only when text is made of it, such as half a surrogate pair. What is good as it is has
        // another type, whatever the parser calls it.
        Category::Syntax | Category::Eof | Category::Io if kernel::json::value(body).is_err() => {
            malformed(error.inner())
        }
        _ => untyped::refusal(error.path(), &error.inner().to_string(), "field"),
    })
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
