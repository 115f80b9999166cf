//! `GET /auth/status`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, MaybeCaller, RequestInfo};
use kernel::{Reason, time::rfc3339};
use serde::Serialize;
use utoipa::ToSchema;

use super::Account;
use crate::{Identity, sessions::Session};

/// A session that is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// Always true.
    #[schema(example = true)]
    valid: bool,
    /// Whose it is.
    user: Account,
    /// The session, as it is after this request.
    session: SessionState,
}

/// A session, as it is after this request.
#[derive(Serialize, ToSchema)]
struct SessionState {
    /// When it began, RFC 3339 in UTC.
    created_at: String,
    /// When it was last used.
    last_accessed: String,
    /// Minutes without activity after which it ends.
    #[schema(example = 60)]
    timeout_minutes: u64,
    /// Seconds after which it ends if it is not used again.
    #[schema(example = 3600)]
    remaining_seconds: i64,
    /// When that is.
    expires_at: String,
}

impl SessionState {
    fn new(session: &Session) -> Self {
        let expires_at = session.expires_at();
        let remaining = expires_at.duration_since(kernel::time::now());
        Self {
            created_at: rfc3339(session.created_at),
            last_accessed: rfc3339(session.last_accessed()),
            timeout_minutes: session.lifetimes.timeout_minutes,
            // Rounded up: what was just refreshed has all of its time left.
            remaining_seconds: (remaining.as_secs() + i64::from(remaining.subsec_nanos() > 0)).max(0),
            expires_at: rfc3339(expires_at),
        }
    }
}

/// No session: `success` tells whether a token was sent at all.
#[derive(Serialize, ToSchema)]
pub(super) struct NotAlive {
    /// True where a token was sent that is no good.
    success: bool,
    /// Always false.
    #[schema(example = false)]
    valid: bool,
    /// Why, where a token was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Why, where none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Whether the caller's session is alive, and for how long.
#[utoipa::path(
    get,
    path = "/auth/status",
    operation_id = "status",
    responses(
        (status = 200, body = Alive),
        (status = 401, body = NotAlive),
        (status = 403, body = edge::Envelope, description = "`session_required`."),
    )
)]
pub(super) async fn status(
    State(identity): State<Arc<Identity>>,
    MaybeCaller(caller): MaybeCaller,
    info: RequestInfo,
) -> edge::Result {
    let dead = |success: bool, text: &str| {
        let text = Some(format!("{text} [request_id: {}]", info.id));
        let (message, error) = if success { (text, None) } else { (None, text) };
        Answer::with_status(401, NotAlive { success, valid: false, message, error })
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) if error.reason == Reason::NoToken => return Ok(dead(false, &error.message)),
        Err(error) if error.reason == Reason::SessionInvalid => return Ok(dead(true, &error.message)),
        Err(error) => return Err(error.into()),
    };
    let session = match identity.sessions.current(&caller.tenant, caller.principal.session()?).await {
        Ok(session) => session,
        // It ended between this request's authentication and here.
        Err(error) if error.reason == Reason::SessionInvalid => return Ok(dead(true, &error.message)),
        Err(error) => return Err(error.into()),
    };
    let body = Alive {
        success: true,
        valid: true,
        user: Account::of_principal(&caller.principal),
        session: SessionState::new(&session),
    };
    Ok(Answer::with_status(200, body))
}
