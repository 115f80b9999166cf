//! `POST /auth/exchange/{provider}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, Path, RequestInfo, Site};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{SessionBegun, visitor};
use crate::Identity;

/// A token of an outside issuer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeToken {
    /// An id token of an issuer of OpenID Connect, or a token of an Appwrite account.
    #[schema(value_type = String)]
    token: Secret,
}

/// Begins a session for whom a foreign token is of, if its issuer vouches for it.
#[utoipa::path(
    post,
    path = "/auth/exchange/{provider}",
    operation_id = "exchange_token",
    security(()),
    params(("provider" = String, Path, description = "The provider's name.")),
    request_body = ExchangeToken,
    responses(
        (status = 200, body = SessionBegun),
        (status = 401, body = edge::Envelope,
            description = "`foreign_token_invalid`, `credentials_invalid`, `second_factor_required`."),
        (status = 403, body = edge::Envelope, description = "`registration_closed`, `email_unverified`."),
        (status = 404, body = edge::Envelope, description = "`provider_unknown`."),
        (status = 409, body = edge::Envelope, description = "`email_taken`."),
        (status = 502, body = edge::Envelope, description = "`provider_unavailable`."),
    )
)]
pub(super) async fn exchange(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    Path(provider): Path<String>,
    info: RequestInfo,
    Json(ExchangeToken { token }): Json<ExchangeToken>,
) -> edge::Result {
    let entered = Box::pin(identity.exchange(&site.tenant, &visitor(info), &provider, &token)).await?;
    Ok(Answer::with_status(200, SessionBegun::new(entered)))
}
