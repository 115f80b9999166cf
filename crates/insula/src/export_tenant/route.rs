//! `GET /admin/tenants/{name}/export`.

use std::{path::PathBuf, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use edge::{Caller, Failure, Path, RequestInfo, Routes};
use identity::Identity;
use kernel::{Error, Reason};
use store::Tenants;
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::archive;

/// Exports at once; each reads whole tables and holds one temporary file.
const AT_ONCE: usize = 2;
const PATIENCE: u64 = 10;

struct Exports {
    identity: Arc<Identity>,
    tenants: Arc<Tenants>,
    /// Where temporary files are.
    folder: PathBuf,
    slots: Arc<Semaphore>,
}

/// The routes of this part.
pub(crate) fn routes(identity: Arc<Identity>, tenants: Arc<Tenants>) -> Routes {
    let folder = tenants.data_folder().to_owned();
    let exports = Exports { identity, tenants, folder, slots: Arc::new(Semaphore::new(AT_ONCE)) };
    OpenApiRouter::new().routes(routes!(export_tenant)).with_state(Arc::new(exports))
}

/// Everything that a tenant may carry away, as a tar archive of JSON lines: its tables, users and groups without their
/// secrets, rules and migrations. Needs the ability `tenants.manage` in the first tenant.
///
/// The archive is made while it is sent; one that could not be finished breaks off.
#[utoipa::path(
    get,
    path = "/admin/tenants/{name}/export",
    operation_id = "export_tenant",
    params(("name" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 200, description = "The archive.", content_type = "application/x-tar", body = Vec<u8>),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 503, body = edge::Envelope, description = "`busy`: others are exporting; see `Retry-After`."),
    )
)]
async fn export_tenant(
    State(exports): State<Arc<Exports>>,
    caller: Caller,
    Path(name): Path<String>,
    info: RequestInfo,
) -> Result<Response, Failure> {
    exports.identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    let record = exports.tenants.by_name(&name).await?;
    let slot = Arc::clone(&exports.slots).try_acquire_owned().map_err(|_| {
        Error::new(Reason::Busy, "Other exports are running; wait until they are done").retry_after(PATIENCE)
    })?;
    let open = exports.tenants.open(&record.tenant).await?;
    tracing::info!(
        target: "audit", action = "tenant-export", outcome = "ok", tenant = caller.tenant().name,
        user = caller.principal().user(), of = record.tenant.name, client = %info.client, request_id = %info.id,
    );
    let headers = [
        ("content-type", "application/x-tar".to_owned()),
        ("content-disposition", format!("attachment; filename=\"{}.tar\"", record.tenant.name)),
    ];
    Ok((headers, archive::body(record, open, exports.folder.clone(), slot)).into_response())
}
