//! `GET /auth/totp`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller};
use kernel::{Error, Reason, ability};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Identity;

/// What is known of the caller's second factor.
#[derive(Serialize, ToSchema)]
struct SecondFactor {
    /// Whether it is in force.
    enabled: bool,
    /// Since when, RFC 3339.
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    /// Recovery codes that were not used yet.
    #[schema(example = 10)]
    recovery_codes_left: usize,
}

/// Whether the caller has a second factor.
#[utoipa::path(get, path = "/auth/totp", operation_id = "second_factor", responses((status = 200, body = SecondFactor)))]
pub(super) async fn state(State(identity): State<Arc<Identity>>, caller: Caller) -> edge::Result {
    caller.require(ability::ACCOUNT_READ)?;
    caller.principal().user().ok_or_else(|| Error::plain(Reason::SessionRequired))?;
    let state = identity.second_factor(caller.tenant(), caller.principal()).await?;
    Ok(Answer::ok(SecondFactor {
        enabled: state.confirmed_at.is_some(),
        confirmed_at: state.confirmed_at.map(kernel::time::rfc3339),
        recovery_codes_left: state.recovery_codes_left,
    }))
}
