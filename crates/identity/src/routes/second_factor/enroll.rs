//! `POST /auth/totp/enroll`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Identity, routes::visitor};

/// Who wants a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enroll {
    /// The caller's password, once more.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Secret,
}

/// A second factor that is not in force yet. It is never shown again.
#[derive(Serialize, ToSchema)]
struct Enrolled {
    /// The secret as base32, to be typed into a device.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same as a URL, to be shown as a QR code.
    #[schema(example = "otpauth://totp/example.com:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=example.com")]
    url: String,
}

/// Begins a second factor: codes of 6 digits that change every 30 seconds (RFC 6238).
///
/// It comes into force with a first code sent to `POST /auth/totp/verify`. What was begun before is void.
#[utoipa::path(
    post,
    path = "/auth/totp/enroll",
    operation_id = "enroll_second_factor",
    request_body = Enroll,
    responses(
        (status = 200, body = Enrolled),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid` where the password is wrong."),
        (status = 409, body = edge::Envelope, description = "`second_factor_enabled`."),
    )
)]
pub(super) async fn enroll(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<Enroll>,
) -> edge::Result {
    caller.principal().session()?;
    let (tenant, visitor) = (caller.tenant(), visitor(info));
    let begun = identity.begin_second_factor(tenant, &visitor, caller.principal(), &body.password).await?;
    Ok(Answer::ok(Enrolled { secret: begun.secret, url: begun.url }))
}
