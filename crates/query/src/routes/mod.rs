//! The routes, one file an action.

pub(crate) mod answer;
pub(crate) mod audited;
mod permissions;
mod query;
mod reload;

use std::sync::Arc;

use edge::Routes;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Service;

/// The feature's routes.
pub fn routes(service: Arc<Service>) -> Routes {
    OpenApiRouter::new()
        .routes(routes!(query::query))
        .routes(routes!(permissions::permissions))
        .routes(routes!(reload::reload))
        .with_state(service)
}
