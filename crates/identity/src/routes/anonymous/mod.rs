//! `/auth/anonymous` and `/auth/upgrade`.

mod begin;
mod upgrade;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(begin::begin)).routes(routes!(upgrade::upgrade))
}
