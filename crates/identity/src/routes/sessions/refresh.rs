//! `POST /auth/refresh`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, RequestInfo, Site};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{SessionBegun, visitor};
use crate::Identity;

/// What renews a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// The refresh token of the log in or of the last renewal.
    #[schema(value_type = String, example = "inr_…")]
    refresh_token: Secret,
}

/// A new pair of tokens. Each refresh token is good once; using an older one ends the session.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    operation_id = "refresh",
    security(()),
    request_body = Refresh,
    responses(
        (status = 200, body = SessionBegun),
        (status = 401, body = edge::Envelope, description = "`refresh_invalid`."),
    )
)]
pub(super) async fn refresh(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<Refresh>,
) -> edge::Result {
    let entered = identity.refresh(&site, &visitor(info), body.refresh_token.expose()).await?;
    Ok(Answer::with_status(200, SessionBegun::new(entered)))
}
