//! `POST /auth/webhook-tokens`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::{Span, ability, time::rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::visitor;
use crate::Identity;

/// What a token shall be for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MakeWebhookToken {
    /// Which service calls with it, in 1 to 100 characters.
    #[schema(example = "Payments")]
    name: String,
    /// How long it lives, from a minute to five years; 365d where absent.
    #[schema(value_type = Option<String>, example = "365d")]
    expires_in: Option<Span>,
}

/// A new token, shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookTokenMade {
    /// The id, by which it is revoked.
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Where the service calls, with the token in it; none for a tenant without a domain.
    #[schema(example = "https://webhooks.example.com/?access_token=…")]
    url: Option<String>,
    /// The token alone.
    token: String,
    /// When it ends, RFC 3339 in UTC.
    expires_at: String,
}

/// Makes a token by which an outside service calls on `webhooks.` hosts.
#[utoipa::path(
    post,
    path = "/auth/webhook-tokens",
    operation_id = "make_webhook_token",
    request_body = MakeWebhookToken,
    responses(
        (status = 201, body = WebhookTokenMade),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `session_required`."),
        (status = 409, body = edge::Envelope, description = "`conflict`: the user has too many."),
    )
)]
pub(super) async fn make(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<MakeWebhookToken>,
) -> edge::Result {
    caller.principal().session()?;
    caller.require(ability::KEYS_MANAGE)?;
    let (tenant, principal) = (caller.tenant(), caller.principal());
    let made = identity.make_webhook_token(tenant, &visitor(info), principal, body.name, body.expires_in).await?;
    let url = tenant.domain.as_ref().map(|domain| format!("https://webhooks.{domain}/?access_token={}", made.token));
    Ok(Answer::created(WebhookTokenMade { id: made.id, url, token: made.token, expires_at: rfc3339(made.expires_at) }))
}
