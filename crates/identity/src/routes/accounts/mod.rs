//! The own account: `/auth/me`, `/auth/password/…`, `/auth/email/…`.

mod email;
mod me;
mod password;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(me::me, me::change_me, me::delete_me))
        .routes(routes!(password::forgot_password))
        .routes(routes!(password::reset_password))
        .routes(routes!(password::change_password))
        .routes(routes!(email::verify_email))
        .routes(routes!(email::resend_confirmation))
        .routes(routes!(email::change_email))
}

/// What was asked for follows by letter, if there is anybody to write to.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// For people.
    #[schema(example = "If the address belongs to an account, a letter is on its way")]
    message: &'static str,
}

impl Accepted {
    pub(super) const fn new(message: &'static str) -> Self {
        Self { success: true, message }
    }
}
