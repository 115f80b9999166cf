//! `/auth/webhook-tokens…`, and the connection test on `webhooks.` hosts.

mod hello;
mod list;
mod make;
mod revoke;

use std::sync::Arc;

use axum::routing::get;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

/// The routes of this part on `api.` hosts.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(make::make, list::list)).routes(routes!(revoke::revoke))
}

/// The route on `webhooks.` hosts: whoever calls can try the token. What takes a call in belongs beside it and decides
/// what bodies it reads; `Caller` tells whose token it is.
pub(super) fn webhooks_routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().route("/", get(hello::hello).post(hello::hello))
}
