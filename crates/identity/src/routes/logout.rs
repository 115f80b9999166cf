//! `POST /auth/logout`.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::State,
};
use edge::{Answer, Caller, RequestInfo};
use kernel::{Error, Reason, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::visitor;
use crate::{Identity, sign_out::Scope};

/// No scope needs more.
const MOST_BYTES: usize = 4 << 10;

/// Which of the caller's sessions end.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; a body that is something else is ignored")]
pub(super) struct LogOut {
    /// `this`, `others` or `all`.
    #[schema(example = "this")]
    scope: Option<String>,
}

/// Sessions have ended.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedOut {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// For people.
    #[schema(example = "Logged out")]
    message: &'static str,
}

/// Ends the caller's session, or with a scope the others or all. A body without a scope is ignored.
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "logout",
    request_body(content = Option<LogOut>),
    responses(
        (status = 200, body = LoggedOut),
        (status = 403, body = edge::Envelope, description = "`session_required`."),
    )
)]
pub(super) async fn logout(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    body: Body,
) -> edge::Result {
    let sent = to_bytes(body, MOST_BYTES).await.unwrap_or_default();
    let scope = scope(&sent)?;
    identity.log_out(caller.tenant(), &visitor(info), caller.principal(), scope).await?;
    Ok(Answer::with_status(200, LoggedOut { success: true, message: "Logged out" }))
}

/// The scope of a body. Clients of old send anything, and want to be logged out.
fn scope(body: &[u8]) -> Result<Scope> {
    let fields = kernel::json::object(body).unwrap_or_default();
    let Some(scope) = fields.get("scope") else { return Ok(Scope::This) };
    if let Some(unknown) = fields.keys().find(|field| *field != "scope") {
        return Err(Error::plain(Reason::FieldUnknown).at(unknown));
    }
    let message = "A scope is this, others or all";
    scope.as_str().and_then(Scope::from_word).ok_or_else(|| Error::new(Reason::FieldInvalid, message).at("scope"))
}

#[cfg(test)]
mod tests {
    use super::scope;
    use crate::sign_out::Scope;

    #[test]
    fn a_body_without_a_scope_ends_this_session() {
        for body in ["", "{}", "[1]", "null", "not json", r#"{"ignored":[1]}"#, "\u{0}"] {
            assert_eq!(scope(body.as_bytes()).unwrap(), Scope::This, "{body}");
        }
        for (word, expected) in [("this", Scope::This), ("others", Scope::Others), ("all", Scope::All)] {
            assert_eq!(scope(format!(r#"{{"scope":"{word}"}}"#).as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn a_scope_is_meant_seriously() {
        for (body, field) in [
            (r#"{"scope":"everyone"}"#, "scope"),
            (r#"{"scope":null}"#, "scope"),
            (r#"{"scope":["all"]}"#, "scope"),
            (r#"{"scope":"all","user":1}"#, "user"),
        ] {
            assert_eq!(scope(body.as_bytes()).unwrap_err().field.as_deref(), Some(field), "{body}");
        }
    }
}
