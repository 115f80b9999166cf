//! `POST /auth/keys`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::{Span, ability};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Kind, NewlyMade, Nullable, lifetime, present};
use crate::{
    Identity,
    keys::{Lifetime, NewKey},
    routes::visitor,
};

/// A key to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateKey {
    /// What kind of key.
    kind: Kind,
    /// What to call it: 1 to 100 characters.
    #[schema(example = "Continuous integration")]
    name: String,
    /// The names of the abilities that it may use: one or more that the caller has.
    #[schema(example = json!(["data.read"]))]
    scopes: Vec<String>,
    /// The group that a server key acts as, of no more power than the caller's; the caller's where absent.
    group: Option<String>,
    /// Addresses and CIDR blocks from which it may be used; from anywhere where there are none.
    #[schema(example = json!(["192.0.2.0/24"]))]
    addresses: Option<Vec<String>>,
    /// Origins of the web pages that may use it; all where there are none. A server key is for no web page.
    origins: Option<Vec<String>>,
    /// One of the tenant's rate classes.
    rate_class: Option<String>,
    /// How long it lives: 90d where absent, for ever where null, if the tenant's settings allow that.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "30d")]
    expires_in: Option<Nullable<Span>>,
}

/// Makes an API key, which has no more rights than the caller. Its text is in this answer and never shown again.
#[utoipa::path(
    post,
    path = "/auth/keys",
    operation_id = "create_key",
    request_body = CreateKey,
    responses(
        (status = 201, body = NewlyMade),
        (
            status = 403, body = edge::Envelope,
            description = "`ability_missing`, `power_too_low`, or `scope_missing` where the caller's own key lacks it."
        ),
        (status = 409, body = edge::Envelope, description = "`conflict`: the user has 100 keys that can be used."),
    )
)]
pub(super) async fn create_key(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<CreateKey>,
) -> edge::Result {
    caller.require(ability::KEYS_MANAGE)?;
    let CreateKey { kind, name, scopes, group, addresses, origins, rate_class, expires_in } = body;
    let lifetime = expires_in.map_or(Lifetime::Usual, lifetime);
    let new = NewKey { kind: kind.into(), name, scopes, group, addresses, origins, rate_class, lifetime };
    let open = identity.tenants.open(caller.tenant()).await?;
    let maker = identity.maker(&open, caller.principal()).await?;
    let made = identity.make_key(&open, &maker, new, Some(&visitor(info))).await?;
    Ok(Answer::created(NewlyMade::new(made)))
}
