//! `POST /auth/totp/recovery-codes`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RecoveryCodes;
use crate::{Identity, routes::visitor};

/// What proves that the caller may have new recovery codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renew {
    /// The caller's password, once more.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
    /// The code of the moment.
    #[schema(value_type = String, example = "287082")]
    code: Secret,
}

/// Makes new recovery codes. The old ones are void.
#[utoipa::path(
    post,
    path = "/auth/totp/recovery-codes",
    operation_id = "renew_recovery_codes",
    request_body = Renew,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`, `code_invalid`."),
        (status = 404, body = edge::Envelope, description = "There is no second factor."),
    )
)]
pub(super) async fn recovery_codes(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<Renew>,
) -> edge::Result {
    caller.principal().session()?;
    let (tenant, visitor, who) = (caller.tenant(), visitor(info), caller.principal());
    let codes = identity.renew_recovery_codes(tenant, &visitor, who, &body.password, &body.code).await?;
    Ok(Answer::ok(RecoveryCodes { recovery_codes: codes }))
}
