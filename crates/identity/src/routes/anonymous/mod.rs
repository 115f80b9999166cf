//! `/auth/anonymous` and `/auth/upgrade`.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::Identity;

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
}
