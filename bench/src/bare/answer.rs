//! Answers in Insula's form, byte for byte.

use std::{fmt::Display, io::Write as _};

use anyhow::Result;
use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer's JSON.
pub(crate) struct Answer(Vec<u8>);

/// A row as it is sent.
#[derive(Serialize)]
pub(crate) struct Message<'a, T: Display> {
    pub(crate) id: i64,
    pub(crate) room: i64,
    pub(crate) author: i64,
    pub(crate) body: &'a str,
    #[serde(serialize_with = "as_text")]
    pub(crate) created_at: T,
    /// The room's name, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
}

impl Answer {
    /// The beginning of an answer with rows.
    pub(crate) fn rows() -> Self {
        Self(br#"{"success":true,"data":["#.to_vec())
    }

    /// Adds a message.
    pub(crate) fn message(&mut self, message: &Message<'_, impl Display>) -> Result<()> {
        if self.0.last() == Some(&b'}') {
            self.0.push(b',');
        }
        Ok(serde_json::to_writer(&mut self.0, message)?)
    }

    /// The end of an answer with rows.
    pub(crate) fn end(mut self) -> Self {
        self.0.extend_from_slice(b"]}");
        self
    }

    /// A number.
    pub(crate) fn number(number: i64) -> Self {
        Self(format!(r#"{{"success":true,"data":{number}}}"#).into_bytes())
    }

    /// That one row was inserted.
    pub(crate) fn inserted(id: i64) -> Self {
        Self(format!(r#"{{"success":true,"data":{id},"rows_affected":1}}"#).into_bytes())
    }

    /// That many rows were inserted, each by a statement of a batch.
    pub(crate) fn batch(ids: &[i64]) -> Self {
        let mut json = br#"{"success":true,"results":["#.to_vec();
        for (number, id) in ids.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            // Writing to a vector cannot fail.
            let _ = write!(json, r#"{comma}{{"success":true,"data":{id},"rows_affected":1}}"#);
        }
        json.extend_from_slice(b"]}");
        Self(json)
    }

    /// The bytes.
    #[cfg(test)]
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn as_text<T: Display, S: serde::Serializer>(text: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Whatever went wrong, for the server's own output.
pub(crate) struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("A request failed: {:#}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
