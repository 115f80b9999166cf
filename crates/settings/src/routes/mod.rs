//! The routes, one file an action.

mod change;
mod list;
mod remove;

use std::sync::Arc;

use edge::{Caller, RequestInfo, Routes};
use kernel::{WriteContext, settings::TenantFile};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Author, Settings};

/// What the handlers need.
struct Doors {
    settings: Arc<Settings>,
    file: Arc<dyn TenantFile>,
}

/// The feature's routes. `file` knows what a tenant's own file says.
pub fn routes(settings: Arc<Settings>, file: Arc<dyn TenantFile>) -> Routes {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(change::change))
        .routes(routes!(remove::remove))
        .layer(axum::middleware::from_fn(edge::tell_if_cut_off))
        .with_state(Arc::new(Doors { settings, file }))
}

fn author(caller: &Caller, info: &RequestInfo) -> Author {
    let context = WriteContext::of_request(caller.principal().user(), info.id);
    Author { context, client: Some(info.client) }
}
