//! `PATCH /auth/keys/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo};
use kernel::{Span, ability};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Nullable, OneKey, lifetime, present};
use crate::{Identity, keys::KeyChange, routes::visitor};

/// What changes of a key. What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeKey {
    /// What to call it: 1 to 100 characters.
    name: Option<String>,
    /// The names of the abilities that it may use: one or more that the caller has.
    #[schema(example = json!(["data.read"]))]
    scopes: Option<Vec<String>>,
    /// Addresses and CIDR blocks from which it may be used.
    addresses: Option<Vec<String>>,
    /// Origins of the web pages that may use it.
    origins: Option<Vec<String>>,
    /// One of the tenant's rate classes, or null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    rate_class: Option<Nullable<String>>,
    /// How long it lives from now on; for ever where null, if the tenant's settings allow that.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "30d")]
    expires_in: Option<Nullable<Span>>,
}

/// Changes an API key of the caller's.
#[utoipa::path(
    patch,
    path = "/auth/keys/{id}",
    operation_id = "change_key",
    params(("id" = String, Path, description = "The key's id.")),
    request_body = ChangeKey,
    responses(
        (status = 200, body = OneKey),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope, description = "`conflict`: the key was revoked or has expired."),
    )
)]
pub(super) async fn change_key(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Path(id): Path<String>,
    Json(body): Json<ChangeKey>,
) -> edge::Result {
    caller.require(ability::KEYS_MANAGE)?;
    let ChangeKey { name, scopes, addresses, origins, rate_class, expires_in } = body;
    let (rate_class, lifetime) = (rate_class.map(|class| class.0), expires_in.map(lifetime));
    let change = KeyChange { name, scopes, addresses, origins, rate_class, lifetime };
    let open = identity.tenants.open(caller.tenant()).await?;
    let maker = identity.maker(&open, caller.principal()).await?;
    let key = identity.change_key(&open, &maker, &id, change, Some(&visitor(info))).await?;
    Ok(Answer::ok(OneKey::new(key)))
}
