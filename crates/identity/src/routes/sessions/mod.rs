//! `/auth/refresh`, `/auth/sessions…`, the public keys, and `/session` on `assets.` hosts.

mod cookie;
mod end;
mod list;
mod public_keys;
mod refresh;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

/// The routes of this part on `api.` hosts.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(refresh::refresh))
        .routes(routes!(list::list))
        .routes(routes!(end::end))
        .routes(routes!(public_keys::public_keys))
}

/// The routes on `assets.` hosts.
pub(super) fn assets_routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(cookie::set, cookie::who, cookie::clear))
}
