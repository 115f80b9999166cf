//! `GET /.well-known/jwks.json`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::IntoResponse,
};
use edge::{Answer, Site};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Identity, signing_key::Jwk};

const KIND: HeaderValue = HeaderValue::from_static("application/jwk-set+json");
const FRESH: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A tenant's public keys.
#[derive(Serialize, ToSchema)]
pub(super) struct JwkSet {
    /// The newest first; it signs.
    keys: Vec<Jwk>,
}

/// The public keys by which others verify the tenant's tokens, as RFC 7517 has it.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "public_keys",
    security(()),
    responses((status = 200, content_type = "application/jwk-set+json", body = JwkSet))
)]
pub(super) async fn public_keys(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
) -> edge::Result<impl IntoResponse> {
    let keys = identity.public_keys(&site.tenant).await?;
    Ok(([(CONTENT_TYPE, KIND), (CACHE_CONTROL, FRESH)], Answer::with_status(200, JwkSet { keys })))
}
