//! What a handler answers when all went well.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use kernel::Error;
use serde::Serialize;

use crate::Failure;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SUCCESS: &[u8] = br#"{"success":true"#;

/// A JSON answer, or none at all for 204.
#[derive(Debug)]
pub struct Answer(Result<(StatusCode, Option<Bytes>), Error>);

impl Answer {
    /// 200 with `"success": true` and the fields of a value that serialises as an object (or as null: no fields).
    pub fn ok(fields: impl Serialize) -> Self {
        Self::success(StatusCode::OK, &fields)
    }

    /// 201, otherwise as [`Self::ok`].
    pub fn created(fields: impl Serialize) -> Self {
        Self::success(StatusCode::CREATED, &fields)
    }

    /// 202, otherwise as [`Self::ok`].
    pub fn accepted(fields: impl Serialize) -> Self {
        Self::success(StatusCode::ACCEPTED, &fields)
    }

    /// A whole body as it is, without `success` being added.
    pub fn with_status(status: impl Into<AnswerStatus>, body: impl Serialize) -> Self {
        let body = serde_json::to_vec(&body).map_err(Error::internal);
        Self(status.into().0.and_then(|status| Ok((status, Some(body?.into())))))
    }

    /// 200 with a complete JSON body that is written already.
    pub fn raw(body: Bytes) -> Self {
        Self::raw_status(StatusCode::OK, body)
    }

    /// Any status with a complete JSON body that is written already.
    pub fn raw_status(status: StatusCode, body: Bytes) -> Self {
        Self(Ok((status, Some(body))))
    }

    /// A status without a body, such as 204.
    pub fn empty(status: StatusCode) -> Self {
        Self(Ok((status, None)))
    }

    fn success(status: StatusCode, fields: &impl Serialize) -> Self {
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(SUCCESS);
        if let Err(error) = serde_json::to_writer(&mut body, fields) {
            return Self(Err(Error::internal(error)));
        }
        match &body[SUCCESS.len()..] {
            b"{}" => drop(body.remove(SUCCESS.len())),
            [b'{', ..] => body[SUCCESS.len()] = b',',
            b"null" => body.splice(SUCCESS.len().., *b"}").for_each(drop),
            _ => return Self(Err(Error::internal("an answer's fields are not an object"))),
        }
        Self(Ok((status, Some(body.into()))))
    }
}

/// A status given as a number or as a [`StatusCode`].
#[derive(Debug)]
pub struct AnswerStatus(Result<StatusCode, Error>);

impl From<StatusCode> for AnswerStatus {
    fn from(status: StatusCode) -> Self {
        Self(Ok(status))
    }
}

impl From<u16> for AnswerStatus {
    fn from(status: u16) -> Self {
        Self(StatusCode::from_u16(status).map_err(Error::internal))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.0 {
            Ok((status, Some(body))) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
            Ok((status, None)) => status.into_response(),
            Err(error) => Failure::from(error).into_response(),
        }
    }
}

/// An answer of somebody else that is passed on as it is, whatever its status and media type.
#[derive(Debug)]
pub struct AsItIs(pub Response);

/// Marks a response that is no refusal of ours, even where its status is that of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign;

impl IntoResponse for AsItIs {
    fn into_response(mut self) -> Response {
        self.0.extensions_mut().insert(Foreign);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use serde_json::json;

    fn body(answer: &Answer) -> &str {
        std::str::from_utf8(answer.0.as_ref().unwrap().1.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn success_comes_first() {
        assert_eq!(body(&Answer::ok(json!({"b": 1, "a": [2]}))), r#"{"success":true,"b":1,"a":[2]}"#);
        assert_eq!(body(&Answer::ok(json!({}))), r#"{"success":true}"#);
        assert_eq!(body(&Answer::created(())), r#"{"success":true}"#);
        assert_eq!(body(&Answer::with_status(401, json!({"success": true}))), r#"{"success":true}"#);
    }

    #[test]
    fn what_is_no_object_or_no_status_is_a_failure() {
        assert!(Answer::ok([1]).0.is_err());
        assert!(Answer::with_status(17, json!({})).0.is_err());
    }
}
