//! The routes, one file an action.

mod admin;
mod call;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Service;

/// The feature's routes.
pub fn routes(service: Arc<Service>) -> edge::Routes {
    OpenApiRouter::new()
        .routes(routes!(call::get_app, call::post_app))
        .routes(routes!(call::get_lib, call::post_lib))
        .merge(admin::routes())
        .with_state(service)
}
