//! `POST /auth/totp/disable`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Identity, routes::visitor, second_factor::Proof};

/// What proves that the caller may do without a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Disable {
    /// The caller's password, once more.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
    /// The code of the moment.
    #[schema(value_type = String, example = "287082")]
    code: Option<Secret>,
    /// One of the recovery codes, instead of the code.
    #[schema(value_type = String, example = "k7m2p-9xw4q")]
    recovery_code: Option<Secret>,
}

/// Removes the caller's second factor and its recovery codes.
#[utoipa::path(
    post,
    path = "/auth/totp/disable",
    operation_id = "disable_second_factor",
    request_body = Disable,
    responses(
        (status = 200, description = "It is gone."),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`, `code_invalid`."),
        (status = 404, body = edge::Envelope, description = "There is no second factor."),
    )
)]
pub(super) async fn disable(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<Disable>,
) -> edge::Result {
    caller.principal().session()?;
    let proof = Proof::of(body.code, body.recovery_code)?;
    let (tenant, visitor) = (caller.tenant(), visitor(info));
    identity.disable_second_factor(tenant, &visitor, caller.principal(), &body.password, &proof).await?;
    Ok(Answer::ok(()))
}
