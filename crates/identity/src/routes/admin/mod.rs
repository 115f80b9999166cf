//! `/admin/users`, `/admin/groups` and `/admin/tenants`.

mod groups;
mod paging;
mod tenants;
mod users;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().merge(users::routes()).merge(groups::routes()).merge(tenants::routes())
}
