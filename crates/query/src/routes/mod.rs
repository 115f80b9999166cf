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
        .routes(routes!(reload::reload))
        .layer(axum::middleware::from_fn(edge::tell_if_cut_off))
        // These are without the layer: a query tells it itself.
        .routes(routes!(query::query))
        .routes(routes!(permissions::permissions))
        .with_state(service)
}
