//! `GET /auth/sessions`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller};
use kernel::{Credential, ability, time::rfc3339};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Identity, tables::sessions::Listed};

/// Where the caller is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnSessions {
    /// The newest first.
    sessions: Vec<OwnSession>,
}

/// A session that is alive or can be renewed.
#[derive(Serialize, ToSchema)]
struct OwnSession {
    /// The id.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Whether it is the session of this request.
    current: bool,
    /// When it began, RFC 3339 in UTC.
    created_at: String,
    /// When it was last used.
    last_accessed: String,
    /// When it ends, or ended, if it is used no more.
    expires_at: String,
    /// Until when a refresh token renews it.
    refresh_expires_at: Option<String>,
    /// The address that it began from.
    ip: Option<String>,
    /// What the client called itself.
    user_agent: Option<String>,
    /// How it began: `password`, `pin`, `token`, `register`, `anonymous`, `link` or `exchange`.
    #[schema(example = "password")]
    method: Option<String>,
}

impl OwnSession {
    fn new(session: Listed, current: Option<Uuid>) -> Self {
        Self {
            current: current == Some(session.id),
            id: session.id,
            created_at: rfc3339(session.created_at),
            last_accessed: rfc3339(session.last_accessed),
            expires_at: rfc3339(session.expires_at),
            refresh_expires_at: session.refresh_until.map(rfc3339),
            ip: session.ip,
            user_agent: session.user_agent,
            method: session.method,
        }
    }
}

/// Where the caller is logged in.
#[utoipa::path(
    get,
    path = "/auth/sessions",
    operation_id = "list_sessions",
    responses((status = 200, body = OwnSessions))
)]
pub(super) async fn list(State(identity): State<Arc<Identity>>, caller: Caller) -> edge::Result {
    caller.require(ability::ACCOUNT_READ)?;
    let current = match &caller.principal().credential {
        Credential::Session(id) => Some(*id),
        Credential::Key(_) | Credential::Webhook(_) => None,
    };
    let sessions = identity.own_sessions(caller.tenant(), caller.principal()).await?;
    let sessions = sessions.into_iter().map(|session| OwnSession::new(session, current)).collect();
    Ok(Answer::ok(OwnSessions { sessions }))
}
