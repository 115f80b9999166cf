//! Reads an answer that must be JSON.

use http::{Response, StatusCode};
use hyper::body::{Body, Incoming};
use kernel::ByteSize;
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::{
    heavy,
    levels::{MOST_LEVELS, levels},
};

/// What is set aside before anything has come, in bytes: a service may claim any length.
const FIRST: u64 = 64 << 10;

/// Reads the whole answer. It is checked, and kept as the text that it is.
pub(super) async fn read(answer: Response<Incoming>, limit: ByteSize) -> Result<Box<RawValue>, Failure> {
    if !answer.status().is_success() {
        return Err(Failure::Status(answer.status()));
    }
    // It has nothing to say, and cannot: this status has no body.
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(RawValue::NULL.to_owned());
    }
    let text = collect(answer.into_body(), limit).await?;
    heavy::work(text.len(), move || check(text)).await.map_err(|error| Failure::Broken(error.into()))?
}

fn check(text: Vec<u8>) -> Result<Box<RawValue>, Failure> {
    let text = String::from_utf8(text).map_err(|error| Failure::NotJson(error.into()))?;
    if levels(&text) > MOST_LEVELS {
        return Err(Failure::TooDeep(MOST_LEVELS));
    }
    RawValue::from_string(text).map_err(|error| Failure::NotJson(error.into()))
}

async fn collect(mut body: Incoming, limit: ByteSize) -> Result<Vec<u8>, Failure> {
    use http_body_util::BodyExt;
    let claimed = body.size_hint().lower();
    if claimed > limit.0 {
        return Err(Failure::TooLarge(limit));
    }
    let mut text = Vec::with_capacity(claimed.min(FIRST) as usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Failure::of_body)?.into_data() else { continue };
        if (text.len() + data.len()) as u64 > limit.0 {
            return Err(Failure::TooLarge(limit));
        }
        text.extend_from_slice(&data);
    }
    Ok(text)
}
