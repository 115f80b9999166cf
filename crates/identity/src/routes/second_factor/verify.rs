//! `POST /auth/totp/verify`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, MaybeCaller, RequestInfo, Site};
use kernel::{Error, Reason, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use super::RecoveryCodes;
use crate::{
    Identity,
    routes::{SessionBegun, visitor},
    second_factor::Proof,
};

/// A code, with the ticket of a log in or with the session of whoever has begun a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    /// The ticket that a log in answered.
    #[schema(value_type = String)]
    ticket: Option<Secret>,
    /// The code of the moment.
    #[schema(value_type = String, example = "287082")]
    code: Option<Secret>,
    /// One of the recovery codes, instead of the code; with a ticket alone.
    #[schema(value_type = String, example = "k7m2p-9xw4q")]
    recovery_code: Option<Secret>,
}

/// Begins the session of a ticket, or puts the caller's second factor in force.
///
/// With a ticket it needs no token and answers a session. Without one it needs a session, takes the first code of what
/// `POST /auth/totp/enroll` has begun, and answers the recovery codes. Each code is taken once.
#[utoipa::path(
    post,
    path = "/auth/totp/verify",
    operation_id = "verify_second_factor",
    security((), ("bearer" = [])),
    request_body = Verify,
    responses(
        (status = 200, body = SessionBegun, description = "With a ticket; else the recovery codes."),
        (status = 401, body = edge::Envelope, description = "`code_invalid`, `ticket_invalid`."),
        (status = 404, body = edge::Envelope, description = "No second factor was begun."),
        (status = 409, body = edge::Envelope, description = "`second_factor_enabled`."),
    )
)]
pub(super) async fn verify(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    MaybeCaller(caller): MaybeCaller,
    info: RequestInfo,
    Json(body): Json<Verify>,
) -> edge::Result {
    let visitor = visitor(info);
    if let Some(ticket) = body.ticket {
        let proof = Proof::of(body.code, body.recovery_code)?;
        let entered = identity.enter_with_ticket(&site.tenant, &visitor, ticket.expose(), &proof).await?;
        return Ok(Answer::with_status(200, SessionBegun::new(entered)));
    }
    let caller = caller?;
    caller.principal.session()?;
    let Proof::Code(code) = Proof::of(body.code, body.recovery_code)? else {
        let message = "There is no ticket that this could go with";
        return Err(Error::new(Reason::FieldUnknown, message).at("recovery_code").into());
    };
    let codes = identity.confirm_second_factor(&caller.tenant, &visitor, &caller.principal, &code).await?;
    Ok(Answer::ok(RecoveryCodes { recovery_codes: codes }))
}
