//! `POST /reload`.

use std::{fmt::Write, sync::Arc, time::Duration};

use axum::extract::State;
use edge::{Answer, Caller, OptionalJson, RequestInfo, Result};
use kernel::{
    Error, Reason,
    restart::{RestartKind, Restarting},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Service, service::Reloaded};

/// What is to be reloaded.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadRequest {
    /// Whether the server restarts, too: once nobody has asked anything for a while. Only in the first tenant.
    #[serde(default)]
    restart: bool,
    /// Whether the restart waits for nothing. Needs the ability `restart`.
    #[serde(default)]
    forced: bool,
}

/// What is in force, and what comes.
#[derive(Serialize, ToSchema)]
struct ReloadAnswer {
    /// Always true.
    success: bool,
    /// For people.
    #[schema(example = "Configuration reloaded successfully")]
    message: &'static str,
    /// The request's id.
    request_id: String,
    /// Whether the server restarts.
    restarting: bool,
    /// Seconds without a request after which it does; 0 where it is forced. Only where it restarts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    restart_wait_seconds: Option<u64>,
    /// What was read, when the restart comes, and which one it replaces.
    #[schema(example = "2 row rules are in force; the catalogue was read")]
    note: String,
}

impl ReloadRequest {
    fn restart(&self) -> kernel::Result<Option<RestartKind>> {
        match (self.restart, self.forced) {
            (true, true) => Ok(Some(RestartKind::Forced)),
            (true, false) => Ok(Some(RestartKind::Graceful)),
            (false, false) => Ok(None),
            (false, true) => {
                let message = "Only a restart can be forced; send \"restart\": true with it";
                Err(Error::new(Reason::FieldInvalid, message).at("forced"))
            }
        }
    }
}

/// Reads the tenant's settings, rules and catalogue anew, and restarts the server if asked to.
///
/// All or nothing: a mistake answers 500 with file and line and leaves the old ones in force. Needs the ability
/// `reload`. A restart hits every tenant, so that only the first may ask for it. It refuses no connection: they wait
/// until the new process answers. Before anything else the program and its configuration are checked, so that a broken
/// one is answered with 500 and the server goes on. One restart is pending at a time; another call replaces it, and a
/// reload alone leaves it as it is.
#[utoipa::path(
    post,
    path = "/reload",
    tag = "query",
    request_body = Option<ReloadRequest>,
    responses((status = 200, description = "The new rules are in force", body = ReloadAnswer))
)]
pub(super) async fn reload(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    OptionalJson(request): OptionalJson<ReloadRequest>,
) -> Result<Answer> {
    let caller = &caller.0;
    let asked = service.require_reload(caller).and_then(|()| request.unwrap_or_default().restart());
    let kind = asked.as_ref().ok().copied().flatten();
    let reloaded = match asked {
        Ok(Some(kind)) => service.restart(caller, kind).await,
        Ok(None) => service.reload(caller).await,
        Err(error) => Err(error),
    };
    tracing::info!(
        target: "audit", action = "reload", outcome = kernel::error::outcome_word(&reloaded),
        tenant = caller.tenant.name, user = caller.principal.user(), restart = kind.map(RestartKind::word), client = %info.client,
        request_id = %info.id,
    );
    let Reloaded { rules, restarting } = reloaded?;
    let answer = ReloadAnswer {
        success: true,
        message: "Configuration reloaded successfully",
        request_id: info.id.to_string(),
        restarting: restarting.is_some(),
        restart_wait_seconds: restarting.map(|restarting| seconds(restarting.idle)),
        note: note(rules, restarting),
    };
    Ok(Answer::with_status(200, answer))
}

fn note(rules: usize, restarting: Option<Restarting>) -> String {
    let mut note = format!("{rules} row rules are in force; the catalogue was read");
    let Some(Restarting { idle, ceiling, replaced }) = restarting else { return note };
    if idle.is_zero() {
        note.push_str("; the server restarts now");
    } else {
        let (idle, ceiling) = (seconds(idle), seconds(ceiling));
        let _ = write!(note, "; the server restarts after {idle} s without a request, in {ceiling} s at the latest");
    }
    if let Some(replaced) = replaced {
        let _ = write!(note, "; this replaces the {} restart that was pending", replaced.word());
    }
    note
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1_000) as u64
}
