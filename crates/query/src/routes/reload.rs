//! `POST /reload`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, OptionalJson, RequestInfo, Result};
use kernel::{Error, Reason};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::Service;

/// What is to be reloaded.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadRequest {
    /// Whether the process restarts. Only false is offered.
    #[serde(default)]
    restart: bool,
    /// Whether a restart waits for nothing. Only false is offered.
    #[serde(default)]
    forced: bool,
}

/// Reads the tenant's rules and catalogue anew.
///
/// All or nothing: a mistake in the rules answers 500 with file and line and leaves the old ones in force. Needs the
/// ability `reload`.
#[utoipa::path(
    post,
    path = "/reload",
    tag = "query",
    request_body = Option<ReloadRequest>,
    responses((status = 200, description = "The new rules are in force", body = Object))
)]
pub(super) async fn reload(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    OptionalJson(request): OptionalJson<ReloadRequest>,
) -> Result<Answer> {
    let request = request.unwrap_or_default();
    if request.restart || request.forced {
        let field = if request.restart { "restart" } else { "forced" };
        return Err(Error::new(Reason::FieldInvalid, "Restarts are the service manager's; reload without")
            .at(field)
            .into());
    }
    let reloaded = service.reload(&caller.0).await;
    tracing::info!(
        target: "audit", action = "reload", outcome = reloaded.as_ref().err().map_or("ok", |error| error.reason.word()),
        tenant = caller.tenant().name, user = caller.principal().user(), rules = reloaded.as_ref().ok(),
        client = %info.client, request_id = %info.id,
    );
    let rules = reloaded?;
    Ok(Answer::ok(json!({
        "message": "Configuration reloaded successfully",
        "request_id": info.id.as_str(),
        "restarting": false,
        "note": format!("{rules} row rules are in force; the catalogue was read"),
    })))
}
