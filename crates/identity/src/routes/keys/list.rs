//! `GET /auth/keys`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Query};
use kernel::ability;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiKey;
use crate::Identity;

const USUAL: u64 = 100;

/// Which keys.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those of everybody, with the ability `keys.admin`.
    all: bool,
    /// At most so many, and at most 1,000.
    limit: u64,
    /// But for the first ones.
    offset: u64,
}

impl Default for Which {
    fn default() -> Self {
        Self { all: false, limit: USUAL, offset: 0 }
    }
}

/// Keys, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    /// The keys.
    keys: Vec<ApiKey>,
}

/// The caller's API keys, or those of everybody.
#[utoipa::path(
    get,
    path = "/auth/keys",
    operation_id = "list_keys",
    params(Which),
    responses((status = 200, body = Keys))
)]
pub(super) async fn list_keys(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Query(Which { all, limit, offset }): Query<Which>,
) -> edge::Result {
    caller.require(if all { ability::KEYS_ADMIN } else { ability::KEYS_MANAGE })?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let owner = if all { None } else { Some(identity.maker(&open, caller.principal()).await?.owner) };
    let keys = identity.keys(&open, owner, limit, offset.min(i64::MAX as u64)).await?;
    Ok(Answer::ok(Keys { keys: keys.into_iter().map(ApiKey::new).collect() }))
}
