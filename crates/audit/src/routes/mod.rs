//! The routes.

mod list;

use std::sync::Arc;

use edge::Routes;
use store::Tenants;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Audit;

/// What the routes work on.
#[derive(Clone)]
struct Log {
    audit: Arc<Audit>,
    tenants: Arc<Tenants>,
}

/// The feature's routes. None of them changes an entry.
pub fn routes(audit: Arc<Audit>, tenants: Arc<Tenants>) -> Routes {
    OpenApiRouter::new().routes(routes!(list::list)).with_state(Log { audit, tenants })
}
