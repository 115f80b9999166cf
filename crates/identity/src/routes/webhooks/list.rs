//! `GET /auth/webhook-tokens`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller};
use kernel::{ability, time::rfc3339};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Identity, tables::webhook_tokens::WebhookToken};

/// The caller's tokens for outside services.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookTokens {
    /// The newest first.
    tokens: Vec<Token>,
}

/// A token for an outside service, without its text.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookToken)]
struct Token {
    /// The id, by which it is revoked.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Which service calls with it.
    #[schema(example = "Payments")]
    name: String,
    /// When it was made, RFC 3339 in UTC.
    created_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was last used, to a minute.
    last_used_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
}

impl From<WebhookToken> for Token {
    fn from(token: WebhookToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            created_at: rfc3339(token.created_at),
            expires_at: rfc3339(token.expires_at),
            last_used_at: token.last_used_at.map(rfc3339),
            revoked_at: token.revoked_at.map(rfc3339),
        }
    }
}

/// The caller's tokens for outside services.
#[utoipa::path(
    get,
    path = "/auth/webhook-tokens",
    operation_id = "list_webhook_tokens",
    responses(
        (status = 200, body = WebhookTokens),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `session_required`."),
    )
)]
pub(super) async fn list(State(identity): State<Arc<Identity>>, caller: Caller) -> edge::Result {
    caller.principal().session()?;
    caller.require(ability::KEYS_MANAGE)?;
    let tokens = identity.webhook_tokens(caller.tenant(), caller.principal()).await?;
    Ok(Answer::ok(WebhookTokens { tokens: tokens.into_iter().map(Token::from).collect() }))
}
