//! `/admin/users`, `/admin/groups` and `/admin/tenants`.

mod groups;
mod paging;
mod tenants;
mod users;

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use utoipa_axum::router::OpenApiRouter;

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().merge(users::routes()).merge(groups::routes()).merge(tenants::routes())
}

/// A field that may be null, told apart from one that is absent.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
