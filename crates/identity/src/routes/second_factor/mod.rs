//! `/auth/totp/…`.

mod disable;
mod enroll;
mod recovery_codes;
mod state;
mod verify;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(state::state))
        .routes(routes!(enroll::enroll))
        .routes(routes!(verify::verify))
        .routes(routes!(disable::disable))
        .routes(routes!(recovery_codes::recovery_codes))
}

/// Codes for when the device is lost, each good once. They are never shown again.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Ten of them.
    #[schema(example = json!(["k7m2p-9xw4q"]))]
    recovery_codes: Vec<String>,
}
