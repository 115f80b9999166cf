//! `POST /auth/keys/{id}/rotate`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, OptionalJson, Path, RequestInfo};
use kernel::{Span, ability};
use serde::Deserialize;
use utoipa::ToSchema;

use super::NewlyMade;
use crate::{Identity, routes::visitor};

const USUAL_OVERLAP: Span = Span::seconds(24 * 60 * 60);

/// How the old key goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateKey {
    /// How long it lives on beside the new one: 24h where absent, 30d at the most, `0s` for not at all.
    #[schema(value_type = Option<String>, example = "24h")]
    overlap: Option<Span>,
}

/// Puts a new API key in the place of one of the caller's, with the same name and rights. The old one lives on for a
/// while, so that whoever uses it can be told.
#[utoipa::path(
    post,
    path = "/auth/keys/{id}/rotate",
    operation_id = "rotate_key",
    params(("id" = String, Path, description = "The key's id.")),
    request_body = Option<RotateKey>,
    responses(
        (status = 201, body = NewlyMade),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope, description = "`conflict`: the key was revoked or replaced already."),
    )
)]
pub(super) async fn rotate_key(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Path(id): Path<String>,
    OptionalJson(body): OptionalJson<RotateKey>,
) -> edge::Result {
    caller.require(ability::KEYS_MANAGE)?;
    let overlap = body.and_then(|body| body.overlap).unwrap_or(USUAL_OVERLAP);
    let open = identity.tenants.open(caller.tenant()).await?;
    let maker = identity.maker(&open, caller.principal()).await?;
    let found = identity.own_key(&open, &maker, &id).await?;
    let made = identity.replace_key(&open, Some(&maker), found, overlap, Some(&visitor(info))).await?;
    Ok(Answer::created(NewlyMade::new(made)))
}
