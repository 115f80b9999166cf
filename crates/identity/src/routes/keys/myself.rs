//! `GET /auth/keys/self`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller};
use kernel::time;
use serde::Serialize;
use utoipa::ToSchema;

use super::own;
use crate::Identity;

/// The key of the request, as far as whoever holds it may know.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnKey {
    /// The id.
    id: String,
    /// `pk`, `sk` or `pat`.
    #[schema(example = "pat")]
    kind: &'static str,
    /// What its maker calls it.
    name: String,
    /// The names of the abilities that it may use at this moment.
    #[schema(example = json!(["data.read"]))]
    scopes: Vec<String>,
    /// The group that it acts as.
    #[schema(example = "users")]
    group: String,
    /// The power of that group, from 1 to 100.
    #[schema(example = 10)]
    power: u8,
    /// The number of the user whom it acts as; none where it acts as no user.
    user_id: Option<i64>,
    /// The rate class that limits it.
    rate_class: Option<String>,
    /// When it ends by itself, RFC 3339 in UTC.
    expires_at: Option<String>,
}

/// What the API key of this request is and may do. Every key may ask; a session gets 404.
#[utoipa::path(get, path = "/auth/keys/self", operation_id = "show_own_key", responses((status = 200, body = OwnKey)))]
pub(super) async fn show_own_key(State(identity): State<Arc<Identity>>, caller: Caller) -> edge::Result {
    let principal = caller.principal();
    let presented = own(principal)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let key = identity.key(&open, &presented.id).await?;
    Ok(Answer::ok(OwnKey {
        kind: key.kind.word(),
        name: key.name,
        scopes: presented.scopes.clone(),
        group: principal.group.name.clone(),
        power: principal.group.power,
        user_id: principal.user(),
        rate_class: key.rate_class,
        expires_at: key.expires_at.map(time::rfc3339),
        id: key.id,
    }))
}
