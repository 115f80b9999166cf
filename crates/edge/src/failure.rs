//! Refusals and failures, and the one place where they become the envelope.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use kernel::{Error, Reason, RequestId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Answer,
    answer::{Foreign, JSON},
};

/// What handlers answer.
pub type Result<T = Answer> = std::result::Result<T, Failure>;

/// A refusal or a failure on its way out. Any error with a reason turns into one with `?`.
#[derive(Debug)]
pub struct Failure(Error);

impl Failure {
    /// Why.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The error of a response that is not rendered yet.
#[derive(Clone)]
struct Unrendered(Arc<Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = status(self.0.reason).into_response();
        response.extensions_mut().insert(Unrendered(Arc::new(self.0)));
        response
    }
}

fn status(reason: Reason) -> StatusCode {
    StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What every refusal and every failure looks like.
#[derive(Serialize, ToSchema)]
pub struct Envelope<'a> {
    /// Always false.
    #[schema(example = false)]
    pub success: bool,
    /// The HTTP status.
    #[schema(example = 401)]
    pub code: u16,
    /// A stable word that programs may compare.
    #[schema(example = "session_invalid")]
    pub reason: &'a str,
    /// What went wrong, for people.
    #[schema(example = "Session expired or invalid [request_id: 179577522689498800012345]")]
    pub error: &'a str,
    /// The same text.
    #[schema(example = "Session expired or invalid [request_id: 179577522689498800012345]")]
    pub message: &'a str,
    /// The request's id, digits.
    #[schema(example = "179577522689498800012345")]
    pub request_id: &'a str,
    /// The field of the request that is meant, as a path such as `filter.and[1].op`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// The toolkit endpoint that failed, as `toolkit/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'a str>,
    /// What goes with the second step of a log in, where `reason` is `second_factor_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<&'a str>,
    /// Seconds for which the ticket is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 300)]
    pub expires_in: Option<u64>,
}

/// What a request beyond the rate limit gets.
#[derive(Serialize, ToSchema)]
pub(crate) struct TooManyRequests {
    /// Always false.
    #[schema(example = false)]
    success: bool,
    /// What went wrong, for people.
    #[schema(example = "Too many requests. Naughty! Go sit in a corner for 3 Seconds!")]
    error: String,
    /// Whole seconds after which a repeat makes sense.
    #[schema(example = 3)]
    retry_after: u64,
}

/// Gives a response that is an error its envelope; logs it. Other responses pass.
pub(crate) fn render(mut response: Response, id: RequestId) -> Response {
    let error = match response.extensions_mut().remove::<Unrendered>() {
        Some(Unrendered(error)) => error,
        None => match foreign(&response) {
            Some(error) => Arc::new(error),
            None => return response,
        },
    };
    log(&error);
    let (mut parts, _) = response.into_parts();
    parts.status = status(error.reason);
    // The router has written the length of the empty body that stood here.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, JSON);
    if let Some(seconds) = error.retry_after {
        parts.headers.insert(RETRY_AFTER, seconds.into());
    }
    match error.reason {
        Reason::RateLimited => {
            parts.headers.insert(RETRY_AFTER, error.retry_after.unwrap_or(1).into());
        }
        Reason::NoToken | Reason::SessionInvalid | Reason::KeyInvalid | Reason::KeyExpired | Reason::KeyRevoked => {
            parts.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Reason::BodyTooLarge | Reason::HeadersTooLarge | Reason::Timeout => {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    Response::from_parts(parts, body(&error, id).into())
}

fn body(error: &Error, id: RequestId) -> Vec<u8> {
    let written = if error.reason == Reason::RateLimited {
        let retry_after = error.retry_after.unwrap_or(1);
        let error = format!("Too many requests. Naughty! Go sit in a corner for {retry_after} Seconds!");
        serde_json::to_vec(&TooManyRequests { success: false, error, retry_after })
    } else {
        let text = format!("{} [request_id: {id}]", error.message);
        serde_json::to_vec(&Envelope {
            success: false,
            code: error.reason.status(),
            reason: error.reason.word(),
            error: &text,
            message: &text,
            request_id: id.as_str(),
            field: error.field.as_deref(),
            endpoint: error.endpoint.as_deref(),
            ticket: error.ticket.as_ref().map(|ticket| &*ticket.text),
            expires_in: error.ticket.as_ref().map(|ticket| ticket.expires_in),
        })
    };
    written.unwrap_or_default()
}

/// The error of a response that a library wrote as plain text, such as a rejected path parameter.
fn foreign(response: &Response) -> Option<Error> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<Foreign>().is_some() {
        return None;
    }
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    (!json).then(|| match status {
        StatusCode::NOT_FOUND => Error::plain(Reason::RouteNotFound),
        StatusCode::METHOD_NOT_ALLOWED => Error::plain(Reason::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Error::plain(Reason::BodyTooLarge),
        status if status.is_client_error() => Error::plain(Reason::BadRequest),
        status => Error::internal(format!("a handler answered a bare {status}")),
    })
}

fn log(error: &Error) {
    let reason = error.reason.word();
    // A scanner that finds a server before it is set up is no failure.
    if error.reason.status() >= 500 && error.reason != Reason::NotInitialised {
        let mut causes = String::new();
        let mut cause = error.source.as_ref().map(|source| &**source as &dyn std::error::Error);
        while let Some(error) = cause {
            causes = if causes.is_empty() { error.to_string() } else { format!("{causes}: {error}") };
            cause = error.source();
        }
        tracing::error!(reason, causes, "{}", error.message);
    } else {
        tracing::debug!(reason, field = error.field.as_deref(), "{}", error.message);
    }
}
